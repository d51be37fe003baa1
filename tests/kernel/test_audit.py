"""The audit log: append-only, chained, free of secrets."""

import asyncio
from itertools import groupby
from uuid import uuid4

import orjson
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.database import Server

from aihub.kernel import audit
from aihub.kernel.audit.errors import AuditKeyMissing
from aihub.kernel.audit.masking import masked
from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, system
from aihub.kernel.errors import InvalidRequest
from aihub.kernel.runtime import Runtime
from aihub.kernel.telemetry import context

ADA = Actor(user_id=uuid4(), email="ada@example.org")


async def record(database: Database, number: int = 1, **details: object) -> None:
    for _ in range(number):
        async with database.work(system("test")) as work:
            await audit.record(
                work, actor=ADA, action="key.create", target_kind="key", target_id="k1", details=details
            )


async def verdict(database: Database) -> audit.Verdict:
    async with database.work(system("test")) as work:
        return await audit.verify(work)


async def test_entries_follow_one_another_and_the_log_is_whole(runtime: Runtime) -> None:
    assert await verdict(runtime.database) == audit.Verdict(True, 0, 0, ())
    await record(runtime.database, 5, name="laptop")
    assert await verdict(runtime.database) == audit.Verdict(True, 5, 5, ())


async def test_many_at_once_make_one_chain(runtime: Runtime) -> None:
    await asyncio.gather(*(record(runtime.database, 5) for _ in range(8)))
    assert await verdict(runtime.database) == audit.Verdict(True, 40, 40, ())


async def test_what_was_rolled_back_was_not_recorded(runtime: Runtime) -> None:
    async def deed() -> None:
        async with runtime.database.work(system("test")) as work:
            await audit.record(work, actor=ADA, action="a", target_kind="b", target_id="c")
            raise ZeroDivisionError

    await record(runtime.database)
    with pytest.raises(ZeroDivisionError):
        await deed()
    await record(runtime.database)
    assert await verdict(runtime.database) == audit.Verdict(True, 2, 2, ())


async def test_deeds_that_lock_in_another_order_do_not_block_each_other(runtime: Runtime) -> None:
    database, met = runtime.database, asyncio.Barrier(2)

    async def deed(audit_first: bool) -> None:
        async with database.work(system("test")) as work:
            for auditing in (audit_first, not audit_first):
                if auditing:
                    await audit.record(work, actor=ADA, action="a", target_kind="b", target_id="c")
                else:
                    await work.session.execute(text("update roles set title = title where name = 'shared'"))
                if auditing == audit_first:
                    await met.wait()

    async with database.work(system("test")) as work:
        await work.session.execute(
            text("insert into roles (id, name, title) values (gen_random_uuid(), 'shared', 's')")
        )
    await asyncio.gather(deed(True), deed(False))
    assert await verdict(database) == audit.Verdict(True, 2, 2, ())


async def test_the_entries_of_one_transaction_stand_together(runtime: Runtime) -> None:
    async def deed(action: str) -> None:
        async with runtime.database.work(system("test")) as work:
            for _ in range(3):
                await audit.record(work, actor=ADA, action=action, target_kind="b", target_id="c")
                await asyncio.sleep(0.001)

    await asyncio.gather(*(deed(f"deed.{number}") for number in range(5)))
    async with runtime.database.work(system("test")) as work:
        lines = (await audit.page(work, cursor=None, limit=100)).items
    actions = [line.action for line in lines]
    assert len(actions) == 15
    assert len(list(groupby(actions))) == 5


async def test_the_application_cannot_change_the_log(runtime: Runtime, postgres: Server) -> None:
    await record(runtime.database)
    for statement in (
        "update audit_log set action = 'nothing'",
        "delete from audit_log",
        "truncate audit_log",
        "insert into audit_head (seq, hash) values (7, '')",
        "delete from audit_head",
    ):

        async def attempt(statement: str = statement) -> None:
            async with runtime.database.work(system("test")) as work:
                await work.session.execute(text(statement))

        with pytest.raises(DBAPIError):
            await attempt()
    with psycopg.connect(postgres.owner) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("delete from audit_log")


def forge(postgres: Server, *statements: str) -> None:
    """Change the log as someone with the database's own superuser can."""
    with psycopg.connect(postgres.admin, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["update audit_log set action = 'harmless' where seq = 3"], ["entry 3 was changed"]),
        (["update audit_log set details = '{}' where seq = 1"], ["entry 1 was changed"]),
        (["update audit_log set actor_id = gen_random_uuid() where seq = 2"], ["entry 2 was changed"]),
        (["update audit_log set at = at + interval '1 s' where seq = 2"], ["entry 2 was changed"]),
        (["update audit_log set ip = '' where seq = 2"], ["entry 2 was changed"]),
        (["delete from audit_log where seq = 3"], ["entry 3 missing"]),
        (["delete from audit_log where seq in (1, 2)"], ["entry 1 to 2 missing"]),
        (
            [
                "update audit_log set seq = 100 where seq = 2",
                "update audit_log set seq = 2 where seq = 4",
                "update audit_log set seq = 4 where seq = 100",
            ],
            ["entry 2 was changed", "entry 4 was changed", "does not follow"],
        ),
        (["delete from audit_log where seq > 4"], ["entries 5 to 6 are missing at the end"]),
        (
            [
                "delete from audit_log where seq > 4",
                "update audit_head set seq = 4, hash = (select hash from audit_log where seq = 4)",
            ],
            ["seal"],
        ),
        (
            ["delete from audit_log", "update audit_head set seq = 0"],
            ["seal"],
        ),
        (
            [
                """insert into audit_log
                select 7, gen_random_uuid(), at, actor_id, actor, action, target_kind, target_id,
                  request_id, ip, details, hash, hash from audit_log where seq = 6"""
            ],
            ["entry 7 was changed", "longer"],
        ),
    ],
)
async def test_every_kind_of_tampering_is_found(
    runtime: Runtime, postgres: Server, statements: list[str], words: list[str]
) -> None:
    await record(runtime.database, 6, name="laptop")
    forge(postgres, *statements)
    found = await verdict(runtime.database)
    assert not found.ok
    for word in words:
        assert any(word in problem for problem in found.problems), found.problems


async def test_a_long_log_is_read_in_parts(runtime: Runtime) -> None:
    async with runtime.database.work(system("test")) as work:
        for number in range(2_300):
            await audit.record(work, actor=None, action="a", target_kind="b", target_id=str(number))
    assert await verdict(runtime.database) == audit.Verdict(True, 2_300, 2_300, ())


async def test_verifying_while_others_record_finds_nothing_wrong(runtime: Runtime) -> None:
    await record(runtime.database, 50)
    recording = asyncio.create_task(record(runtime.database, 80))
    found = []
    while not recording.done():
        found.append(await verdict(runtime.database))
    await recording
    assert len(found) > 1
    assert [v.problems for v in found if not v.ok] == []


async def test_entries_carry_the_request_and_no_secrets(runtime: Runtime) -> None:
    context.request_id.set("req-12345678")
    context.client_ip.set("192.0.2.7")
    await record(runtime.database, password="hunter2", api_key="sk-123", name="laptop", nested={"token": "t"})
    async with runtime.database.work(system("test")) as work:
        row = (await work.session.execute(text("select * from audit_log"))).one()
    assert (row.request_id, row.ip, row.actor_id, row.actor) == (
        "req-12345678",
        "192.0.2.7",
        ADA.user_id,
        "ada@example.org",
    )
    assert "hunter2" not in row.details
    assert "sk-123" not in row.details
    assert orjson.loads(row.details)["name"] == "laptop"


def test_masking_goes_by_names_and_by_looks() -> None:
    shown = masked(
        {
            "Password": "a",
            "new_password": "b",
            "client_secret": "c",
            "Authorization": "d",
            "session_token": "e",
            "apiKey": "f",
            "private_key": "g",
            "input_tokens": 12,
            "key_name": "laptop",
            "empty_password": None,
            "text": "used ahk_abcdefghijkl today",
            "raw": b"bytes",
            "list": [{"passphrase": "h"}, "Bearer abcdefghijklmnop"],
            "nul": "a\x00b",
            "long": "x" * 10_000,
        }
    )
    text_form = orjson.dumps(shown).decode()
    for secret in ('"a"', '"b"', '"c"', '"d"', '"e"', '"f"', '"g"', '"h"', "abcdefghijkl", "bytes"):
        assert secret not in text_form
    assert shown["input_tokens"] == 12
    assert shown["key_name"] == "laptop"
    assert shown["empty_password"] is None
    assert len(shown["long"]) == 2_001
    assert "\x00" not in shown["nul"]


async def test_the_list_is_paged_and_filtered(runtime: Runtime) -> None:
    await record(runtime.database, 3, name="laptop")
    async with runtime.database.work(system("test")) as work:
        await audit.record(work, actor=None, action="user.create", target_kind="user", target_id="u1")
    async with runtime.database.work(system("test")) as work:
        first = await audit.page(work, cursor=None, limit=3)
        rest = await audit.page(work, cursor=first.next_cursor, limit=3)
        assert [line.seq for line in (*first.items, *rest.items)] == [4, 3, 2, 1]
        assert rest.next_cursor is None
        assert first.items[0].actor == "system"
        assert first.items[1].details == {"name": "laptop"}
        by_action = await audit.page(work, cursor=None, limit=9, action="user.create")
        assert [line.seq for line in by_action.items] == [4]
        assert len((await audit.page(work, cursor=None, limit=9, action="key.*")).items) == 3
        assert len((await audit.page(work, cursor=None, limit=9, actor="ADA@")).items) == 3
        assert len((await audit.page(work, cursor=None, limit=9, actor=str(ADA.user_id))).items) == 3
        with pytest.raises(InvalidRequest):
            await audit.page(work, cursor="x'", limit=3)


async def test_without_the_hubs_keys_nothing_is_recorded(database: Database) -> None:
    with pytest.raises(AuditKeyMissing):
        await record(database)


async def test_odd_texts_do_not_break_a_deed(runtime: Runtime) -> None:
    def odd(tail: str) -> str:
        return "a\x00\ud800" + tail

    details = {odd("k"): odd("v"), "big": 10**40, "when": uuid4(), "set": {2, 1}}
    async with runtime.database.work(system("test")) as work:
        await audit.record(
            work, actor=ADA, action="a", target_kind="b", target_id=odd("x" * 9_000), details=details
        )
    assert (await verdict(runtime.database)).ok
