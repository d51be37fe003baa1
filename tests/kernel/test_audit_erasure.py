"""A person is forgotten, and the audit log still shows every change that was not a person's erasure."""

import asyncio

import orjson
import pytest
from sqlalchemy import text
from tests.support.audit_log import ADA, BOB, every_kind, record, superuser, verdict
from tests.support.database import Server
from tests.support.waiting import until

from aihub.kernel import audit
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.kernel.telemetry import context


async def erase_bob(runtime: Runtime) -> int:
    async with runtime.database.work(system("test")) as work:
        return await audit.erase(work, BOB.user_id, reason="asked for it")


async def everything(runtime: Runtime) -> str:
    async with runtime.database.work(system("test")) as work:
        return str(
            await work.session.scalar(text("select string_agg(to_jsonb(l)::text, ' ') from audit_log l"))
        )


async def test_a_person_is_erased_and_the_log_is_whole(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    assert BOB.email in await everything(runtime)
    assert await erase_bob(runtime) == 2  # what Ada did to them, and what they did
    left = await everything(runtime)
    assert BOB.email not in left
    assert "Bób" not in left
    assert ADA.email in left
    assert await verdict(runtime.database) == audit.Verdict(True, 7, 7, ())
    async with runtime.database.work(system("test")) as work:
        newest, *lines = (await audit.page(work, cursor=None, limit=9)).items
    by_bob = next(line for line in lines if line.actor_id == BOB.user_id)
    about_bob = next(line for line in lines if line.subject_id == BOB.user_id)
    assert (by_bob.actor, by_bob.ip, by_bob.user_agent, by_bob.action) == (None, None, None, "key.use")
    assert (about_bob.details, about_bob.changes, about_bob.actor) == (None, None, ADA.email)
    assert about_bob.user_agent is not None
    assert (newest.action, newest.target_id) == ("audit.erase", str(BOB.user_id))
    assert newest.details == {"entries": 2, "reason": "asked for it"}


async def test_who_is_erased_twice_or_acts_later_is_no_finding(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    await erase_bob(runtime)
    context.client_ip.set("192.0.2.77")
    async with runtime.database.work(system("test")) as work:
        await audit.record(work, actor=BOB, action="late", target_kind="b", target_id="c")
        await audit.record(
            work, actor=ADA, action="too.late", target_kind="d", target_id="e", subject=BOB.user_id,
            details={"email": BOB.email},
        )  # fmt: skip
    context.client_ip.set(None)
    assert (await verdict(runtime.database)).ok
    left = await everything(runtime)
    assert BOB.email not in left  # as little as older entries say of them
    assert left.count("192.0.2.77") == 1  # that of Ada
    async with runtime.database.work(system("test")) as work:
        newest, about, by, *_ = (await audit.page(work, cursor=None, limit=9)).items
    # The second entry, and the reason that the first erasure gave.
    assert (newest.action, newest.target_id, newest.ip) == ("audit.erase", str(BOB.user_id), None)
    assert newest.details == {"entries": 3}
    assert (about.action, about.actor, about.details) == ("too.late", ADA.email, None)
    assert (by.action, by.actor, by.ip, by.actor_id) == ("late", None, None, BOB.user_id)
    assert await erase_bob(runtime) == 1  # what the second erasure said
    assert (await verdict(runtime.database)).ok


@pytest.mark.parametrize("first", ["eraser", "writer"])
async def test_a_deed_under_way_while_somebody_is_erased_does_not_keep_them(
    runtime: Runtime, first: str
) -> None:
    await every_kind(runtime.database)
    held, release = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with runtime.database.work(system("write")) as work:
            await audit.record(work, actor=BOB, action="late", target_kind="b", target_id="c")
            if first == "writer":  # appended, and not committed
                for action in work.at_last:
                    await action()
                work.at_last.clear()
                held.set()
                await release.wait()

    async def erase() -> None:
        async with runtime.database.work(system("erase")) as work:
            await audit.erase(work, BOB.user_id)
            if first == "eraser":  # erased, and not committed
                held.set()
                await release.wait()

    begin, follow = (erase, write) if first == "eraser" else (write, erase)
    leader = asyncio.create_task(begin())
    await held.wait()
    follower = asyncio.create_task(follow())
    await until(lambda: _waits_for_a_lock(runtime))
    release.set()
    await asyncio.gather(leader, follower)
    assert BOB.email not in await everything(runtime)
    assert (await verdict(runtime.database)).ok


async def _waits_for_a_lock(runtime: Runtime) -> bool:
    async with runtime.database.work(system("test")) as work:
        statement = "select count(*) from pg_locks where not granted"
        return bool(await work.session.scalar(text(statement)))


async def test_erasing_while_others_record_keeps_the_chain(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    await asyncio.gather(record(runtime.database, 20), erase_bob(runtime), erase_bob(runtime))
    assert (await verdict(runtime.database)).ok


async def test_a_personal_part_that_nobody_erased_is_missed(runtime: Runtime, postgres: Server) -> None:
    """What an erasure leaves behind cannot be made by hand."""
    await every_kind(runtime.database)
    with superuser(postgres) as connection:
        connection.execute(
            "update audit_log set actor = null, ip = null, user_agent = null, who_salt = null where seq = 5"
        )
    found = await verdict(runtime.database)
    assert found.problems == (f"entry 5 lost its personal part although nobody erased {BOB.user_id}",)
    await erase_bob(runtime)
    assert (await verdict(runtime.database)).ok
    with superuser(postgres) as connection:
        connection.execute(
            "update audit_log set details = null, changes = null, what_salt = null where seq = 4"
        )
    assert (await verdict(runtime.database)).problems == ("entry 4 was changed",)  # it concerns nobody


async def test_a_part_of_a_personal_part_cannot_go(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    await erase_bob(runtime)
    with superuser(postgres) as connection:
        connection.execute("update audit_log set ip = '192.0.2.99' where seq = 5")
    assert (await verdict(runtime.database)).problems == ("entry 5 was changed",)


async def test_changes_are_told_without_secrets(runtime: Runtime) -> None:
    await every_kind(runtime.database)
    async with runtime.database.work(system("test")) as work:
        line = (await audit.page(work, cursor=None, limit=9, action="user.update")).items[0]
        found = await audit.find(work, line.id)
    assert found == line
    assert line.changes == {"name": ["Bob", "Bób"], "password_hash": ["[masked]", "[masked]"]}
    assert line.subject_id == BOB.user_id
    assert (line.session_id, line.key_id) == (ADA.session_id, None)
    assert line.request_id == "req-12345678"
    assert line.user_agent == "Mozilla/5.0 (X11; Linux) Gecko/2025 Firefox/140.0"
    assert "hash" not in orjson.dumps(line.details).decode()
