"""How many may be inside at a time: seats that are taken and given back, in this process or in Redis.

A seat in Redis is renewed for as long as its process lives. When that dies, the seat is free within a minute.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from aihub.kernel.ids import new_id
from aihub.kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = get_logger("aihub.limits")

LIFE = 60.0
RENEW_EVERY = 15.0

# Redis runs a script alone, so that looking and sitting down are one step for all processes.
_ENTER = """
local t = redis.call('time')
local now = t[1] * 1000000 + t[2]
redis.call('zremrangebyscore', KEYS[1], '-inf', string.format('%.0f', now))
local taken = redis.call('zcard', KEYS[1])
if taken >= tonumber(ARGV[1]) then return -1 end
redis.call('zadd', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[3])
redis.call('pexpire', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
return taken + 1
"""
_RENEW = """
local t = redis.call('time')
local until_ = t[1] * 1000000 + t[2] + tonumber(ARGV[1])
for i = 2, #ARGV do redis.call('zadd', KEYS[1], string.format('%.0f', until_), ARGV[i]) end
redis.call('pexpire', KEYS[1], math.ceil(tonumber(ARGV[1]) / 1000))
return 0
"""


class MemorySeats:
    """The seats of one process, which end with it."""

    failures: tuple[type[BaseException], ...] = ()

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    async def enter(self, key: str, limit: int) -> str | None:
        """A token to leave with, or None when all seats are taken."""
        taken = self._taken.get(key, 0)
        if taken >= limit:
            return None
        self._taken[key] = taken + 1
        return key

    async def leave(self, key: str, _token: str) -> None:
        left = self._taken.get(key, 0) - 1
        if left > 0:
            self._taken[key] = left
        else:
            self._taken.pop(key, None)

    async def close(self) -> None:
        return


class RedisSeats:
    """The seats of every process that uses the same Redis."""

    def __init__(self, client: "Redis", *, life: float = LIFE, every: float = RENEW_EVERY) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - loaded only where Redis is configured

        self.failures: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        self._client: Any = client
        self._enter = client.register_script(_ENTER)
        self._renew = client.register_script(_RENEW)
        self._life, self._every = round(life * 1e6), every
        self._taken: dict[str, set[str]] = {}
        self._renewal: asyncio.Task[None] | None = None

    async def enter(self, key: str, limit: int) -> str | None:
        """A token to leave with, or None when all seats are taken."""
        token = str(new_id())
        if await self._enter(keys=[key], args=[limit, self._life, token]) < 0:
            return None
        self._taken.setdefault(key, set()).add(token)
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew_taken(), name="seats renewal")
        return token

    async def leave(self, key: str, token: str) -> None:
        """A sick Redis frees the seat by itself, once it is not renewed any more."""
        mine = self._taken.get(key, set())
        mine.discard(token)
        if not mine:
            self._taken.pop(key, None)
        try:
            await self._client.zrem(key, token)
        except self.failures:
            log.warning("a seat could not be given back and will expire")

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()

    async def _renew_taken(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            for key, tokens in list(self._taken.items()):
                try:
                    await self._renew(keys=[key], args=[self._life, *tokens])
                except self.failures:
                    log.warning("seats could not be renewed", seats=len(tokens))
