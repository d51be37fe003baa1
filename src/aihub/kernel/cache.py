"""Three levels of cache: this process, Redis, and PostgreSQL as the source.

    user = await cache.get("profile", f"user:{user_id}:{version}", load)

Every policy is a pair of lifetimes in one table. A key names the version of the data it was computed
from where there is one, so that a lifetime never serves a stale total. What must vanish at once is
invalidated: the announcement travels by NOTIFY, with the transaction that caused it when made by
`expire(work, …)`, and every process drops the value within moments. While this process cannot hear
announcements it does not trust its own memory.

None, 0 and empty values are values like any other. A value comes back equal whichever level it comes
from: policies with a shared level take JSON values, or pass `kind` for anything pydantic can describe.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson
from pydantic import TypeAdapter

from aihub.kernel.cache_shared import SharedLevel
from aihub.kernel.db import Database, Work, system
from aihub.kernel.db.listener import Listener
from aihub.kernel.redis import RedisLink

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from aihub.kernel.runtime import Runtime

T = TypeVar("T")

CHANNEL = "aihub_invalidate"
_L1_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Lifetimes in seconds: `local` in this process, `shared` in Redis (None: never there)."""

    local: float
    shared: float | None


CACHE_POLICIES: Mapping[str, CachePolicy] = {
    "default": CachePolicy(60, 300),
    "local": CachePolicy(60, None),
    "ai": CachePolicy(60, 3600),
    "analytics": CachePolicy(60, 1800),
    "analytics.live": CachePolicy(60, 300),
    "user": CachePolicy(60, 900),
    "static": CachePolicy(60, 86400),
    "profile": CachePolicy(60, 3600),
    "tokens": CachePolicy(60, 1800),
    "sms_routing": CachePolicy(60, 7200),
}


class Cache:
    """One per process. Safe for any number of tasks; a key is loaded once at a time. Values are shared
    between callers, so treat them as read-only."""

    def __init__(
        self,
        database: Database,
        listener: Listener,
        redis: "Redis | None" = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._listener = listener
        self._now = now
        self._local: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._flights: dict[str, _Flight] = {}
        self._shared = None if redis is None else SharedLevel(redis, now)
        self._chores: set[asyncio.Task[None]] = set()

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Cache":
        """Connected to the process's listener and, when configured, to Redis."""
        cache = cls(runtime.database, runtime.get(Listener), runtime.get(RedisLink).client)
        await cache.listen()
        return cache

    async def listen(self) -> None:
        """Begin to follow invalidations."""
        self._listener.on(CHANNEL, self._forget)
        self._listener.on_gap(self._forget_all)
        await self._listener.ready()
        if self._shared is not None:
            # A process that was killed may have announced a change and not deleted it there.
            await self._shared.delete("*")

    async def close(self) -> None:
        self._listener.off(CHANNEL, self._forget)
        await asyncio.gather(*self._chores, return_exceptions=True)

    async def get(self, policy: str, key: str, load: Callable[[], Awaitable[T]], *, kind: Any = None) -> T:
        """The cached value, or what `load()` gives; many callers at once cause one load.

        `kind` is the type of the value when it is more than JSON (a dataclass, UUIDs, dates). An error of
        `load` reaches every caller that waits and is not kept. Raises TypeError when a policy with a
        shared level gets a value that would come back different.
        """
        lifetimes = CACHE_POLICIES[policy]
        if self._listener.connected:
            kept = self._local.get(key)
            if kept is not None and kept[0] > self._now():
                self._local.move_to_end(key)
                return cast(T, kept[1])
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._fly(flight, lifetimes, key, load, kind))
            flight.task.add_done_callback(_seen)
        # One caller that gives up does not take the value from the others.
        return cast(T, await asyncio.shield(flight.task))

    async def invalidate(self, *keys: str) -> None:
        """Drop these keys in every process; a key that ends with `*` means all that begin so."""
        async with self._database.work(system("cache invalidation")) as work:
            await self.expire(work, *keys)

    async def expire(self, work: Work, *keys: str) -> None:
        """Like `invalidate`, announced with this work: nothing is dropped when it rolls back."""
        for key in keys:
            await work.notify(CHANNEL, key)

        async def drop() -> None:
            for key in keys:
                self._drop_local(key)
                if self._shared is not None:
                    await self._shared.delete(key)

        work.after_commit(drop)

    async def _fly(
        self,
        flight: "_Flight",
        lifetimes: CachePolicy,
        key: str,
        load: Callable[[], Awaitable[Any]],
        kind: Any,
    ) -> Any:
        try:
            shared = self._shared if lifetimes.shared is not None else None
            if shared is not None and (blob := await shared.get(key)) is not None:
                value = _decode(blob, kind)
            else:
                value = await load()
                if lifetimes.shared is not None:
                    blob = _encode(value, kind)
                    if shared is not None and self._fresh(flight):
                        await shared.set(key, blob, lifetimes.shared)
                        if not self._fresh(flight):  # overtaken while writing
                            await shared.delete(key)
            if self._fresh(flight):
                self._local[key] = (self._now() + lifetimes.local, value)
                self._local.move_to_end(key)
                while len(self._local) > _L1_ENTRIES:
                    self._local.popitem(last=False)
            return value
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _fresh(self, flight: "_Flight") -> bool:
        return not flight.stale and self._listener.connected

    def _forget(self, key: str) -> None:
        self._drop_local(key)
        if self._shared is not None:
            # This process may have written a value it had read before the change.
            chore = asyncio.create_task(self._shared.delete(key))
            self._chores.add(chore)
            chore.add_done_callback(self._chores.discard)

    def _forget_all(self) -> None:
        self._forget("*")

    def _drop_local(self, key: str) -> None:
        for doomed in _matching(key, self._local):
            del self._local[doomed]
        for doomed in _matching(key, self._flights):
            self._flights.pop(doomed).stale = True


class _Flight:
    """A load under way. When an invalidation overtakes it, it is `stale`: its result goes to those who
    asked before and is kept by nobody."""

    __slots__ = ("stale", "task")

    def __init__(self) -> None:
        self.stale = False
        self.task: asyncio.Task[Any]


def _seen(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()


def _matching(key: str, among: Mapping[str, object]) -> list[str]:
    if key.endswith("*"):
        return [k for k in among if k.startswith(key[:-1])]
    return [key] if key in among else []


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _encode(value: object, kind: Any) -> bytes:
    if kind is not None:
        return _adapter(kind).dump_json(value)
    blob = orjson.dumps(value)
    if orjson.loads(blob) != value:
        raise TypeError("a shared cache keeps JSON values; give `kind` for others")
    return blob


def _decode(blob: bytes, kind: Any) -> Any:
    return orjson.loads(blob) if kind is None else _adapter(kind).validate_json(blob)
