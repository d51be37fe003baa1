"""The cache: one load for many, equal from every level, gone everywhere at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from tests.support.database import Server
from tests.support.runtime import open_runtime, settings_for
from tests.support.valkey import Valkey
from tests.support.waiting import until

from aihub.kernel import redis
from aihub.kernel.cache import CACHE_POLICIES, Cache
from aihub.kernel.db import Database, system
from aihub.kernel.db.listener import Listener
from aihub.kernel.redis import RedisLink
from aihub.kernel.runtime import Runtime


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that a busy machine holds up is not sick, but where a test is about a sick one."""
    if "sick" not in request.node.name:
        monkeypatch.setattr(redis, "_PATIENCE", 30.0)


@dataclass(frozen=True)
class Profile:
    id: UUID
    born: datetime
    roles: frozenset[str]


class Source:
    """Counts how often it is asked. `value` may be changed, `gate` holds answers back."""

    def __init__(self, value: object = "v") -> None:
        self.value = value
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> object:
        self.loads += 1
        value = self.value
        await self.gate.wait()
        return value


@asynccontextmanager
async def process(dsn: str, home: Path, redis: Valkey | None = None) -> AsyncIterator[Runtime]:
    """Another process of the same hub, as far as the cache can tell."""
    environ = {} if redis is None else {"REDIS_URL": redis.url}
    async with open_runtime(dsn, settings_for(home, **environ)) as runtime:
        yield runtime


async def test_a_value_is_loaded_once(runtime: Runtime) -> None:
    cache, source = runtime.get(Cache), Source()
    assert [await cache.get("profile", "a", source) for _ in range(3)] == ["v"] * 3
    assert source.loads == 1


async def test_many_at_once_cause_one_load(runtime: Runtime) -> None:
    cache, source = runtime.get(Cache), Source()
    assert await asyncio.gather(*(cache.get("profile", "a", source) for _ in range(50))) == ["v"] * 50
    assert source.loads == 1


@pytest.mark.parametrize("value", [None, 0, "", [], {}, False])
async def test_empty_values_are_hits(dsn: str, home: Path, redis_server: Valkey, value: object) -> None:
    source = Source(value)
    async with process(dsn, home, redis_server) as first:
        for _ in range(2):
            assert await first.get(Cache).get("profile", "a", source) == value
        first.get(Cache)._local.clear()
        assert await first.get(Cache).get("profile", "a", source) == value
    assert source.loads == 1


async def test_lifetimes_end(database: Database, runtime: Runtime) -> None:
    now = 0.0
    cache, source = Cache(database, runtime.get(Listener), now=lambda: now), Source()
    await cache.get("profile", "a", source)
    now = CACHE_POLICIES["profile"].local - 1
    await cache.get("profile", "a", source)
    assert source.loads == 1
    now = CACHE_POLICIES["profile"].local + 1
    await cache.get("profile", "a", source)
    assert source.loads == 2


async def test_memory_is_bounded(runtime: Runtime) -> None:
    cache = runtime.get(Cache)
    source = Source()
    for number in range(10_500):
        await cache.get("local", str(number), source)
    assert len(cache._local) == 10_000
    source.loads = 0
    await cache.get("local", "10499", source)
    assert source.loads == 0, "the oldest made room"


async def test_a_value_is_equal_from_every_level(dsn: str, home: Path, redis_server: Valkey) -> None:
    profile = Profile(uuid4(), datetime(2001, 2, 3, tzinfo=UTC), frozenset({"user", "admin"}))
    source = Source(profile)
    async with process(dsn, home, redis_server) as runtime:
        cache = runtime.get(Cache)
        loaded = await cache.get("profile", "a", source, kind=Profile)
        local = await cache.get("profile", "a", source, kind=Profile)
        cache._local.clear()
        shared = await cache.get("profile", "a", source, kind=Profile)
    assert loaded == local == shared == profile
    assert source.loads == 1


@pytest.mark.parametrize("value", [uuid4(), (1, 2), {1: "a"}, float("nan"), datetime.now(UTC), object()])
async def test_values_that_would_come_back_different_are_refused(runtime: Runtime, value: object) -> None:
    with pytest.raises(TypeError):
        await runtime.get(Cache).get("profile", "a", Source(value))
    assert await runtime.get(Cache).get("local", "a", Source(value)) is value, "alone they are fine"


async def test_an_error_reaches_everyone_and_is_not_kept(runtime: Runtime) -> None:
    cache = runtime.get(Cache)
    calls = 0

    async def broken() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        raise LookupError

    outcomes = await asyncio.gather(
        *(cache.get("profile", "a", broken) for _ in range(3)), return_exceptions=True
    )
    assert [type(o) for o in outcomes] == [LookupError] * 3
    assert calls == 1
    assert await cache.get("profile", "a", Source()) == "v"


async def test_one_caller_that_gives_up_does_not_take_it_from_the_others(runtime: Runtime) -> None:
    cache, source = runtime.get(Cache), Source()
    source.gate.clear()
    first = asyncio.create_task(cache.get("profile", "a", source))
    second = asyncio.create_task(cache.get("profile", "a", source))
    await asyncio.sleep(0.01)
    first.cancel()
    source.gate.set()
    assert await second == "v"
    assert source.loads == 1


