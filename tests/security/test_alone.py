"""Limits never split: who serves without Redis serves alone."""

from contextlib import AsyncExitStack

import pytest

from aihub.app import alone
from aihub.app.alone import NeedsRedis, alone_or_with_redis


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
async def test_only_those_with_redis_serve_together(
    dsn: str, monkeypatch: pytest.MonkeyPatch, first: bool, second: bool, together: bool
) -> None:
    monkeypatch.setattr(alone, "_PATIENCE", 0.2)
    async with alone_or_with_redis(dsn, redis=first), AsyncExitStack() as stack:
        if together:
            await stack.enter_async_context(alone_or_with_redis(dsn, redis=second))
        else:
            with pytest.raises(NeedsRedis):
                await stack.enter_async_context(alone_or_with_redis(dsn, redis=second))
    async with alone_or_with_redis(dsn, redis=second):
        pass
