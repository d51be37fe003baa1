"""Who serves this hub: one process alone, or any number that share Redis. Without it each would count
limits alone.

A session lock in the database says so: for one process, or shared by those with Redis. It goes when the
process or its machine dies.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg

from aihub.kernel.db.database import reachable
from aihub.kernel.errors import AihubError
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.alone")

_LOCK = 7_302_640_119  # any constant that is ours alone
_PATIENCE = 5.0
"""Seconds in which the server notices that the one before us was killed."""
_LOOK, _RETRY = 2.0, 0.5
_OPTIONS = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"


class NeedsRedis(AihubError):
    code = "serve.needs_redis"
    title = "More than one process needs Redis"
    remedy = "Set REDIS_URL, so that limits hold across processes, or set WORKERS=1."


@contextlib.asynccontextmanager
async def alone_or_with_redis(dsn: str, *, redis: bool) -> AsyncIterator[None]:
    """Within, nobody else serves this database, or with `redis` only others that have it too.

    Raises NeedsRedis and DatabaseUnavailable.
    """
    async with reachable():
        connection = await _connect(dsn)
    watching: asyncio.Task[None] | None = None
    try:
        async with reachable():
            await _lock(connection, redis)
        watching = asyncio.create_task(_keep_lock(dsn, connection, redis), name="alone")
        yield
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await connection.close()


async def _connect(dsn: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, connect_timeout=10, application_name="aihub alone", options=_OPTIONS
    )


async def _lock(connection: psycopg.AsyncConnection, redis: bool) -> None:
    statement = f"select pg_try_advisory_lock{'_shared' if redis else ''}(%s)"
    clock = asyncio.get_running_loop().time
    deadline = clock() + _PATIENCE
    while True:
        cursor = await connection.execute(statement, (_LOCK,))
        if await cursor.fetchone() == (True,):
            return
        if clock() > deadline:
            raise NeedsRedis(
                f"Another process serves this hub already{', without Redis' if redis else ''}.",
                remedy="Stop it first, or set REDIS_URL for both, so that limits hold across processes.",
            )
        await asyncio.sleep(0.1)


async def _keep_lock(dsn: str, connection: psycopg.AsyncConnection, redis: bool) -> None:
    """Take the lock again after the database has restarted."""
    held: psycopg.AsyncConnection | None = connection
    try:
        while True:
            await asyncio.sleep(_LOOK if held else _RETRY)
            try:
                if held is None:
                    held = await _connect(dsn)
                    await _lock(held, redis)
                await held.execute("select 1")
            except (NeedsRedis, psycopg.Error, OSError) as exc:
                if isinstance(exc, NeedsRedis):
                    log.error("another process serves this hub too", remedy=exc.hint)
                if held is not None:
                    await held.close()
                held = None
    finally:
        if held is not None:
            await held.close()
