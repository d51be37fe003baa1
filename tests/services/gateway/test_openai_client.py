"""The unmodified OpenAI client against the hub."""

import openai
import pytest
from tests.services.gateway.conftest import Hub

from aihub.services.gateway.adapters.fake import Script, ToolUse

HELLO = [{"role": "user", "content": "hello there"}]


async def test_lists_models(hub: Hub) -> None:
    await hub.add_model("alpha", aliases=["first"])
    person = await hub.person()
    async with hub.client(person) as client:
        names = [model.id async for model in client.models.list()]
        assert "alpha" in names
        assert (await client.models.retrieve("first")).id == "alpha"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("nothing")
    assert caught.value.code == "model_not_found"


async def test_chats(hub: Hub) -> None:
    await hub.add_model("alpha", upstream_name="upstream-alpha")
    person = await hub.person()
    async with hub.client(person) as client:
        answer = await client.chat.completions.create(model="alpha", messages=HELLO, temperature=0.3)
    assert answer.choices[0].message.content == "You said: hello there"
    assert answer.model == "alpha"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 2
    sent = hub.fake.requests[-1]
    assert (sent["model"], sent["temperature"]) == ("upstream-alpha", 0.3)


async def test_streams(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="one two three"), upstream_name="upstream-alpha")
    hub.fake.scripts["upstream-alpha"] = Script(text="one two three")
    person = await hub.person()
    async with hub.client(person) as client:
        stream = await client.chat.completions.create(model="alpha", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "one two three"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {c.model for c in chunks} == {"alpha"}
    assert all(c.usage is None for c in chunks)


async def test_stream_with_usage_when_asked(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="one two three"))
    person = await hub.person()
    async with hub.client(person) as client:
        stream = await client.chat.completions.create(
            model="alpha", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_tools(hub: Hub, kind: str, streamed: bool) -> None:
    script = Script(tools=(ToolUse("get_weather", {"city": "Paris"}),), usage=(20, 7))
    if kind == "anthropic":
        wish = {"name": "claude", "kind": kind, "base_url": hub.fake_url, "allow_private": True}
        hub.provider_id = (await hub.call("POST", "/api/v1/providers", wish)).json()["id"]
    await hub.add_model("alpha", script)
    person = await hub.person()
    tools = [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Weather of a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
    ]
    async with hub.client(person) as client:
        if streamed:
            async with client.chat.completions.stream(model="alpha", messages=HELLO, tools=tools) as stream:
                completion = await stream.get_final_completion()
        else:
            completion = await client.chat.completions.create(model="alpha", messages=HELLO, tools=tools)
        choice = completion.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls is not None
        call = choice.message.tool_calls[0]
        assert call.function.name == "get_weather"
        assert call.function.arguments == '{"city":"Paris"}'
        hub.fake.scripts["alpha"] = Script(text="Sunny.", tools=script.tools)
        again = [
            *HELLO,
            choice.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
        ]
        answer = await client.chat.completions.create(model="alpha", messages=again, tools=tools)
    assert answer.choices[0].message.content == "Sunny."
    sent = hub.fake.requests[-1]
    if kind == "anthropic":
        assert sent["tools"][0]["input_schema"]["type"] == "object"
        assert [m["role"] for m in sent["messages"]] == ["user", "assistant", "user"]
        assert sent["messages"][1]["content"][0]["input"] == {"city": "Paris"}
        assert sent["messages"][2]["content"][0]["tool_use_id"] == call.id
    else:
        assert sent["tools"] == tools


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_json_schema(hub: Hub, kind: str) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    script = None
    if kind == "anthropic":
        wish = {"name": "claude", "kind": kind, "base_url": hub.fake_url, "allow_private": True}
        hub.provider_id = (await hub.call("POST", "/api/v1/providers", wish)).json()["id"]
        script = Script(tools=(ToolUse("answer_as_json", {"answer": 1}),))
    await hub.add_model("alpha", script)
    person = await hub.person()
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    async with hub.client(person) as client:
        whole = await client.chat.completions.create(model="alpha", messages=HELLO, response_format=wanted)
        stream = await client.chat.completions.create(
            model="alpha", messages=HELLO, response_format=wanted, stream=True
        )
        text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    assert whole.choices[0].message.content == '{"answer":1}'
    assert whole.choices[0].finish_reason == "stop"
    assert text == '{"answer":1}'


async def test_unknown_fields_reach_the_provider(hub: Hub) -> None:
    await hub.add_model("alpha")
    person = await hub.person()
    async with hub.client(person) as client:
        await client.chat.completions.create(
            model="alpha", messages=HELLO, seed=7, stop=["x"], extra_body={"something_new": {"a": 1}}
        )
    sent = hub.fake.requests[-1]
    assert (sent["seed"], sent["stop"], sent["something_new"]) == (7, ["x"], {"a": 1})
    assert "max_tokens" not in sent


async def test_embeds(hub: Hub) -> None:
    await hub.add_model("vectors", kind="embedding", input_price="1000000")
    person = await hub.person(whole=1000)
    async with hub.client(person) as client:
        answer = await client.embeddings.create(model="vectors", input=["two words", "three words here"])
        again = await client.embeddings.create(model="vectors", input="two words", encoding_format="float")
    assert len(answer.data) == 2
    assert len(answer.data[0].embedding) == 8
    assert again.data[0].embedding == pytest.approx(answer.data[0].embedding, abs=1e-6)
    assert answer.model == "vectors"
    charges = [(e.amount, e.input_tokens, e.output_tokens) for e in await hub.entries(person)]
    assert charges == [(-2_000_000, 2, 0), (-5_000_000, 5, 0)]
    with pytest.raises(openai.BadRequestError):
        async with hub.client(person) as client:
            await client.chat.completions.create(model="vectors", messages=HELLO)


async def test_errors_have_openais_shape(hub: Hub) -> None:
    await hub.add_model(
        "alpha", Script(status=429, error={"message": "busy"}, headers=(("retry-after", "7"),))
    )
    person = await hub.person()
    async with hub.client(person) as client:
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="alpha", messages=HELLO)
        with pytest.raises(openai.NotFoundError) as missing:
            await client.chat.completions.create(model="nothing", messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "7"
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    async with openai.AsyncOpenAI(api_key="ahk_wrong", base_url=f"{hub.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.models.list()
    assert refused.value.code == "invalid_api_key"


async def test_a_key_without_the_scope_is_refused(hub: Hub) -> None:
    person = await hub.person(scopes="models:read")
    async with hub.client(person) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.models.list()
