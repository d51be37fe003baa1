"""Wait for something to become true, with a deadline; measure on a machine that others use too."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from pathlib import Path

LOOKS_PER_SECOND = 20
"""How often a machine at ease looks at least; one that looks less often is busy, and its seconds longer."""
AT_EASE = 0.1
"""The share of the time in which something waits for a core or a disk, on a machine that is at ease."""
PATIENCE = 60
"""Seconds beyond the deadline after which a busy machine is no excuse either."""


class Strain:
    """How much of the time since it was made programs of this machine, not only ours, were kept waiting."""

    def __init__(self) -> None:
        self._began, self._before = time.monotonic(), _kept_waiting()

    def is_at_ease(self) -> bool:
        if self._before is None:
            return os.getloadavg()[0] < (os.cpu_count() or 1) / 2
        now, passed = _kept_waiting(), time.monotonic() - self._began
        return now is not None and now - self._before < AT_EASE * passed


def _kept_waiting() -> float | None:
    """Seconds for which something waited for a core or a disk so far; None where Linux does not count."""
    try:
        lines = [Path(f"/proc/pressure/{what}").read_text().splitlines()[0] for what in ("cpu", "io")]
    except OSError:
        return None
    return sum(int(line.rpartition("total=")[2]) for line in lines) / 1e6


async def until(condition: Callable[[], object | Awaitable[object]], seconds: float = 30) -> object:
    """What `condition` gives once it is truthy. Fails after `seconds` of a machine at ease.

    Who waits here waits for others too, such as a server or another process, which a busy machine holds up
    however often it lets us look.
    """
    deadline, looks, strain = time.monotonic() + seconds, 0, Strain()
    while True:
        looks += 1
        value = condition()
        if isawaitable(value):
            value = await value
        if value:
            return value
        late = time.monotonic() - deadline
        if late > PATIENCE or (late > 0 and looks > seconds * LOOKS_PER_SECOND and strain.is_at_ease()):
            raise AssertionError(f"not true within {seconds} s")
        await asyncio.sleep(0.02)


async def quickest(measure: Callable[[], Awaitable[float]], enough: float, tries: int = 5) -> float:
    """The least that `measure` gave: what a machine can do it has done once, however busy it was before.

    Measures again only while that is more than `enough`.
    """
    best = await measure()
    for _ in range(tries - 1):
        if best <= enough:
            break
        best = min(best, await measure())
    return best
