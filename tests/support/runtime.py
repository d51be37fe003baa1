"""Runtimes for tests: as an application's, with a home and a database of the test's own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Engine

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.clock import Clock
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database
from aihub.kernel.db import database as db
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.kernel.settings import Settings, load


def settings_for(home: Path, modules: Sequence[Module] = (KERNEL,), **environ: str) -> Settings:
    """The settings of these modules, from these variables and nothing of this machine's."""
    groups = [group for module in modules for group in module.settings]
    return load(groups, {"AIHUB_HOME": str(home), "ENVIRONMENT": "test", **environ})


class _Compiled:
    """What SQLAlchemy made of statements, kept from runtime to runtime of the test process.

    It belongs to a dialect; that of the first runtime which connected is everybody's.
    """

    def __init__(self) -> None:
        self._first: Engine | None = None

    def use(self, database: Database) -> None:
        if self._first is not None:
            engine = database.engine.sync_engine
            engine.dialect = self._first.dialect
            engine.pool._dialect = self._first.dialect
            engine._compiled_cache = self._first._compiled_cache

    def keep(self, database: Database) -> None:
        engine = database.engine.sync_engine
        if self._first is None and engine.dialect.server_version_info is not None:
            self._first = engine


_compiled = _Compiled()


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
    _compiled.use(database)
    runtime = Runtime(settings, database, modules, clock=clock, duties=duties)
    try:
        await runtime.start()
        yield runtime
    finally:
        _compiled.keep(database)
        await runtime.close()
