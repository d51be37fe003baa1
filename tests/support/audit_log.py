"""A short audit log of every kind of entry, and the superuser who changes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from uuid import UUID, uuid4

import psycopg
from tests.support.database import Server

from aihub.kernel import audit
from aihub.kernel.audit import queries
from aihub.kernel.audit.chain import START, Entry, entry_hash, head_hash
from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, system
from aihub.kernel.telemetry import context

ADA = Actor(user_id=uuid4(), email="ada@example.org", session_id=uuid4())
BOB = Actor(user_id=uuid4(), email="bob@example.org", key_id=uuid4())


async def record(database: Database, number: int = 1, **details: object) -> None:
    for _ in range(number):
        async with database.work(system("test")) as work:
            await audit.record(
                work, actor=ADA, action="key.create", target_kind="key", target_id="k1", details=details
            )


async def every_kind(database: Database) -> None:
    """Six entries: two of version 1, one with everything, one by the hub, one by a key, one bare."""
    await old_entries(database, 2)
    context.request_id.set("req-12345678")
    context.client_ip.set("192.0.2.7")
    context.user_agent.set("Mozilla/5.0 (X11; Linux) Gecko/2025 Firefox/140.0")
    async with database.work(system("test")) as work:
        await audit.record(
            work,
            actor=ADA,
            action="user.update",
            target_kind="user",
            target_id=str(BOB.user_id),
            details={"email": BOB.email},
            before={"name": "Bob", "password_hash": "a"},
            after={"name": "Bób", "password_hash": "b"},
        )
    context.request_id.set(None)
    context.client_ip.set(None)
    context.user_agent.set(None)
    async with database.work(system("test")) as work:
        await audit.record(work, actor=None, action="hub.start", target_kind="hub", target_id="1")
        await audit.record(work, actor=BOB, action="key.use", target_kind="key", target_id="k")
        await audit.record(work, actor=ADA, action="a", target_kind="b", target_id="", details={})


async def old_entries(database: Database, number: int) -> None:
    """Entries as the first version of the chain wrote them."""
    async with database.work(system("test")) as work:
        head = await queries.head(work, lock=True)
        seq, last, rows = head.seq, head.last or START, []
        key = work.audit_key or b""
        for _ in range(number):
            seq += 1
            entry = replace(_OLD, seq=seq, id=uuid4(), previous=last)
            last = entry_hash(key, entry) or b""
            rows.append(queries.Stored(entry, last))
        await queries.append(work, rows, seq, head_hash(key, seq, last))


_OLD = Entry(
    seq=0,
    chain=1,
    id=UUID(int=0),
    at=1_760_000_000_123_456,
    actor_id=ADA.user_id,
    action="key.create",
    target_kind="key",
    target_id="k1",
    subject_id=None,
    session_id=None,
    key_id=None,
    request_id="req-12345678",
    actor=ADA.email,
    ip="192.0.2.7",
    user_agent=None,
    who_salt=None,
    who=None,
    details='{"name":"laptop"}',
    changes=None,
    what_salt=None,
    what=None,
    previous=START,
)


async def verdict(database: Database) -> audit.Verdict:
    """What reading the log alone finds."""
    async with database.work(system("test")) as work:
        return await audit.verify(work)


async def written_anew(database: Database, postgres: Server, seq: int, **changes: object) -> None:
    """Change an entry and everything after it so that the chain holds: for whoever has its key."""
    async with database.work(system("test")) as work:
        rows = list(await queries.after(work, seq - 1, 1_000))
        key = work.audit_key or b""
    previous = rows[0].entry.previous
    with superuser(postgres) as connection:
        for row in rows:
            entry = replace(row.entry, previous=previous, **(changes if row.entry.seq == seq else {}))  # type: ignore[arg-type]
            hashed = entry_hash(key, entry) or b""
            values = {**asdict(entry), "hash": hashed}
            connection.execute(
                "update audit_log set action = %(action)s, previous = %(previous)s, hash = %(hash)s "
                "where seq = %(seq)s",
                values,
            )
            previous = hashed
        connection.execute("update audit_head set hash = %s", (head_hash(key, rows[-1].entry.seq, previous),))


@contextmanager
def superuser(postgres: Server) -> Iterator[psycopg.Connection]:
    """A connection that no trigger and no privilege stops."""
    with psycopg.connect(postgres.admin, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection
