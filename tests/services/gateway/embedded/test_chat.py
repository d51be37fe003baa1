"""The demonstration model through the unmodified OpenAI client."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from tests.support.waiting import quickest

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, discover
from aihub.services.gateway.adapters.embedded.supervisor import EmbeddedModels

pytestmark = pytest.mark.xdist_group("embedded")


@pytest.fixture(scope="module")
async def models(shared_home: Path) -> AsyncIterator[EmbeddedModels]:
    models = EmbeddedModels(shared_home, context=2048)
    models.start()
    yield models
    await models.close()


@pytest.fixture(scope="module")
async def endpoint(models: EmbeddedModels) -> Endpoint:
    return await models.endpoint("chat", within=60)


@pytest.fixture(scope="module")
async def client(endpoint: Endpoint) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=endpoint.base_url, api_key=endpoint.api_key, max_retries=0
    ) as client:
        yield client


def ask(text: str) -> list[openai.types.chat.ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


async def test_it_answers_and_counts(client: openai.AsyncOpenAI, endpoint: Endpoint) -> None:
    answer = await client.chat.completions.create(
        model=endpoint.model_name, messages=ask("What is the capital of France?"), max_tokens=20
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 20
    assert answer.usage.prompt_tokens > 5


async def test_it_streams_with_usage_at_the_end(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="x",
        messages=ask("Tell me about the sea."),
        max_tokens=24,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(pieces) > 5
    assert chunks[-1].usage is not None
    assert 5 < chunks[-1].usage.completion_tokens <= 24


async def test_a_schema_binds_the_answer(client: openai.AsyncOpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "large": {"type": "boolean"}},
        "required": ["city", "large"],
        "additionalProperties": False,
    }
    answer = await client.chat.completions.create(
        model="x",
        messages=ask("Name a city."),
        max_tokens=100,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": schema}},
    )
    told = json.loads(answer.choices[0].message.content or "")
    assert set(told) == {"city", "large"}
    assert isinstance(told["large"], bool)


async def test_the_same_seed_gives_the_same_answer(client: openai.AsyncOpenAI) -> None:
    async def once(seed: int) -> str | None:
        answer = await client.chat.completions.create(
            model="x", messages=ask("Invent a name."), max_tokens=16, seed=seed, temperature=1.5
        )
        return answer.choices[0].message.content

    assert await once(7) == await once(7)
    assert len({await once(seed) for seed in range(4)}) > 1


async def test_a_stop_word_ends_the_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="x", messages=ask("Tell me a long story about a fox."), max_tokens=200, stop=["."]
    )
    assert answer.choices[0].finish_reason == "stop"
    assert "." not in (answer.choices[0].message.content or "")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_of_100k_tokens_is_refused_and_hurts_nobody(
    client: openai.AsyncOpenAI, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError, match="context size") as caught:
        await client.chat.completions.create(
            model="x", messages=ask("word " * 100_000), max_tokens=5, stream=stream
        )
    assert caught.value.body["type"] == "exceed_context_size_error"  # type: ignore[index]
    answer = await client.chat.completions.create(model="x", messages=ask("Hello"), max_tokens=2)
    assert answer.choices


async def test_four_conversations_at_once(client: openai.AsyncOpenAI) -> None:
    answers = await asyncio.gather(
        *(
            client.chat.completions.create(model="x", messages=ask(f"Count to {n}."), max_tokens=24)
            for n in range(4)
        )
    )
    assert all(answer.choices[0].message.content for answer in answers)


async def test_a_caller_who_leaves_frees_the_model(client: openai.AsyncOpenAI, endpoint: Endpoint) -> None:
    assert await quickest(lambda: _seconds_after_two_readers_left(client), 4) < 4


async def _seconds_after_two_readers_left(client: openai.AsyncOpenAI) -> float:
    streams = [
        await client.chat.completions.create(
            model="x",
            messages=ask("Write a very long story."),
            max_tokens=2000,
            stream=True,
            extra_body={"ignore_eos": True},
        )
        for _ in range(2)
    ]
    for stream in streams:
        await anext(aiter(stream))
        await stream.close()
    started = time.monotonic()
    await client.chat.completions.create(model="x", messages=ask("Hello"), max_tokens=2)
    return time.monotonic() - started


async def test_nobody_without_the_key(endpoint: Endpoint) -> None:
    async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="other", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model="x", messages=ask("Hello"))


async def test_the_key_is_on_no_command_line_and_in_no_environment(
    endpoint: Endpoint, shared_home: Path
) -> None:
    record = json.loads((shared_home / "run" / "embedded-chat.json").read_text())
    process = Path("/proc") / str(record["pid"])
    assert endpoint.base_url.startswith("http://127.0.0.1:")
    for public in ("cmdline", "environ"):
        assert endpoint.api_key.encode() not in (process / public).read_bytes()
    assert endpoint.api_key not in repr(endpoint)


async def test_other_processes_find_it(endpoint: Endpoint, shared_home: Path) -> None:
    assert await discover(shared_home, "chat") == endpoint
    assert (shared_home / "run" / "embedded-chat.json").stat().st_mode & 0o777 == 0o600
