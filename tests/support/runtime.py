"""Runtimes for tests: as an application's, with a home and a database of the test's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.clock import Clock
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import database as db
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.kernel.settings import Settings, load


def settings_for(home: Path, modules: Sequence[Module] = (KERNEL,), **environ: str) -> Settings:
    """The settings of these modules, from these variables and nothing of this machine's."""
    groups = [group for module in modules for group in module.settings]
    return load(groups, {"AIHUB_HOME": str(home), "ENVIRONMENT": "test", **environ})


@asynccontextmanager
async def open_runtime(
    dsn: str,
    settings: Settings,
    modules: Sequence[Module] = (KERNEL,),
    *,
    clock: Clock | None = None,
    duties: frozenset[str] = frozenset({"http"}),
    pool_size: int = 5,
) -> AsyncIterator[Runtime]:
    """A started runtime on this database, closed at the end."""
    database = db.connect(dsn, settings[KernelSettings], pool_size=pool_size)
    runtime = Runtime(settings, database, modules, clock=clock, duties=duties)
    try:
        await runtime.start()
        yield runtime
    finally:
        await runtime.close()
