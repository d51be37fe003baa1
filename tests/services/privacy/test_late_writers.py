"""Somebody is erased while other processes still hold, or still write, what names them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.conftest import MakeUser
from tests.services.privacy.conftest import SCOPE
from tests.services.privacy.test_deletions import ask, mentions, rows
from tests.support.runtime import open_runtime
from tests.support.waiting import until

from aihub.app.modules import MODULES
from aihub.kernel import security_events
from aihub.kernel.db import Work
from aihub.kernel.privacy import Subject
from aihub.kernel.runtime import Runtime
from aihub.kernel.security_events import SecurityLog, queries
from aihub.services.identity.contracts import User
from aihub.services.privacy import domain
from aihub.services.privacy.service import Registry, deletions


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "SETTLING", 0.0)


def count_events(runtime: Runtime, user: User, other: User) -> None:
    """One event about each of them, and three that name the first one somewhere."""
    for person in (user, other):
        security_events.event(runtime.database, "test.subject", "info", f"user:{person.id}", person=person.id)
    for kind, facts in (
        ("test.actor", {"by": str(user.id)}),
        ("test.path", {"path": f"/api/v1/users/{user.id}/deletion"}),
        ("test.compact", {"path": f"/api/v1/users/{user.id.hex.upper()}"}),
    ):
        security_events.event(runtime.database, kind, "info", f"user:{other.id}", facts, person=other.id)


async def written(hub: Runtime) -> list[tuple[str, UUID]]:
    found = await rows(hub, "select kind, subject_id from security_events where kind like 'test.%'")
    return [(kind, subject_id) for kind, subject_id in found]


async def names(hub: Runtime, user: User) -> bool:
    return "security_events" in await mentions(hub, str(user.id), user.email)


async def test_what_was_counted_before_an_erasure_is_not_written_after_it(
    hub: Runtime, make_user: MakeUser
) -> None:
    user, other = await make_user("ada"), await make_user("bob")
    # Another process of the same hub, which is slow to write.
    async with open_runtime(
        hub.database.engine.url.render_as_string(hide_password=False), hub.settings, MODULES
    ) as second:
        await _only_by_hand(hub, second)
        for runtime in (hub, second):
            count_events(runtime, user, other)
        await deletions.carry_out(hub, await ask(hub, user))
        for runtime in (hub, second):
            await runtime.get(SecurityLog).write()
            count_events(runtime, user, other)  # what was still under way
            await runtime.get(SecurityLog).write()
        assert set(await written(hub)) == {("test.subject", other.id)}
        assert not await names(hub, user)


async def _only_by_hand(*runtimes: Runtime) -> None:
    """Events are written when a test says so: the writers end, the counting goes on."""
    for runtime in runtimes:
        log = runtime.get(SecurityLog)
        await log.close()


async def _somebody_waits(hub: Runtime) -> bool:
    return bool(await rows(hub, "select 1 from pg_locks where not granted"))


async def _writing(hub: Runtime, then: Callable[[], Awaitable[None]]) -> None:
    """What the security log does, with something in between writing and committing."""
    async with hub.database.work(SCOPE) as work:
        sums = hub.get(SecurityLog)._tally.take(hub.clock.now())
        await queries.add(work, sums)
        await then()


async def test_an_erasure_waits_for_what_is_being_written(hub: Runtime, make_user: MakeUser) -> None:
    user, other = await make_user("ada"), await make_user("bob")
    await _only_by_hand(hub)
    deletion_id = await ask(hub, user)
    count_events(hub, user, other)
    inside, release = asyncio.Event(), asyncio.Event()

    async def stall() -> None:
        inside.set()
        await release.wait()

    writer = asyncio.create_task(_writing(hub, stall))
    await inside.wait()
    eraser = asyncio.create_task(deletions.carry_out(hub, deletion_id))
    await until(lambda: _somebody_waits(hub), 60)
    release.set()
    await asyncio.gather(writer, eraser)
    assert not await names(hub, user)
    assert set(await written(hub)) == {("test.subject", other.id)}


async def test_who_writes_while_somebody_is_erased_waits_and_leaves_them_out(
    hub: Runtime, make_user: MakeUser
) -> None:
    user, other = await make_user("ada"), await make_user("bob")
    await _only_by_hand(hub)
    deletion_id = await ask(hub, user)
    count_events(hub, user, other)
    writer: asyncio.Task[None] | None = None
    registry = hub.get(Registry)
    (trail,) = (kind for kind in registry.data if kind.name == "audit_log")

    async def paused(work: Work, subject: Subject) -> int:
        """Events are erased by now, and the erasure is not committed."""
        nonlocal writer
        if writer is None:
            writer = asyncio.create_task(hub.get(SecurityLog).write())
            await until(lambda: _somebody_waits(hub), 60)
        return await trail.erase(work, subject)

    changed = tuple(replace(kind, erase=paused) if kind is trail else kind for kind in registry.data)
    hub.provide(Registry, Registry(changed))
    await deletions.carry_out(hub, deletion_id)
    assert writer is not None
    await writer
    assert not await names(hub, user)
    assert set(await written(hub)) == {("test.subject", other.id)}


async def test_a_job_under_way_names_nobody_when_it_ends(hub: Runtime, make_user: MakeUser) -> None:
    user = await make_user("ada")
    for number, arguments in enumerate(({"email": user.email}, {"user_id": str(user.id)})):
        async with hub.database.work(SCOPE) as work:
            await work.session.execute(
                text(
                    "insert into procrastinate_jobs (queue_name, task_name, lock, status, args) "
                    "values ('default', 'test.job', :lock, 'doing', :args)"
                ),
                {"lock": f"{number} of {user.id}", "args": json.dumps(arguments)},
            )
    await deletions.carry_out(hub, await ask(hub, user))
    found = await mentions(hub, str(user.id), user.email)
    assert "procrastinate_jobs" not in found
    ended = await rows(
        hub,
        "select procrastinate_finish_job_v1(id, 'succeeded', false) from procrastinate_jobs "
        "where task_name = 'test.job'",
    )
    assert len(ended) == 2  # the worker finds its job
