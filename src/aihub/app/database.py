"""How a process of this installation reaches its database, and who restarts the embedded one."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from aihub.kernel.config import KernelSettings
from aihub.kernel.db.database import with_tls
from aihub.kernel.postgres import EmbeddedPostgres, PostgresError, inspect_server, require_supported
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.database")

MIGRATIONS = Path(__file__).parent / "migrations"
Say = Callable[[str], None]

_LOOK = 1.0
"""Seconds between two looks at the embedded server; a look costs less than a millisecond."""
_LONGEST_PAUSE = 30.0
_CONNECTIONS = 120
_BESIDE_THE_POOL = 6
"""Connections of a process for notifications and jobs."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """How processes reach the database: as its owner for migrations, as the bound role for work."""

    owner: str
    app: str


@contextlib.asynccontextmanager
async def reach_database(kernel: KernelSettings, say: Say) -> AsyncIterator[Addresses]:
    """The external database when configured, else the embedded one: started, joined, and started again
    whenever it dies for as long as the context lasts.

    Raises PostgresError. May be cancelled at any time; a start under way is called off then.
    """
    if kernel.database_url:
        dsn = with_tls(kernel.database_url, kernel)
        require_supported(await asyncio.to_thread(inspect_server, dsn))
        yield Addresses(dsn, dsn)
        return
    pools = kernel.workers * (kernel.db_pool_size + kernel.db_max_overflow + _BESIDE_THE_POOL)
    postgres = EmbeddedPostgres(kernel.home, max_connections=max(_CONNECTIONS, pools + 20))
    watching: asyncio.Task[None] | None = None
    try:
        await asyncio.to_thread(postgres.start, say)
        watching = asyncio.create_task(_keep_running(postgres), name="database-watch")
        yield Addresses(postgres.dsn("owner"), postgres.dsn("app"))
    finally:
        if watching is not None:
            watching.cancel()
        await asyncio.to_thread(postgres.stop)


async def _keep_running(postgres: EmbeddedPostgres) -> None:
    """Start the server again when it dies. Never ends by itself: what keeps it from starting (a full
    disk, say) may pass, and until then requests are answered with 503."""

    def note(step: str) -> None:
        log.warning("the database server is not running", step=step)

    pause = _LOOK
    while True:
        await asyncio.sleep(pause)
        began, before = time.monotonic(), postgres.pid
        try:
            await asyncio.to_thread(postgres.start, note)
        except PostgresError as exc:
            pause = min(pause * 2, _LONGEST_PAUSE)
            log.error(
                "the database server could not be started again",
                code=exc.code,
                detail=str(exc),
                remedy=exc.hint,
                retry_seconds=pause,
            )
        except Exception:  # the edge of this loop: a defect here must not leave the hub without a database
            pause = min(pause * 2, _LONGEST_PAUSE)
            log.exception("looking after the database server failed", retry_seconds=pause)
        else:
            pause = _LOOK
            if postgres.pid != before:
                seconds = round(time.monotonic() - began, 2)
                log.warning("the database server was started again", pid=postgres.pid, seconds=seconds)
