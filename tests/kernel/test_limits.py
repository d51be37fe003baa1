"""Named limits: exact under races, the same in memory and in Redis, closed when they cannot count."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from _pytest.outcomes import Failed
from tests.support.runtime import open_runtime, settings_for
from tests.support.valkey import Valkey

from aihub.kernel import redis
from aihub.kernel.errors import TooManyRequests
from aihub.kernel.limit_counters import MemoryCounters, RedisCounters
from aihub.kernel.limits import (
    LIMITS,
    Limiter,
    LimitsUnavailable,
    Policy,
    TooExpensive,
    overridden,
    parse,
)
from aihub.kernel.redis import RedisLink, RedisUnreachable
from aihub.kernel.settings import SettingsError

POLICIES = {
    p.name: p
    for p in (
        Policy("window", 10, 60),
        Policy("short", 3, 1.5),
        Policy("bucket", 10, 3600, burst=20),
        Policy("quick", 1, 1, burst=2),
        Policy("failures", 5, 900, counts="failures"),
        Policy("soon", 2, 1.5, counts="failures"),
        Policy("tokens", 1000, 60, burst=1000),
    )
}


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that a busy machine holds up is not sick, but where a test is about a sick one."""
    if "sick" not in request.node.name:
        monkeypatch.setattr(redis, "_PATIENCE", 30.0)


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if request.param == "memory":
        yield Limiter(MemoryCounters(), POLICIES)
        return
    server: Valkey = request.getfixturevalue("redis_server")
    link = await RedisLink.connect(server.url)
    assert link.client is not None
    yield Limiter(RedisCounters(link.client), POLICIES)
    await link.close()


async def race(limiter: Limiter, policy: str, number: int) -> int:
    async def one() -> bool:
        try:
            await limiter.take(policy, "k")
        except TooManyRequests:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(number))))


@pytest.mark.parametrize(("policy", "admitted"), [("window", 10), ("bucket", 20)])
async def test_of_a_hundred_at_once_exactly_the_limit_is_admitted(
    limiter: Limiter, policy: str, admitted: int
) -> None:
    assert await race(limiter, policy, 100) == admitted
    assert await race(limiter, policy, 100) == 0


async def test_two_processes_share_one_count_in_redis(redis_server: Valkey) -> None:
    links = [await RedisLink.connect(redis_server.url) for _ in range(2)]
    limiters = [Limiter(RedisCounters(link.client), POLICIES) for link in links if link.client]
    counts = await asyncio.gather(*(race(limiter, "window", 50) for limiter in limiters))
    assert sum(counts) == 10
    for link in links:
        await link.close()


async def test_a_refusal_says_how_long_and_how_much(limiter: Limiter) -> None:
    first = await limiter.take("window", "k")
    assert (first.limit, first.remaining) == (10, 9)
    assert first.headers()["RateLimit-Policy"] == '"window";q=10;w=60'
    assert first.headers()["RateLimit"].startswith('"window";r=9;t=')
    await race(limiter, "window", 20)
    with pytest.raises(TooManyRequests) as caught:
        await limiter.take("window", "k")
    headers = caught.value.headers
    assert 30 <= int(headers["Retry-After"]) <= 60
    assert headers["RateLimit"].startswith('"window";r=0;t=')
    assert (await limiter.take("window", "another")).remaining == 9, "each key has a count of its own"


async def in_time(seconds: float, scenario: Callable[[str], Awaitable[None]]) -> None:
    """Play the scenario with a key of its own. If it fails and took longer than `seconds`, a machine that
    stalled in between has spoilt it, and it is played again."""
    for number in range(20):
        began = time.monotonic()
        try:
            return await scenario(f"k{number}")
        except (AssertionError, TooManyRequests, Failed):
            if time.monotonic() - began <= seconds:
                raise
    raise AssertionError(f"not once was this machine as quick as {seconds} s")


async def refused(limiter: Limiter, policy: str, key: str) -> None:
    with pytest.raises(TooManyRequests):
        await limiter.take(policy, key)


async def test_a_window_slides_and_the_advice_is_right(limiter: Limiter) -> None:
    async def scenario(key: str) -> None:
        for _ in range(3):
            await limiter.take("short", key)
        await refused(limiter, "short", key)
        await asyncio.sleep(1.6)
        assert (await limiter.take("short", key)).remaining == 2

    await in_time(2.5, scenario)


async def test_a_bucket_refills_steadily(limiter: Limiter) -> None:
    async def scenario(key: str) -> None:
        await limiter.take("quick", key, cost=2)
        await refused(limiter, "quick", key)
        await asyncio.sleep(1.1)
        await limiter.take("quick", key)
        await refused(limiter, "quick", key)

    await in_time(1.9, scenario)


async def test_costs_count_and_what_was_not_used_comes_back(limiter: Limiter) -> None:
    assert (await limiter.take("tokens", "k", cost=700)).remaining == 300
    with pytest.raises(TooManyRequests):
        await limiter.take("tokens", "k", cost=400)
    await limiter.give_back("tokens", "k", 500)
    assert 400 <= (await limiter.take("tokens", "k", cost=400)).remaining < 900, "500 came back, once"
    await limiter.give_back("tokens", "k", 5_000)
    assert (await limiter.check("tokens", "k")).remaining == 1_000, "never more than full"
    with pytest.raises(TooExpensive):
        await limiter.take("tokens", "k", cost=1_001)
    with pytest.raises(ValueError, match="cannot be taken back"):
        await limiter.give_back("window", "k", 1)


