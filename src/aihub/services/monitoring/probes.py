"""The probes that decide whether this process can serve."""

from sqlalchemy import text

from aihub.kernel.db import system
from aihub.kernel.health import Probe, Reading, State
from aihub.kernel.redis import RedisLink
from aihub.kernel.runtime import Runtime


async def database(runtime: Runtime) -> Reading:
    """A round trip, and how full the pool is."""
    await runtime.database.ping()
    pool = runtime.database.pool_state()
    return Reading(
        State.OK,
        facts={"in_use": pool.in_use, "open": pool.open, "size": pool.size, "limit": pool.limit},
    )


async def migrations(runtime: Runtime) -> Reading:
    """Whether the schema is the one this version was built for."""
    async with runtime.database.work(system("health probe")) as work:
        have = await work.session.scalar(text("select version_num from alembic_version"))
    need = runtime.schema_revision
    if have != need:
        return Reading(State.FAILED, f"schema {have}, this version needs {need}")
    return Reading(State.OK, facts={"revision": have})


async def cache(runtime: Runtime) -> Reading:
    """Redis when it is configured; a single process needs none."""
    if runtime.kernel.redis() is None:
        return Reading(State.NOT_CONFIGURED)
    await runtime.get(RedisLink).ping()
    return Reading(State.OK)


DATABASE = Probe("database", database, critical=True)
MIGRATIONS = Probe("migrations", migrations, critical=True, keep=10.0)
CACHE = Probe("cache", cache, critical=True)
