"""Where limits are counted: in this process, or in Redis for all processes at once."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from aihub.kernel.ids import new_id

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Take:
    """The outcome of one count. Seconds are from now."""

    admitted: bool
    remaining: int
    reset_seconds: float
    retry_seconds: float


class Counters(Protocol):
    """`failures` are the errors that mean "could not count"."""

    failures: tuple[type[BaseException], ...]

    async def window(self, key: str, limit: int, per: float, cost: int) -> Take:
        """Admit when `cost` more fit into the last `per` seconds; cost 0 asks whether one more would."""
        ...

    async def bucket(self, key: str, size: int, rate: float, cost: int) -> Take:
        """Admit when the bucket, refilled at `rate` a second up to `size`, holds `cost`. A negative cost
        gives back; cost 0 asks whether one more would fit."""
        ...

    async def record(self, key: str, limit: int, per: float) -> None:
        """Count one into a window without asking."""
        ...

    async def forget(self, key: str) -> None: ...


@dataclass(slots=True)
class _Window:
    per: float
    events: deque[tuple[float, int]] = field(default_factory=deque)
    used: int = 0


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    full_at: float


class MemoryCounters:
    """Counts of one process. Keeps at most `most_keys`; those that end soonest make room for new ones."""

    failures: tuple[type[BaseException], ...] = ()

    def __init__(self, now: Callable[[], float] = time.monotonic, most_keys: int = 200_000) -> None:
        self._now = now
        self._most = most_keys
        self._windows: dict[str, _Window] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._sweep_at = now() + 60

    async def window(self, key: str, limit: int, per: float, cost: int) -> Take:
        now = self._now()
        self._sweep(now)
        window = self._windows.get(key) or _Window(per)
        _expire(window, now, per)
        admitted = window.used + max(cost, 1) <= limit
        retry = 0.0
        if not admitted:
            retry = _until_free(window, now, per, window.used + max(cost, 1) - limit)
        elif cost:
            window.events.append((now, cost))
            window.used += cost
            self._windows[key] = window
        reset = window.events[-1][0] + per - now if window.events else 0.0
        return Take(admitted, max(0, limit - window.used), reset, retry)

    async def bucket(self, key: str, size: int, rate: float, cost: int) -> Take:
        now = self._now()
        self._sweep(now)
        bucket = self._buckets.get(key) or _Bucket(float(size), now, now)
        level = min(float(size), bucket.level + (now - bucket.at) * rate)
        admitted = level >= (cost or 1)
        retry = 0.0 if admitted else ((cost or 1) - level) / rate
        if admitted and cost:
            level = min(float(size), level - cost)
        reset = (size - level) / rate
        self._buckets[key] = _Bucket(level, now, now + reset)
        return Take(admitted, int(level), reset, retry)

    async def record(self, key: str, limit: int, per: float) -> None:
        now = self._now()
        self._sweep(now)
        window = self._windows.setdefault(key, _Window(per))
        _expire(window, now, per)
        window.events.append((now, 1))
        window.used += 1
        if len(window.events) > limit:  # more than the limit tells nothing more
            window.used -= window.events.popleft()[1]

    async def forget(self, key: str) -> None:
        self._windows.pop(key, None)
        self._buckets.pop(key, None)

    def _sweep(self, now: float) -> None:
        full = len(self._windows) + len(self._buckets) >= self._most
        if now < self._sweep_at and not full:
            return
        self._sweep_at = now + 60
        self._windows = {k: w for k, w in self._windows.items() if w.events[-1][0] + w.per > now}
        self._buckets = {k: b for k, b in self._buckets.items() if b.full_at > now}
        if len(self._windows) + len(self._buckets) >= self._most:
            drop = self._most // 10
            soonest = sorted(
                [(w.events[-1][0] + w.per, k) for k, w in self._windows.items()]
                + [(b.full_at, k) for k, b in self._buckets.items()]
            )
            for _, key in soonest[:drop]:
                self._windows.pop(key, None)
                self._buckets.pop(key, None)


def _expire(window: _Window, now: float, per: float) -> None:
    while window.events and window.events[0][0] + per <= now:
        window.used -= window.events.popleft()[1]


def _until_free(window: _Window, now: float, per: float, needed: int) -> float:
    freed = 0
    for at, cost in window.events:
        freed += cost
        if freed >= needed:
            return max(0.0, at + per - now)
    return per


# Redis runs a script alone, so that a count and its decision are one step for all processes. Time is
# the server's, the same for everyone.
_WINDOW = """
local t = redis.call('time')
local now = t[1] * 1000000 + t[2]
local per, limit, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local force = ARGV[5] == '1'
redis.call('zremrangebyscore', KEYS[1], '-inf', string.format('%.0f', now - per))
local used, events = 0, redis.call('zrange', KEYS[1], 0, -1, 'withscores')
for i = 1, #events, 2 do used = used + tonumber(string.match(events[i], '^(%d+):')) end
local ask = math.max(cost, 1)
local admitted = force or used + ask <= limit
local retry = 0
if not admitted then
  local freed, needed = 0, used + ask - limit
  retry = per
  for i = 1, #events, 2 do
    freed = freed + tonumber(string.match(events[i], '^(%d+):'))
    if freed >= needed then retry = tonumber(events[i + 1]) + per - now break end
  end
