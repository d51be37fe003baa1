"""The long-lived parts of one process, started in order and closed in reverse."""

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from aihub.kernel.clock import Clock
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database
from aihub.kernel.health import Health
from aihub.kernel.module import Module
from aihub.kernel.settings import Settings

T = TypeVar("T")


class Runtime:
    """Settings, database, clock, and whatever parts the modules provide, by type."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        modules: Sequence[Module],
        clock: Clock | None = None,
        duties: frozenset[str] = frozenset({"http"}),
    ) -> None:
        """`duties`: what this process does, of `http`, `worker`, `embedded` (runs local models), `cli`."""
        self.settings = settings
        self.database = database
        self.modules = tuple(modules)
        self.duties = duties
        self.clock = clock or Clock()
        self.schema_revision: str | None = None
        self.started_at = self.clock.now()
        self.stopping = asyncio.Event()
        self._parts: dict[type[Any], Any] = {}

    @property
    def kernel(self) -> KernelSettings:
        return self.settings[KernelSettings]

    def provide(self, kind: type[T], part: T) -> None:
        """Register a part that already runs."""
        self._parts[kind] = part

    def get(self, kind: type[T]) -> T:
        """The part of this type. Raises KeyError when no module provides it in this process."""
        return cast(T, self._parts[kind])

    def has(self, kind: type[Any]) -> bool:
        return kind in self._parts

    async def start(self) -> None:
        """Start every module's parts in the order of the modules; `Health` is there from the beginning."""
        self.provide(Health, Health(self, [p for m in self.modules for p in m.probes]))
        for module in self.modules:
            for part in module.parts:
                self._parts[part.provides] = await part.start(self)

    async def close(self) -> None:
        """Close the parts in reverse order, then the database. One failure does not keep the rest open."""
        failures: list[Exception] = []
        for part in reversed(list(self._parts.values())):
            close = getattr(part, "close", None)
            if close is not None:
                try:
                    await close()
                except Exception as exc:  # noqa: BLE001 - the edge of the process: close the rest first
                    failures.append(exc)
        self._parts.clear()
        await self.database.close()
        if failures:
            raise ExceptionGroup("parts that did not close", failures)
