"""Security events: counted, told apart up to a bound, and never more rows than that, however many come."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.support.waiting import until

from aihub.kernel import audit, security_events
from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.kernel.security_events import SecurityLog, queries
from aihub.kernel.security_events.service import EVENTS
from aihub.kernel.security_events.tally import MOST_SUBJECTS, OTHERS, Tally
from aihub.kernel.telemetry import context

NOON = datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


async def stored(runtime: Runtime) -> Sequence[queries.Event]:
    await runtime.get(SecurityLog).write()
    async with runtime.database.work(system("test")) as work:
        return await queries.page(work, before=None, limit=500)


def counted(kind: str, severity: str) -> float:
    value: float = EVENTS.labels(kind, severity)._value.get()
    return value


async def test_many_events_of_one_kind_and_subject_are_one_row(runtime: Runtime) -> None:
    before = counted("sign_in.failed", "warning")
    for number in range(500):
        security_events.event(
            runtime.database,
            "sign_in.failed",
            "warning",
            "address:192.0.2.7",
            {"try": number, "password": "x"},
        )
        if number % 100 == 0:
            await runtime.get(SecurityLog).write()
    events = await stored(runtime)
    assert sum(event.count for event in events) == 500
    assert len(events) <= 2  # two when a minute began in between
    assert events[0].facts["try"] == 499
    assert events[0].facts["password"] == "[masked]"
    assert counted("sign_in.failed", "warning") - before == 500


async def test_an_attack_from_everywhere_stays_small(runtime: Runtime) -> None:
    for number in range(5_000):
        security_events.event(
            runtime.database, "sign_in.failed", "warning", f"address:10.{number % 250}.{number // 250}.1"
        )
    security_events.event(runtime.database, "csrf.refused", "warning", "address:192.0.2.7")
    events = await stored(runtime)
    minutes = {event.minute for event in events}
    assert len(events) <= (MOST_SUBJECTS + 2) * len(minutes)
    assert sum(event.count for event in events if event.kind == "sign_in.failed") == 5_000
    assert next(event for event in events if event.subject == OTHERS).count >= 4_000
    assert any(event.kind == "csrf.refused" for event in events)


async def test_what_is_rolled_back_did_not_happen(runtime: Runtime) -> None:
    async def deed(fails: bool) -> None:
        async with runtime.database.work(system("test")) as work:
            security_events.event(work, "key.created", "info", "user:a")
            if fails:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await deed(True)
    assert await stored(runtime) == []
    await deed(False)
    assert [event.kind for event in await stored(runtime)] == ["key.created"]


async def test_events_are_written_by_themselves(runtime: Runtime) -> None:
    security_events.event(runtime.database, "origin.refused", "warning", "address:192.0.2.7")

    async def there() -> bool:
        async with runtime.database.work(system("test")) as work:
            return bool(await work.session.scalar(text("select count(*) from security_events")))

    await until(there)


async def test_processes_at_once_add_up(runtime: Runtime) -> None:
    async def process(number: int) -> None:
        for _ in range(10):
            tally = Tally()
            for kind in ("a.b", "c.d") if number % 2 else ("c.d", "a.b"):
                tally.add(kind, "info", "x", None, {}, NOON)
            async with runtime.database.work(system("test")) as work:
                await queries.add(work, tally.take(NOON))

    await asyncio.gather(*(process(number) for number in range(4)))
    counts = Counter({event.kind: event.count for event in await stored(runtime)})
    assert counts == {"a.b": 40, "c.d": 40}


def test_what_could_not_be_written_is_kept() -> None:
    tally = Tally()
    tally.add("a.b", "info", "x", None, {}, NOON)
    taken = tally.take(NOON)
    tally.add("a.b", "info", "x", None, {"new": True}, NOON + timedelta(seconds=5))
    tally.put_back(taken)
    (only,) = tally.take(NOON)
    assert (only.count, only.first_at, only.facts) == (2, NOON, {"new": True})
    assert tally.take(NOON) == []


async def test_old_events_go_and_there_are_never_more_than_a_bound(runtime: Runtime) -> None:
    tally = Tally()
    for number in range(30):
        tally.add("a.b", "info", "x", None, {}, datetime.now(UTC) - timedelta(minutes=number))
    tally.add("a.b", "info", "old", None, {}, datetime.now(UTC) - timedelta(days=91))
    async with runtime.database.work(system("test")) as work:
        await queries.add(work, tally.take(NOON))
        await queries.forget_old(work, 90, 1_000)
    assert {event.subject for event in await stored(runtime)} == {"x"}
    async with runtime.database.work(system("test")) as work:
        await queries.forget_old(work, 90, 10)
    assert len(await stored(runtime)) == 10


async def test_a_person_is_forgotten(runtime: Runtime) -> None:
    person = uuid4()
    security_events.event(runtime.database, "device.new", "info", f"user:{person}", person=person)
    security_events.event(runtime.database, "device.new", "info", "user:other")
    assert len(await stored(runtime)) == 2
    async with runtime.database.work(system("test")) as work:
        await security_events.forget(work, person)
    assert [event.subject for event in await stored(runtime)] == ["user:other"]


@pytest.mark.parametrize(
    ("ip", "subject"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        (None, "address:unknown"),
        ("testclient", "address:testclient"),
    ],
)
def test_an_address_is_a_neighbourhood(ip: str | None, subject: str) -> None:
    token = context.client_ip.set(ip)
    try:
        assert security_events.caller() == subject
    finally:
        context.client_ip.reset(token)


async def test_names_come_from_code_and_severities_are_three(runtime: Runtime) -> None:
    for kind, severity in (("Sign in", "info"), ("x", "info"), ("a.b", "fatal")):
        with pytest.raises(ValueError, match=r"name|none of"):
            security_events.event(runtime.database, kind, severity, "x")


async def test_huge_facts_are_not_kept(runtime: Runtime) -> None:
    security_events.event(runtime.database, "a.b", "info", "x" * 9_000, {"long": ["y" * 1_500] * 9})
    (event,) = await stored(runtime)
    assert event.facts == {"too_long": True}
    assert len(event.subject) < 250


async def test_a_deed_that_a_module_calls_notable_is_an_event(runtime: Runtime) -> None:
    actor, person = Actor(user_id=uuid4(), email="ada@example.org"), uuid4()
    told: list[audit.Deed] = []
    runtime.database.process[audit.LISTENERS] = (lambda _work, deed: told.append(deed),)
    async with runtime.database.work(system("test")) as work:
        await audit.record(
            work,
            actor=actor,
            action="user.update",
            target_kind="user",
            target_id=str(person),
            details={"roles": {"before": ["user"], "after": ["admin"]}, "email": "b@example.org"},
        )
    (deed,) = told
    assert (deed.action, deed.changes, deed.subject_id) == ("user.update", frozenset({"roles"}), person)
    async with runtime.database.work(system("test")) as work:
        (line,) = (await audit.page(work, cursor=None, limit=9)).items
    assert line.changes == {"roles": [["user"], ["admin"]]}
    assert line.details == {"email": "b@example.org"}