elseif cost > 0 then
  redis.call('zadd', KEYS[1], string.format('%.0f', now), cost .. ':' .. ARGV[4])
  redis.call('pexpire', KEYS[1], math.ceil(per / 1000))
  used = used + cost
  if force and #events / 2 + 1 > limit then redis.call('zremrangebyrank', KEYS[1], 0, 0) end
end
local last = redis.call('zrange', KEYS[1], -1, -1, 'withscores')
local reset = 0
if last[2] then reset = tonumber(last[2]) + per - now end
return {admitted and 1 or 0, math.max(0, limit - used), math.ceil(reset), math.ceil(retry)}
"""
_BUCKET = """
local t = redis.call('time')
local now = t[1] * 1000000 + t[2]
local size, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('hmget', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1] or size), tonumber(kept[2] or now)
level = math.min(size, level + math.max(0, now - at) / 1000000 * rate)
local ask = cost
if ask == 0 then ask = 1 end
local admitted = level >= ask
local retry = 0
if not admitted then retry = (ask - level) / rate end
if admitted and cost ~= 0 then level = math.min(size, level - cost) end
local reset = (size - level) / rate
redis.call('hset', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.0f', now))
redis.call('pexpire', KEYS[1], math.ceil(reset * 1000) + 1000)
return {admitted and 1 or 0, math.floor(level), math.ceil(reset * 1000000), math.ceil(retry * 1000000)}
"""


class RedisCounters:
    """Counts shared by every process that uses the same Redis."""

    def __init__(self, client: "Redis") -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - loaded only where Redis is configured

        self.failures: tuple[type[BaseException], ...] = (RedisError, OSError, TimeoutError)
        self._client: Any = client
        self._window = client.register_script(_WINDOW)
        self._bucket = client.register_script(_BUCKET)

    async def window(self, key: str, limit: int, per: float, cost: int) -> Take:
        return _take(await self._window(keys=[key], args=[round(per * 1e6), limit, cost, str(new_id()), 0]))

    async def bucket(self, key: str, size: int, rate: float, cost: int) -> Take:
        return _take(await self._bucket(keys=[key], args=[size, repr(rate), cost]))

    async def record(self, key: str, limit: int, per: float) -> None:
        await self._window(keys=[key], args=[round(per * 1e6), limit, 1, str(new_id()), 1])

    async def forget(self, key: str) -> None:
        await self._client.delete(key)


def _take(answer: list[int]) -> Take:
    admitted, remaining, reset, retry = answer
    return Take(bool(admitted), int(remaining), reset / 1e6, retry / 1e6)
