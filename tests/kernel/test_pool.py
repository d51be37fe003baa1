"""Every DB_POOL_ option has an effect, with the documented defaults; look-ups go through their indexes."""

import time
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.pool import base as pools
from tests.support.database import Server

from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database, system
from aihub.kernel.db.database import DatabaseBusy, DatabaseUnavailable, connect
from aihub.kernel.settings import load


def settings(tmp_path: Path, **env: str) -> KernelSettings:
    return load((KernelSettings,), environ={"AIHUB_HOME": str(tmp_path), **env})[KernelSettings]


def test_the_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    kernel = settings(tmp_path)
    assert (kernel.db_pool_size, kernel.db_max_overflow) == (20, 30)
    assert (kernel.db_pool_timeout, kernel.db_pool_recycle, kernel.db_pool_pre_ping) == (30, 3600, True)


async def backend(database: Database) -> int:
    async with database.work(system("which connection")) as work:
        return int(await work.session.scalar(text("select pg_backend_pid()")) or 0)


async def test_size_overflow_and_timeout_bound_a_process(tmp_path: Path, dsn: str) -> None:
    kernel = settings(tmp_path, DB_POOL_SIZE="1", DB_MAX_OVERFLOW="1", DB_POOL_TIMEOUT="0.3")
    database = connect(dsn, kernel)
    try:
        assert (database.pool_state().size, database.pool_state().limit) == (1, 2)
        async with database.work(system("one")), database.work(system("two")):
            started = time.monotonic()
            with pytest.raises(DatabaseBusy):
                await backend(database)
            assert 0.25 < time.monotonic() - started < 15
        assert await backend(database)
        assert database.pool_state().open == 1
    finally:
        await database.close()


async def test_a_connection_is_replaced_when_it_is_old(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(dsn, settings(tmp_path, DB_POOL_RECYCLE="600", DB_POOL_SIZE="1"))
    try:
        first = await backend(database)
        assert await backend(database) == first
        monkeypatch.setattr(pools, "time", SimpleNamespace(time=lambda: time.time() + 601))
        assert await backend(database) != first
    finally:
        await database.close()


async def _use_after_the_server_cut_it(dsn: str, kernel: KernelSettings, admin: str) -> bool:
    database = connect(dsn, kernel)
    try:
        pid = await backend(database)
        async with await psycopg.AsyncConnection.connect(admin, autocommit=True) as other:
            await other.execute("select pg_terminate_backend(%s, 5000)", (pid,))
        try:
            await backend(database)
        except DatabaseUnavailable:
            return False
        return True
    finally:
        await database.close()


async def test_pre_ping_hides_a_connection_that_was_cut(tmp_path: Path, postgres: Server) -> None:
    on = settings(tmp_path, DB_POOL_PRE_PING="true", DB_POOL_SIZE="1")
    off = settings(tmp_path, DB_POOL_PRE_PING="false", DB_POOL_SIZE="1")
    assert await _use_after_the_server_cut_it(postgres.app, on, postgres.admin)
    assert not await _use_after_the_server_cut_it(postgres.app, off, postgres.admin)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("select * from users where lower(email) = 'a@b.co'", "idx_users_email"),
        ("select * from users where phone_number = '+15550100'", "idx_users_phone"),
        (
            (
                "select * from conversations where owner_id = '01920000-0000-7000-8000-000000000000' "
                "and deleted_at is null order by updated_at desc"
            ),
            "idx_conversations_user_id",
        ),
        (
            "select * from messages where conversation_id = '01920000-0000-7000-8000-000000000000'",
            "idx_messages_conversation_id",
        ),
        ("select * from messages where created_at > now() - interval '1 hour'", "idx_messages_timestamp"),
    ],
)
async def test_look_ups_have_their_index(database: Database, statement: str, index: str) -> None:
    async with database.work(system("plans")) as work:
        # An empty table is read whole; what matters is that the index can serve the statement.
        await work.session.execute(text("set local enable_seqscan = off"))
        plan = (await work.session.scalars(text(f"explain {statement}"))).all()
    assert any(index in line for line in plan), plan
