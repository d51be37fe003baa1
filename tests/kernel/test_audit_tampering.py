"""Any byte changed in any row of the audit log is found, and so is any row that goes, comes or moves."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from tests.support.audit_log import every_kind, old_entries, record, superuser, verdict
from tests.support.database import Server
from tests.support.waiting import quickest

from aihub.kernel import audit
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime

ROWS = 6


def flipped(value: object) -> Iterator[object]:
    """The value with each of its stored bytes changed, one at a time; another value for NULL."""
    if value is None:
        yield from ()
    elif isinstance(value, str):
        raw = value.encode()
        for at in range(len(raw)):
            changed = bytes((*raw[:at], raw[at] ^ 1, *raw[at + 1 :]))
            yield changed.decode(errors="replace")
        yield value + "x"
    elif isinstance(value, bytes):
        for at in range(len(value)):
            yield bytes((*value[:at], value[at] ^ 1, *value[at + 1 :]))
        yield value + b"\0"
    elif isinstance(value, UUID):
        yield from (UUID(bytes=raw) for raw in flipped(value.bytes) if len(raw) == 16)  # type: ignore[arg-type]
    elif isinstance(value, datetime):
        micros = (value - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for at in range(8):
            yield f"timestamptz '2000-01-01 00:00+00' + {micros ^ (1 << 8 * at)} * interval '1 microsecond'"
        yield "timestamptz 'infinity'"
    elif isinstance(value, int):
        yield from (value ^ (1 << 8 * at) for at in range(8))
    else:
        raise AssertionError(type(value))


INSTEAD_OF_NULL: dict[str, object] = {
    "uuid": UUID(int=7), "text": "", "bytea": b"", "bigint": 1, "smallint": 1,
}  # fmt: skip


async def test_any_single_byte_changed_in_any_row_is_found(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    assert (await verdict(runtime.database)) == audit.Verdict(True, ROWS, ROWS, ())
    tried = refused = 0
    missed: list[str] = []
    # One unit of work for all the looks: it sees what the superuser does beside it.
    async with runtime.database.work(system("test")) as work:
        with superuser(postgres) as connection:
            columns = connection.execute(
                "select column_name, data_type from information_schema.columns where table_name = 'audit_log'"
            ).fetchall()
            assert len(columns) == 23
            rows = connection.execute(
                "select seq from audit_log where seq in (1, 3, 4, 6) order by seq"
            ).fetchall()
            for (seq,) in rows:
                for column, kind in columns:
                    name = sql.Identifier(column)
                    where = sql.SQL("where id = (select id from audit_log where seq = {})").format(seq)
                    (identity, value) = connection.execute(
                        sql.SQL("select id, {} from audit_log {}").format(name, where)
                    ).fetchone() or (None, None)
                    others = list(flipped(value)) if value is not None else [INSTEAD_OF_NULL[kind]]
                    if value is not None and column not in ("seq", "id", "at"):
                        others.append(None)
                    for other in others:
                        as_sql = isinstance(value, datetime) and isinstance(other, str)
                        shown = sql.SQL(other) if as_sql else sql.Literal(other)  # type: ignore[arg-type]
                        set_to = sql.SQL("update audit_log set {} = {} where id = {}")
                        now_at = other if column == "id" else identity
                        try:
                            connection.execute(set_to.format(name, shown, identity))
                        except psycopg.Error:
                            refused += 1  # the database itself does not store it
                            continue
                        tried += 1
                        if (await audit.verify(work)).ok:
                            missed.append(f"{seq} {column}: {value!r} -> {other!r}")
                        connection.execute(set_to.format(name, sql.Literal(value), now_at))
                assert (await audit.verify(work)).ok
            assert missed == []
    assert (await verdict(runtime.database)).ok
    assert tried > 1_000
    assert refused < 60
    print(f"{tried} changes found, {refused} refused by the database")


async def test_any_byte_of_the_seal_is_bound(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)
    with superuser(postgres) as connection:
        seq, seal = connection.execute("select seq, hash from audit_head").fetchone() or (0, b"")
        for column, value in (("seq", seq), ("hash", seal)):
            for other in flipped(value):
                set_to = sql.SQL("update audit_head set {} = {}").format(
                    sql.Identifier(column), sql.Literal(other)
                )
                connection.execute(set_to)
                assert not (await verdict(runtime.database)).ok, (column, other)
            connection.execute("update audit_head set seq = %s, hash = %s", (seq, seal))
    assert (await verdict(runtime.database)).ok


def without(*seqs: int) -> Callable[[psycopg.Connection], object]:
    return lambda connection: connection.execute("delete from audit_log where seq = any(%s)", (list(seqs),))


def swapped(connection: psycopg.Connection) -> None:
    connection.execute("update audit_log set seq = case seq when 3 then -4 else -3 end where seq in (3, 4)")
    connection.execute("update audit_log set seq = -seq where seq < 0")


def doubled(connection: psycopg.Connection) -> None:
    """The newest entry once more, as the next one, with the head moved along."""
    connection.execute("create temp table copy as select * from audit_log where seq = 6")
    connection.execute("update copy set seq = 7, id = gen_random_uuid()")
    connection.execute("insert into audit_log select * from copy")
    connection.execute("update audit_head set seq = 7")


def inserted(connection: psycopg.Connection) -> None:
    """An entry between two others, with room made for it."""
    connection.execute("update audit_log set seq = seq + 100 where seq > 3")
    connection.execute("create temp table copy as select * from audit_log where seq = 3")
    connection.execute("update copy set seq = 4, id = gen_random_uuid(), action = 'user.praise'")
    connection.execute("insert into audit_log select * from copy")
    connection.execute("update audit_log set seq = seq - 99 where seq > 100")
    connection.execute("update audit_head set seq = 7")


def shortened(connection: psycopg.Connection) -> None:
    connection.execute("delete from audit_log where seq > 4")
    connection.execute("update audit_head set seq = 4, hash = (select hash from audit_log where seq = 4)")


@pytest.mark.parametrize(
    "tamper",
    [
        without(1), without(3), without(6), without(1, 2, 3), without(1, 2, 3, 4, 5, 6),
        swapped, doubled, inserted, shortened,
    ],
    ids=["first", "middle", "last", "oldest three", "all", "swapped", "doubled", "inserted", "shortened"],
)  # fmt: skip
async def test_any_row_that_goes_comes_or_moves_is_found(
    runtime: Runtime, postgres: Server, tamper: Callable[[psycopg.Connection], object]
) -> None:
    await every_kind(runtime.database)
    with superuser(postgres) as connection:
        tamper(connection)
    found = await verdict(runtime.database)
    assert not found.ok
    assert found.problems


async def test_old_entries_verify_beside_new_ones(runtime: Runtime) -> None:
    await old_entries(runtime.database, 3)
    await record(runtime.database, 2)
    await old_entries(runtime.database, 1)
    assert await verdict(runtime.database) == audit.Verdict(True, 6, 6, ())


async def test_a_check_of_a_long_log_is_fast(runtime: Runtime) -> None:
    number = 5_000
    async with runtime.database.work(system("test")) as work:
        for one in range(number):
            await audit.record(
                work,
                actor=None,
                action="a",
                target_kind="b",
                target_id=str(one),
                before={"n": one},
                after={"n": -one},
            )
    steps: list[tuple[int, int]] = []

    async def progress(up_to: int, head: int) -> None:
        steps.append((up_to, head))

    async def check() -> float:
        steps.clear()
        async with runtime.database.work(system("test")) as work:
            began = time.perf_counter()
            found = await audit.verify(work, progress=progress)
            seconds = time.perf_counter() - began
        assert found == audit.Verdict(True, number, number, ())
        assert steps == [(2_000, number), (4_000, number), (number, number)]
        return seconds

    enough = number / 1_000  # far less on a machine that is not busy with other tests
    seconds = await quickest(check, enough)
    print(f"{number / seconds:,.0f} entries a second")
    assert seconds < enough


async def test_the_application_has_no_way_around_the_privileges(runtime: Runtime, postgres: Server) -> None:
    await every_kind(runtime.database)

    async def attempt(*statements: str) -> None:
        async with runtime.database.work(system("test")) as work:
            for statement in statements:
                await work.session.execute(text(statement))

    for statements in (
        ("select set_config('aihub.audit_pass', 'prune', true)", "delete from audit_log"),
        ("select set_config('aihub.audit_pass', 'erase', true)", "update audit_log set actor = null"),
        ("select audit_prune(3)",),
        ("update audit_checkpoints set seq = 1",),
        ("delete from audit_checkpoints",),
        ("alter table audit_log disable trigger all",),
    ):
        with pytest.raises(Exception, match=r"(?i)permission|privilege|may not|must be owner"):
            await attempt(*statements)
    with psycopg.connect(postgres.owner) as connection:
        connection.execute("set aihub.audit_pass = 'erase'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update audit_log set action = 'nothing' where seq = 3")
    assert (await verdict(runtime.database)).ok
