"""Wait for something to become true, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable


async def until(condition: Callable[[], object | Awaitable[object]], seconds: float = 20) -> object:
    """What `condition` gives once it is truthy. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {seconds} s")
        await asyncio.sleep(0.02)
