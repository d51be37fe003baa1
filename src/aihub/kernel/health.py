"""One registry of probes; every health address answers from it.

`live` asks only whether the process runs. `ready` runs the critical probes: a failure takes this
process out of rotation. `detail` runs all. A failing non-critical probe (an AI provider) degrades
the report and nothing else. Results are kept for the probe's `keep` seconds, so that health checks
never turn into load, and anonymous callers see states, not texts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a probe saw. `detail` is for operators only."""

    state: State
    detail: str = ""
    facts: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A named check of one thing. `run` raises or returns a Reading; `timeout` and `keep` are seconds."""

    name: str
    run: Callable[["Runtime"], Awaitable[Reading]]
    critical: bool = False
    timeout: float = 3.0
    keep: float = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    critical: bool
    reading: Reading
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """The probes' results and what they add up to."""

    results: tuple[Result, ...]

    @property
    def state(self) -> State:
        if any(r.critical and r.reading.state is State.FAILED for r in self.results):
            return State.FAILED
        if any(r.reading.state in (State.FAILED, State.DEGRADED) for r in self.results):
            return State.DEGRADED
        return State.OK


class Health:
    """Runs probes and remembers their last results."""

    def __init__(self, runtime: "Runtime", probes: Sequence[Probe]) -> None:
        self._runtime = runtime
        self._probes = {p.name: p for p in probes}
        self._kept: dict[str, tuple[float, Result]] = {}
        self._locks = {p.name: asyncio.Lock() for p in probes}

    def names(self) -> tuple[str, ...]:
        return tuple(self._probes)

    async def ready(self) -> Report:
        """The critical probes only."""
        return await self.check([p.name for p in self._probes.values() if p.critical])

    async def check(self, names: Sequence[str] | None = None) -> Report:
        """The named probes (default: all), run side by side."""
        wanted = [self._probes[n] for n in (names or self._probes)]
        return Report(tuple(await asyncio.gather(*(self._read(p) for p in wanted))))

    async def _read(self, probe: Probe) -> Result:
        async with self._locks[probe.name]:
            kept = self._kept.get(probe.name)
            if kept and time.monotonic() - kept[0] < probe.keep:
                return kept[1]
            started = time.perf_counter()
            try:
                reading = await asyncio.wait_for(probe.run(self._runtime), probe.timeout)
            except TimeoutError:
                reading = Reading(State.FAILED, f"no answer within {probe.timeout:g} s")
            except Exception as exc:  # noqa: BLE001 - a probe that breaks is a failed reading
                reading = Reading(State.FAILED, f"{type(exc).__name__}: {exc}")
            result = Result(probe.name, probe.critical, reading, (time.perf_counter() - started) * 1000)
            self._kept[probe.name] = (time.monotonic(), result)
            return result
