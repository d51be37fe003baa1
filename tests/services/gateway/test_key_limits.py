"""What bounds a key holds on every call through it, over real HTTP, in the shapes OpenAI's clients know."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.services.gateway.conftest import MICRO, Answer, Hub, Person, open_hub
from tests.support.calendar import the_same_day  # noqa: F401 - for every test here
from tests.support.valkey import Valkey
from tests.support.waiting import until

from aihub.kernel import redis
from aihub.kernel.db import system
from aihub.kernel.limits import Limiter
from aihub.services.gateway.adapters.fake import Script
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.contracts.keys import KeyWish

HELLO = [{"role": "user", "content": "hello there"}]


def body(model: str = "alpha", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": HELLO, **fields}


async def bound(hub: Hub, person: Person, **wish: Any) -> Person:
    """The same person with another key, bound like this."""
    async with hub.runtime.database.work(system("test")) as work:
        _, key = await identity.create_key(
            work,
            owner_id=person.actor.user_id,
            name="bound",
            wallets=hub.runtime.get(Wallets),
            scopes=["*"],
            wish=KeyWish(**wish),  # type: ignore[typeddict-item]
        )
    return Person(key, person.actor)


async def call(hub: Hub, person: Person, **fields: object) -> Answer:
    return await hub.call("POST", "/v1/chat/completions", body(**fields), person=person)


def error(answer: Answer) -> tuple[int, str, str]:
    found = answer.json()["error"]
    return answer.status, found["type"], found["code"]


@asynccontextmanager
async def held_up(hub: Hub, person: Person, calls: int) -> AsyncIterator[list[asyncio.Task[Answer]]]:
    """So many calls that wait for a slow provider."""
    before = len(hub.fake.requests)
    tasks = [asyncio.create_task(call(hub, person, model="slow")) for _ in range(calls)]
    await until(lambda: len(hub.fake.requests) - before >= calls)
    yield tasks
    for task in tasks:
        await task


async def test_a_key_uses_only_its_models(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok"), aliases=["first"])
    await hub.add_model("beta", Script(text="ok"))
    await hub.add_model("vectors", kind="embedding")
    person = await hub.person(whole=1)
    for allowed in (["alpha"], ["first"], ["first", "not-there-yet"]):
        key = await bound(hub, person, models=allowed)
        assert (await call(hub, key)).status == 200
        assert (await call(hub, key, model="first", stream=True)).status == 200
        refused = await call(hub, key, model="beta")
        assert error(refused) == (403, "permission_error", "keys.model_refused")
        assert refused.json()["error"]["param"] == "model"
        assert error(await call(hub, key, model="beta", stream=True))[0] == 403
        vectors = await hub.call("POST", "/v1/embeddings", {"model": "vectors", "input": "x"}, person=key)
        assert error(vectors)[2] == "keys.model_refused"
        listed = (await hub.call("GET", "/v1/models", person=key)).json()["data"]
        assert [model["id"] for model in listed] == ["alpha"]
        assert (await hub.call("GET", "/v1/models/alpha", person=key)).status == 200
        assert (await hub.call("GET", "/v1/models/beta", person=key)).status == 404
    assert {request["model"] for request in hub.fake.requests} == {"alpha"}
    listed = (await hub.call("GET", "/v1/models", person=person)).json()["data"]
    assert {"alpha", "beta", "vectors"} <= {model["id"] for model in listed}


async def test_requests_a_minute(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok"))
    person = await hub.person(whole=1)
    key = await bound(hub, person, requests_per_minute=5)
    statuses = Counter([(await call(hub, key)).status for _ in range(8)])
    assert statuses == {200: 5, 429: 3}
    refused = await hub.call("GET", "/v1/models", person=key)
    assert error(refused) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    assert refused.headers["ratelimit-policy"] == '"key-requests";q=5;w=60'
    assert refused.headers["ratelimit"].startswith('"key-requests";r=0;t=')
    # Nobody else is touched by it: not the person, and not another key.
    assert (await call(hub, person)).status == 200
    async with hub.client(key) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.chat.completions.create(model="alpha", messages=HELLO)  # type: ignore[arg-type]
    assert caught.value.code == "rate_limit_exceeded"


async def test_requests_a_minute_hold_under_parallel_calls(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", first_delay=0.02))
    key = await bound(hub, await hub.person(whole=1), requests_per_minute=10)
    answers = await asyncio.gather(*(call(hub, key, stream=n % 2 == 0) for n in range(30)))
    # One may have flowed in meanwhile (one in six seconds), not more.
    assert 10 <= Counter(answer.status for answer in answers)[200] <= 11


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls_at_a_time(hub: Hub, streamed: bool) -> None:
    await hub.add_model("alpha", Script(text="ok"))
    await hub.add_model("slow", Script(text="ok", first_delay=0.6))
    key = await bound(hub, await hub.person(whole=1), parallel_requests=2)
    async with held_up(hub, key, 2) as running:
        refused = await call(hub, key, stream=streamed)
        assert error(refused) == (429, "rate_limit_error", "rate_limit_exceeded")
        assert refused.headers["retry-after"] == "1"
        assert "concurrent-requests" in refused.headers["ratelimit-policy"]
    assert [task.result().status for task in running] == [200, 200]
    for _ in range(5):  # every seat was given back, by streams too
        assert (await call(hub, key, stream=streamed)).status == 200


async def test_a_seat_is_given_back_by_calls_that_fail(hub: Hub) -> None:
    await hub.add_model("broken", Script(status=500))
    await hub.add_model("dear", Script(text="ok"), request_price="5")
    await hub.add_model("alpha", Script(text="ok"))
    key = await bound(hub, await hub.person(), parallel_requests=1, tokens_per_minute=2_000)
    for model in ("broken", "dear", "broken", "dear"):
        for streamed in (False, True):
            assert (await call(hub, key, model=model, stream=streamed, max_tokens=1_500)).status in (402, 502)
    assert (await call(hub, key, max_tokens=1_500)).status == 200


async def test_tokens_a_minute_count_what_was_taken(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", usage=(300, 200)))
    key = await bound(hub, await hub.person(whole=1), tokens_per_minute=1_600)
    for number in range(3):
        assert (await call(hub, key, max_tokens=500, stream=number == 1)).status == 200
        await asyncio.sleep(0)
    refused = await call(hub, key, max_tokens=500)
    assert error(refused) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert "tokens per 60 s" in refused.json()["error"]["message"]
    assert refused.headers["ratelimit-policy"] == '"key-tokens";q=1600;w=60'
    # What is left is enough for a smaller one.
    assert (await call(hub, key, max_tokens=20)).status == 200


async def test_one_call_may_be_as_large_as_the_limit(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", usage=(10, 10)))
    key = await bound(hub, await hub.person(whole=1), tokens_per_minute=100)
    assert (await call(hub, key, max_tokens=4_000)).status == 200
    assert (await call(hub, key, max_tokens=50)).status == 200


async def test_a_budget_is_never_exceeded_by_twenty_parallel_calls(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", first_delay=0.02), request_price="1")
    person = await hub.person(whole=100)
    key = await bound(hub, person, budget=("7", "day"))
    answers = await asyncio.gather(*(call(hub, key, stream=n % 2 == 0) for n in range(20)))
    assert Counter(answer.status for answer in answers) == {200: 7, 402: 13}
    refused = next(answer for answer in answers if answer.status == 402)
    assert error(refused) == (402, "insufficient_quota", "insufficient_quota")
    assert "7.000000 a day" in refused.json()["error"]["message"]
    await hub.until_charged(person, 7)
    assert (await hub.balance(person))[0] == 93 * MICRO
    assert (await call(hub, person)).status == 200


async def test_a_change_of_its_bounds_holds_within_a_second(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok"))
    person = await hub.person(whole=1)
    key = await bound(hub, person)
    assert (await call(hub, key)).status == 200
    async with hub.runtime.database.work(system("test")) as work:
        found, _ = await identity.list_keys(work, person.actor.user_id)
        await identity.change_key(
            work,
            owner_id=person.actor.user_id,
            key_id=found[0].id,
            wish=KeyWish(models=["other"]),
            wallets=hub.runtime.get(Wallets),
            actor=None,
        )

    async def refused() -> bool:
        return (await call(hub, key)).status == 403

    await until(refused, 1)


async def test_limits_are_shared_by_processes_through_redis(
    dsn: str, home: Path, redis_server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis, "_PATIENCE", 30.0)  # what a busy machine holds up is not sick
    async with open_hub(dsn, home, REDIS_URL=redis_server.url) as hub:
        await hub.add_model("alpha", Script(text="ok"))
        await hub.add_model("slow", Script(text="ok", first_delay=0.6))
        person = await hub.person(whole=1)
        rated = await bound(hub, person, requests_per_minute=3)
        assert [(await call(hub, rated)).status for _ in range(4)] == [200, 200, 200, 429]
        seated = await bound(hub, person, parallel_requests=2)
        other = await Limiter.start(hub.runtime)  # what another process would count with
        async with hub.runtime.database.work(system("test")) as work:
            (newest, *_), _ = await identity.list_keys(work, person.actor.user_id)
        async with held_up(hub, seated, 1):
            leave = await other.enter("key.parallel", str(newest.id), 2)
            assert (await call(hub, seated)).status == 429
            await leave()
            assert (await call(hub, seated)).status == 200
        await other.close()
        assert (await call(hub, seated)).status == 200
