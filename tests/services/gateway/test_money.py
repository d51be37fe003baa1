"""What calls cost, and that nothing is lost or invented whatever happens to them."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.services.gateway.conftest import MICRO, Hub, Person, open_hub
from tests.support.waiting import until

from aihub.kernel.db import system
from aihub.services.gateway import metering
from aihub.services.gateway.adapters.fake import Script
from aihub.services.gateway.contracts import CallRepeated, ChatRequest

HELLO = [{"role": "user", "content": "hello there"}]


def body(model: str = "alpha", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": HELLO, **fields}


async def first_word(stream: Any) -> None:
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            return


async def test_two_hundred_calls_race_for_a_balance_of_fifty(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", first_delay=0.02), request_price="1")
    person = await hub.person(whole=50)

    async def one() -> int:
        return (await hub.call("POST", "/v1/chat/completions", body(), person=person)).status

    statuses = Counter(await asyncio.gather(*(one() for _ in range(200))))
    assert statuses == {200: 50, 402: 150}
    assert await hub.balance(person) == (0, 0)
    assert sum(e.amount for e in await hub.entries(person)) == -50 * MICRO
    assert len(hub.fake.requests) == 50


async def test_two_hundred_streams_race_for_a_balance_of_fifty(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="a b c", first_delay=0.02), request_price="1")
    person = await hub.person(whole=50)

    refused: set[tuple[int, str | None]] = set()

    async def one(client: openai.AsyncOpenAI) -> bool:
        try:
            stream = await client.chat.completions.create(model="alpha", messages=HELLO, stream=True)
        except openai.APIStatusError as exc:
            refused.add((exc.status_code, exc.code))
            return False
        return len([chunk async for chunk in stream]) == 5

    async with hub.client(person) as client:
        paid = sum(await asyncio.gather(*(one(client) for _ in range(200))))
    assert paid == 50
    assert refused == {(402, "insufficient_quota")}
    assert await hub.balance(person) == (0, 0)
    assert sum(e.amount for e in await hub.entries(person)) == -50 * MICRO


@pytest.mark.parametrize("streamed", [False, True])
async def test_tokens_are_charged_at_the_models_price(hub: Hub, streamed: bool) -> None:
    script = Script(text="a b c", usage=(1_000, 10))
    await hub.add_model("alpha", script, input_price="3", output_price="0.5", request_price="0.000001")
    person = await hub.person(whole=100)
    await hub.call("POST", "/v1/chat/completions", body(stream=streamed), person=person)
    (entry,) = await hub.until_charged(person)
    # 1,000 x 3 µ + 10 x 0.5 µ + 1 µ
    assert (entry.amount, entry.input_tokens, entry.output_tokens) == (-3_006, 1_000, 10)
    assert (entry.model, entry.reason) == ("alpha", "chat")
    assert await hub.balance(person) == (100 * MICRO - 3_006, 0)


async def test_a_free_call_is_recorded_and_needs_no_credits(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="a b c", usage=(7, 3)))
    person = await hub.person()
    assert (await hub.call("POST", "/v1/chat/completions", body(), person=person)).status == 200
    (entry,) = await hub.entries(person)
    assert (entry.amount, entry.input_tokens, entry.output_tokens) == (0, 7, 3)


async def test_a_priced_call_without_credits_reaches_no_provider(hub: Hub) -> None:
    await hub.add_model("alpha", output_price="1")
    person = await hub.person()
    answer = await hub.call("POST", "/v1/chat/completions", body(), person=person)
    assert answer.status == 402
    assert answer.json()["error"]["code"] == "insufficient_quota"
    assert hub.fake.requests == []


async def test_a_priced_call_is_bounded_and_an_asked_limit_is_only_capped(hub: Hub) -> None:
    await hub.add_model("alpha", output_price="1", max_output=200, context_length=500)
    person = await hub.person(whole=10)
    for asked, sent in ((None, 200), (50, 50), (5000, 200)):
        extra = {} if asked is None else {"max_completion_tokens": asked}
        await hub.call("POST", "/v1/chat/completions", body(**extra), person=person)
        request = hub.fake.requests[-1]
        assert request.get("max_tokens" if asked is None else "max_completion_tokens") == sent
        assert ("max_tokens" in request) == (asked is None)


async def test_the_hold_covers_the_longest_answer(hub: Hub) -> None:
    await hub.add_model(
        "alpha", Script(text="a", first_delay=0.5), output_price="1000000", context_length=500
    )
    person = await hub.person(whole=10)
    call = asyncio.create_task(
        hub.call("POST", "/v1/chat/completions", body(max_tokens=4, n=2), person=person)
    )

    async def held() -> int:
        return (await hub.balance(person))[1]

    await until(held)
    assert await hub.balance(person) == (10 * MICRO, 8 * MICRO)
    assert (await call).status == 200
    assert await hub.balance(person) == (9 * MICRO, 0)


@pytest.mark.parametrize("streamed", [False, True])
async def test_missing_usage_is_estimated(hub: Hub, streamed: bool) -> None:
    await hub.add_model("alpha", Script(text="abcd" * 10, counts=False), output_price="1000000")
    person = await hub.person(whole=1000)
    await hub.call("POST", "/v1/chat/completions", body(stream=streamed), person=person)
    (entry,) = await hub.until_charged(person)
    assert entry.output_tokens in (10, 11)
    assert entry.reason == "chat (estimated)"


@pytest.mark.parametrize(
    "script",
    [
        Script(status=500, error={"message": "x"}),
        Script(status=401, error={"message": "x"}),
        Script(nonsense=b"<html>"),
        Script(text="one two", cut_after=0, nonsense=b"{"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_that_delivered_nothing_costs_nothing(hub: Hub, script: Script, streamed: bool) -> None:
    await hub.add_model("alpha", script, request_price="1")
    person = await hub.person(whole=10)
    answer = await hub.call("POST", "/v1/chat/completions", body(stream=streamed), person=person)
    assert answer.status >= 500
    assert await hub.balance(person) == (10 * MICRO, 0)
    assert await hub.entries(person) == []


async def test_a_cut_stream_is_charged_for_what_was_delivered(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="aaa bbb ccc ddd", cut_after=3), output_price="1000000")
    person = await hub.person(whole=1000)
    answer = await hub.call("POST", "/v1/chat/completions", body(stream=True), person=person)
    assert answer.status == 200
    events = [line for line in answer.body.split(b"\n\n") if line]
    assert b'"error"' in events[-1]
    assert b"provider.cut" in events[-1]
    assert b"[DONE]" not in answer.body
    (entry,) = await hub.until_charged(person)
    assert entry.reason == "chat (broken off, estimated)"
    assert entry.output_tokens == 2  # "aaa bbb "
    assert await hub.balance(person) == (998 * MICRO, 0)


async def test_a_caller_who_leaves_pays_what_the_call_took(hub: Hub) -> None:
    script = Script(text=" ".join("w" * 1 for _ in range(40)), gap=0.02, usage=(3, 40))
    await hub.add_model("alpha", script, output_price="1000000")
    person = await hub.person(whole=1000)
    async with hub.client(person) as client:
        stream = await client.chat.completions.create(model="alpha", messages=HELLO, stream=True)
        await first_word(stream)
        await stream.close()
    (entry,) = await hub.until_charged(person)
    assert (entry.output_tokens, entry.reason) == (40, "chat")
    assert hub.fake.running == 0


async def test_a_caller_who_leaves_a_free_call_ends_it(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="w " * 400, gap=0.05))
    person = await hub.person()
    async with hub.client(person) as client:
        stream = await client.chat.completions.create(model="alpha", messages=HELLO, stream=True)
        await first_word(stream)
        assert hub.fake.running == 1
        await stream.close()
    (entry,) = await hub.until_charged(person)
    assert entry.reason == "chat (stopped, estimated)"
    await until(lambda: hub.fake.running == 0)


async def test_draining_ends_at_its_cap(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, AIHUB_DRAIN_TIMEOUT="0.3") as hub:
        await hub.add_model("alpha", Script(text="word " * 400, gap=0.05), output_price="1000000")
        person = await hub.person(whole=5000)
        async with hub.client(person) as client:
            stream = await client.chat.completions.create(
                model="alpha", messages=HELLO, stream=True, max_tokens=1000
            )
            await first_word(stream)
            await stream.close()
        (entry,) = await hub.until_charged(person)
        assert entry.reason == "chat (stopped, estimated)"
        assert entry.output_tokens is not None
        assert 1 <= entry.output_tokens <= 60


async def test_an_idempotency_key_pays_once(hub: Hub) -> None:
    await hub.add_model("alpha", request_price="1")
    person = await hub.person(whole=10)
    key = {"Idempotency-Key": "k1"}
    first = await hub.call("POST", "/v1/chat/completions", body(), person=person, headers=key)
    again = await hub.call("POST", "/v1/chat/completions", body(), person=person, headers=key)
    other = await hub.call("POST", "/v1/chat/completions", body(temperature=1), person=person, headers=key)
    assert (first.status, again.status, other.status) == (200, 409, 409)
    assert again.json()["error"]["code"] == "gateway.call_repeated"
    assert len(await hub.entries(person)) == 1


async def test_two_calls_at_once_with_one_idempotency_key(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="ok", first_delay=0.2), request_price="1")
    person = await hub.person(whole=10)
    key = {"Idempotency-Key": "k1"}
    answers = await asyncio.gather(
        *(hub.call("POST", "/v1/chat/completions", body(), person=person, headers=key) for _ in range(5))
    )
    assert sorted(a.status for a in answers) == [200, 409, 409, 409, 409]
    assert len(hub.fake.requests) == 1


async def test_no_connection_is_held_while_models_work(dsn: str, home: Path) -> None:
    one = {"DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "10"}
    async with open_hub(dsn, home, pool_size=1, **one) as hub:
        await hub.add_model("alpha", Script(text="a b c d", first_delay=2.5, gap=0.1), request_price="0.1")
        person = await hub.person(whole=10)

        async def one_stream() -> int:
            call = await hub.call("POST", "/v1/chat/completions", body(stream=True), person=person)
            assert call.body.endswith(b"data: [DONE]\n\n")
            return call.status

        started = asyncio.get_running_loop().time()
        calls = [asyncio.create_task(one_stream()) for _ in range(20)]
        await until(lambda: hub.fake.running == 20)
        assert await hub.balance(person) == (10 * MICRO, 2 * MICRO)
        assert await asyncio.gather(*calls) == [200] * 20
        assert asyncio.get_running_loop().time() - started < 25
        assert hub.fake.most_running == 20
        assert await hub.balance(person) == (8 * MICRO, 0)


async def test_more_calls_than_the_process_takes_are_refused(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home, AIHUB_MAX_CALLS="2") as hub:
        await hub.add_model("alpha", Script(text="a b", first_delay=0.5))
        person = await hub.person()

        async def one(streamed: bool) -> tuple[int, str | None]:
            answer = await hub.call("POST", "/v1/chat/completions", body(stream=streamed), person=person)
            return answer.status, answer.headers.get("retry-after")

        answers = await asyncio.gather(*(one(n % 2 == 0) for n in range(6)))
        assert Counter(answers) == {(200, None): 2, (503, "2"): 4}
        assert await one(True) == (200, None)


async def test_in_process_callers_are_metered_the_same(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="a b", usage=(5, 2)), output_price="1000000")
    person = await hub.person(whole=100)
    request = ChatRequest(body(max_tokens=20))
    answer = await hub.gateway.chat(person.actor, request, idempotency_key="run-1")
    assert answer.body["choices"][0]["message"]["content"] == "a b"
    assert answer.receipt.charged == 2 * MICRO
    with pytest.raises(CallRepeated):
        await hub.gateway.chat(person.actor, request, idempotency_key="run-1")
    async with hub.gateway.chat_stream(person.actor, request, idempotency_key="run-2") as flight:
        text = "".join([c["choices"][0]["delta"].get("content", "") async for c in flight if c["choices"]])
    assert text == "a b"
    assert flight.receipt is not None
    assert (flight.receipt.charged, flight.receipt.usage.input_tokens) == (2 * MICRO, 5)
    assert len(await hub.entries(person)) == 2


async def test_stopping_the_hub_settles_running_streams(dsn: str, home: Path) -> None:
    async with open_hub(dsn, home) as hub:
        await hub.add_model("alpha", Script(text="word " * 400, gap=0.02), output_price="1000000")
        person: Person = await hub.person(whole=5000)
        flight = await hub.gateway.open_stream(person.actor, ChatRequest(body(max_tokens=400)))
        async for chunk in flight:
            if chunk["choices"][0]["delta"].get("content"):
                break
        await hub.gateway.close()
        (entry,) = await hub.entries(person)
        assert entry.reason == "chat (stopped, estimated)"
        assert (await hub.balance(person))[1] == 0


async def test_a_database_that_is_busy_delays_the_entry_not_the_answer(
    dsn: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "_PATIENCE", 1.0)
    one = {"DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "0.3"}
    async with open_hub(dsn, home, pool_size=1, **one) as hub:
        await hub.add_model("alpha", Script(text="a b", first_delay=0.5), request_price="1")
        person = await hub.person(whole=10)
        call = asyncio.create_task(hub.call("POST", "/v1/chat/completions", body(), person=person))
        await until(lambda: hub.fake.running == 1)
        async with hub.runtime.database.work(system("a long transaction")):
            answer = await call
        assert answer.status == 200
        (entry,) = await hub.until_charged(person)
        assert entry.amount == -MICRO
        assert await hub.balance(person) == (9 * MICRO, 0)