async def test_a_key_may_have_a_limit_of_its_own(limiter: Limiter) -> None:
    await limiter.take("tokens", "rich", cost=5_000, limit=10_000)
    with pytest.raises(TooExpensive):
        await limiter.take("tokens", "poor", cost=5_000, limit=100)
    for _ in range(2):
        await limiter.take("window", "k", limit=2)
    with pytest.raises(TooManyRequests):
        await limiter.take("window", "k", limit=2)


async def test_failures_count_and_successes_do_not(limiter: Limiter) -> None:
    for number in range(5):
        for _ in range(10):
            assert (await limiter.check("failures", "ada")).remaining == 5 - number
        await limiter.fail("failures", "ada")
    with pytest.raises(TooManyRequests) as caught:
        await limiter.check("failures", "ada")
    assert 800 <= int(caught.value.headers["Retry-After"]) <= 900
    await limiter.check("failures", "grace")
    await limiter.forget("failures", "ada")
    assert (await limiter.check("failures", "ada")).remaining == 5


async def test_failures_beyond_the_limit_keep_it_closed(limiter: Limiter) -> None:
    async def closed(key: str) -> None:
        with pytest.raises(TooManyRequests):
            await limiter.check("soon", key)

    async def scenario(key: str) -> None:
        for _ in range(50):
            await limiter.fail("soon", key)
        await closed(key)
        await asyncio.sleep(1.0)
        await limiter.fail("soon", key)
        await limiter.fail("soon", key)
        await asyncio.sleep(0.7)
        await closed(key)
        await asyncio.sleep(0.9)
        await limiter.check("soon", key)

    await in_time(3.0, scenario)


async def test_a_sick_redis_lets_nobody_through(redis_server: Valkey) -> None:
    link = await RedisLink.connect(redis_server.url)
    assert link.client is not None
    limiter = Limiter(RedisCounters(link.client), POLICIES)
    await limiter.take("window", "k")
    for sicken in (redis_server.pause, redis_server.stop):
        sicken()
        started = time.monotonic()
        for policy in ("window", "bucket"):
            with pytest.raises(LimitsUnavailable) as caught:
                await limiter.take(policy, "k")
            assert caught.value.status == 503
            assert caught.value.headers["Retry-After"] == "2"
        with pytest.raises(LimitsUnavailable):
            await limiter.fail("failures", "k")
        with pytest.raises(LimitsUnavailable):
            await limiter.forget("failures", "k")
        assert time.monotonic() - started < 30
        redis_server.resume() if redis_server.process else None
    redis_server.start()
    await limiter.take("window", "k")
    await link.close()


async def test_a_start_without_the_configured_redis_is_refused(dsn: str, home: Path) -> None:
    settings = settings_for(home, REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnreachable):
        async with open_runtime(dsn, settings):
            pass


async def test_memory_is_swept_and_bounded() -> None:
    now = 0.0
    counters = MemoryCounters(lambda: now, most_keys=1_000)
    limiter = Limiter(counters, POLICIES)
    for number in range(5_000):
        await limiter.take("window", f"w{number}")
        await limiter.take("bucket", f"b{number}")
    assert len(counters._windows) + len(counters._buckets) <= 1_000
    now = 3_600
    await limiter.take("window", "later")
    assert len(counters._windows) + len(counters._buckets) == 1


def test_the_named_limits_are_the_documented_ones() -> None:
    found = {p.name: (p.limit, p.per, p.burst, p.counts) for p in LIMITS.values()}
    assert found["edge.api"] == (10, 1, 20, "requests")
    assert found["edge.auth"] == (5, 1, 10, "requests")
    assert found["auth.login"] == (5, 900, None, "failures")
    assert found["api.general"] == (100, 900, None, "requests")
    assert found["ai.query"] == (10, 60, None, "requests")


def test_limits_are_written_as_people_say_them() -> None:
    assert parse("x", "10/1s burst 20") == Policy("x", 10, 1, 20)
    assert parse("x", "100/15m") == Policy("x", 100, 900)
    assert parse("x", "5 failures/15m") == Policy("x", 5, 900, counts="failures")
    assert parse("x", "7/m") == Policy("x", 7, 60)
    for wrong in ("", "10", "10/", "-1/s", "0/s", "1/0s", "10/1s burst 0", "ten/1s", "10/1w"):
        with pytest.raises(SettingsError):
            parse("x", wrong)


async def test_settings_change_a_limit_and_unknown_names_are_refused(dsn: str, home: Path) -> None:
    settings = settings_for(home, AIHUB_LIMITS="edge.api=2/1s burst 3, auth.login=1/1h")
    async with open_runtime(dsn, settings) as runtime:
        limiter = runtime.get(Limiter)
        assert limiter.policy("edge.api") == Policy("edge.api", 2, 1, 3)
        assert limiter.policy("auth.login") == Policy("auth.login", 1, 3600, counts="failures")
    with pytest.raises(SettingsError, match=r"edge\.app"):
        overridden(LIMITS, ("edge.app=2/1s",))
    with pytest.raises(SettingsError):
        overridden(LIMITS, ("edge.api",))
