"""No request holds a connection or a lock for long; jobs, commands and migrations take their time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.support.database import Server
from tests.support.runtime import settings_for
from tests.support.waiting import until

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database, database, system
from aihub.kernel.db.database import (
    DatabaseConflict,
    DatabaseTooSlow,
    DatabaseUnavailable,
    unhurried,
)
from aihub.kernel.db.direct import conninfo
from aihub.kernel.jobs import Job, JobContext, defer
from aihub.kernel.jobs.runner import JobRunner
from aihub.kernel.runtime import Runtime

NAMES = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
TEST = system("test")

Connected = Callable[..., AbstractAsyncContextManager[Database]]


@pytest.fixture
def connected(postgres: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> Connected:
    """A database with short patience; the values that are not given are the product's."""

    @asynccontextmanager
    async def open_(
        *, lock: float = 10, idle: float = 60, statement: float = 30, patient: bool = False
    ) -> AsyncIterator[Database]:
        monkeypatch.setattr(database, "LOCK_SECONDS", lock)
        monkeypatch.setattr(database, "IDLE_SECONDS", idle)
        settings = settings_for(home, DB_STATEMENT_TIMEOUT=str(statement))[KernelSettings]
        made = database.connect(postgres.app, settings, pool_size=3, patient=patient)
        try:
            yield made
        finally:
            await made.close()

    return open_


async def limits(made: Database) -> list[str]:
    async with made.work(TEST) as work:
        return [str(await work.session.scalar(text(f"show {name}"))) for name in NAMES]


async def test_every_connection_of_the_application_has_limits(connected: Connected) -> None:
    async with connected() as made:
        assert await limits(made) == ["30s", "10s", "1min"]
        async with made.engine.connect() as connection:  # also outside a unit of work
            assert await connection.scalar(text("show statement_timeout")) == "30s"
        with unhurried():
            assert await limits(made) == ["0", "0", "1min"]
        assert await limits(made) == ["30s", "10s", "1min"]
    async with connected(statement=0) as made:
        assert await limits(made) == ["0", "10s", "1min"]


async def test_a_statement_that_takes_too_long_is_a_503_and_the_connection_lives_on(
    connected: Connected,
) -> None:
    async with connected(statement=0.2) as made:
        began = time.monotonic()
        with pytest.raises(DatabaseTooSlow) as refused:
            async with made.work(TEST) as work:
                await work.session.execute(text("select pg_sleep(20)"))
        assert time.monotonic() - began < 10
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"]
        assert (await limits(made))[0] == "200ms"


async def test_who_waits_too_long_for_a_lock_is_told_to_try_again(connected: Connected) -> None:
    async with connected(lock=0.2) as made, made.work(TEST) as holder:
        await holder.session.execute(text("select pg_advisory_xact_lock(1)"))
        with pytest.raises(DatabaseConflict):
            async with made.work(TEST) as work:
                await work.session.execute(text("select pg_advisory_xact_lock(1)"))


async def test_a_transaction_left_open_loses_its_locks(connected: Connected) -> None:
    async with connected(idle=0.3) as made:

        async def forget() -> None:
            async with made.work(TEST) as forgotten:
                await forgotten.session.execute(text("select pg_advisory_xact_lock(1)"))
                async with made.work(TEST) as work:  # gets the lock although the other never lets go
                    await work.session.execute(text("select pg_advisory_xact_lock(1)"))
                await forgotten.session.execute(text("select 1"))

        with pytest.raises(DatabaseUnavailable):
            await forget()
        assert (await limits(made))[2] == "300ms"


async def test_jobs_take_the_time_they_need(connected: Connected, home: Path) -> None:
    done: list[bool] = []

    async def slow(context: JobContext) -> None:
        async with context.runtime.database.work(TEST) as work:
            await work.session.execute(text("select pg_sleep(2.5)"))
        done.append(True)

    # Long enough for the small statements here on a busy machine, and shorter than the long one.
    async with connected(statement=2) as made:
        runtime = Runtime(settings_for(home), made, (KERNEL,))
        await runtime.start()
        runner = JobRunner(runtime, [job := Job("test.slow", slow)])
        task = asyncio.create_task(runner.run())
        try:
            async with made.work(TEST) as work:
                await defer(work, job)
            await until(lambda: done)
            with pytest.raises(DatabaseTooSlow):
                async with made.work(TEST) as work:
                    await work.session.execute(text("select pg_sleep(60)"))
        finally:
            await runner.close()
            await asyncio.wait_for(task, 60)
            await runtime.close()


async def test_commands_listeners_and_the_owner_have_none(connected: Connected, postgres: Server) -> None:
    async with connected(patient=True) as made:
        assert (await limits(made))[:2] == ["0", "0"]
    async with connected() as made:
        for dsn in (conninfo(made, "worker"), postgres.owner):
            with psycopg.connect(dsn) as connection:
                shown = [connection.execute(f"show {name}").fetchone() for name in NAMES[:2]]
                assert shown == [("0",)] * 2