async def _both(a: Cache, b: Cache, key: str, source: Source) -> list[object]:
    return [await a.get("profile", key, source), await b.get("profile", key, source)]


@pytest.mark.parametrize("shared", [False, True])
async def test_an_invalidation_reaches_the_other_process_within_a_second(
    dsn: str, home: Path, redis_server: Valkey, shared: bool
) -> None:
    redis = redis_server if shared else None
    source = Source("old")
    async with process(dsn, home, redis) as one, process(dsn, home, redis) as two:
        a, b = one.get(Cache), two.get(Cache)
        for key in ("user:1", "user:2", "team:1"):
            assert await _both(a, b, key, source) == ["old", "old"]
        source.value = "new"
        await a.invalidate("user:1")
        assert await a.get("profile", "user:1", source) == "new"
        await until(lambda: _is(b, "user:1", source, "new"), seconds=1)
        assert await _both(a, b, "user:2", source) == ["old", "old"]
        await b.invalidate("user:*")
        await until(lambda: _is(a, "user:2", source, "new"), seconds=1)
        assert await b.get("profile", "user:2", source) == "new"
        assert await _both(a, b, "team:1", source) == ["old", "old"]


async def _is(cache: Cache, key: str, source: Callable[[], Awaitable[object]], value: object) -> bool:
    return await cache.get("profile", key, source) == value


async def test_an_invalidation_comes_with_its_transaction_or_not_at_all(dsn: str, home: Path) -> None:
    source = Source("old")

    async def deed(runtime: Runtime, fails: bool) -> None:
        async with runtime.database.work(system("test")) as work:
            await runtime.get(Cache).expire(work, "a")
            assert await runtime.get(Cache).get("profile", "a", source) == "old"
            if fails:
                raise ZeroDivisionError

    async with process(dsn, home) as one, process(dsn, home) as two:
        await _both(one.get(Cache), two.get(Cache), "a", source)
        source.value = "new"
        with pytest.raises(ZeroDivisionError):
            await deed(one, fails=True)
        await asyncio.sleep(0.1)
        assert await _both(one.get(Cache), two.get(Cache), "a", source) == ["old", "old"]
        await deed(one, fails=False)
        assert await one.get(Cache).get("profile", "a", source) == "new"
        await until(lambda: _is(two.get(Cache), "a", source, "new"), seconds=1)


@pytest.mark.parametrize("shared", [False, True])
async def test_a_load_that_an_invalidation_overtook_is_not_kept(
    dsn: str, home: Path, redis_server: Valkey, shared: bool
) -> None:
    redis = redis_server if shared else None
    source = Source("old")
    async with process(dsn, home, redis) as one, process(dsn, home, redis) as two:
        a, b = one.get(Cache), two.get(Cache)
        source.gate.clear()
        slow = asyncio.create_task(a.get("profile", "a", source))
        await until(lambda: source.loads == 1)
        source.value = "new"
        await b.invalidate("a")
        await until(lambda: "a" not in a._flights, seconds=1)
        later = asyncio.create_task(a.get("profile", "a", source))
        await until(lambda: source.loads == 2)
        source.gate.set()
        assert await slow == "old"
        assert await later == "new"
        assert await _both(a, b, "a", source) == ["new", "new"]


async def test_after_a_gap_nothing_old_is_served(runtime: Runtime, postgres: Server) -> None:
    cache, listener, source = runtime.get(Cache), runtime.get(Listener), Source("old")
    await cache.get("profile", "a", source)
    source.value = "new"
    with psycopg.connect(postgres.admin, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'aihub listener' and datname = current_database()"
        )
    await until(lambda: not listener.connected)
    assert await cache.get("profile", "a", source) == "new", "deaf, it does not trust its memory"
    await until(lambda: listener.connected)
    loads = source.loads
    assert [await cache.get("profile", "a", source) for _ in range(3)] == ["new"] * 3
    assert source.loads == loads + 1, "and remembers again afterwards"


async def test_a_sick_redis_costs_speed_only(dsn: str, home: Path, redis_server: Valkey) -> None:
    source = Source("old")
    async with process(dsn, home, redis_server) as runtime:
        cache = runtime.get(Cache)
        await cache.get("profile", "a", source)
        redis_server.pause()
        source.value = "new"
        started = time.monotonic()
        await cache.invalidate("a")
        assert await cache.get("profile", "a", source) == "new"
        assert await cache.get("profile", "b", source) == "new"
        assert time.monotonic() - started < 15
        redis_server.resume()
        shared = cache._shared
        assert shared is not None
        shared._closed_until = 0
        cache._local.clear()
        assert await cache.get("profile", "a", source) == "new", "the deletion that was owed came first"


async def test_a_start_forgets_what_a_killed_process_left(dsn: str, home: Path, redis_server: Valkey) -> None:
    link = await RedisLink.connect(redis_server.url)
    assert link.client is not None
    await link.client.set("aihub:cache:a", b'"stale"')
    await link.client.set("limit:a", b"kept")
    async with process(dsn, home, redis_server) as runtime:
        assert await runtime.get(Cache).get("profile", "a", Source("new")) == "new"
    assert await link.client.get("limit:a") == b"kept"
    await link.close()
