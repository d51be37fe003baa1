"""Wait for something to become true, with a deadline; measure on a machine that others use too."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

LOOKS_PER_SECOND = 20
"""How often a machine at ease looks at least; one that looks less often is busy, and its seconds longer."""


async def until(condition: Callable[[], object | Awaitable[object]], seconds: float = 20) -> object:
    """What `condition` gives once it is truthy. Fails after `seconds` of a machine at ease."""
    deadline, looks = time.monotonic() + seconds, 0
    while True:
        looks += 1
        value = condition()
        if isawaitable(value):
            value = await value
        if value:
            return value
        late = time.monotonic() - deadline
        if late > 0 and (looks > seconds * LOOKS_PER_SECOND or late > 60):
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
