"""The agent loop with tools: what the model calls is done, told to it, and shown."""

import json
from typing import Any

from tests.agents.conftest import Hub

from aihub.agents.domain import Turn
from aihub.agents.runs.answering import Answering
from aihub.agents.runs.assembly import Assembly
from aihub.agents.runs.loop import Loop
from aihub.services.gateway.adapters.fake import Script, ToolUse


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


async def run(hub: Hub, loop: Loop, model: str) -> tuple[Assembly, Answering]:
    ada = await hub.person()
    answering, assembly = Answering(), Assembly()
    async for chunk in loop.answer(
        answering,
        actor=ada.actor,
        model=await hub.gateway.model(ada.actor, model),
        key="test",
        system="",
        turns=[Turn("user", "How is the weather in Paris?")],
        message_id="m",
    ):
        assembly.take(chunk)
    return assembly, answering


async def test_a_model_calls_a_tool_and_reads_what_it_gave(hub: Hub) -> None:
    await hub.add_model("caller", Script(tools=(ToolUse("get_weather", {"city": "Paris"}),)))
    loop = Loop(hub.gateway, tools=(get_weather,))
    assembly, answering = await run(hub, loop, "caller")
    tool: Any = next(p for p in assembly.finished_parts() if p["type"] == "tool-get_weather")
    assert tool["input"] == {"city": "Paris"}
    assert tool["output"] == "sunny in Paris"
    first, second = hub.fake.requests[0], hub.fake.requests[1]
    assert first["tools"][0]["function"]["name"] == "get_weather"
    assert first["tools"][0]["function"]["description"] == "The weather in a city."
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "tool"]
    assert json.loads(second["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert second["messages"][2]["content"] == "sunny in Paris"
    assert answering.tally.calls >= 2


async def test_tools_are_only_told_to_models_when_there_are_some(hub: Hub) -> None:
    await run(hub, Loop(hub.gateway), "words")
    assert "tools" not in hub.fake.requests[-1]


async def test_a_model_that_calls_a_tool_that_is_not_there_is_told_so(hub: Hub) -> None:
    await hub.add_model("caller", Script(tools=(ToolUse("no_such_tool", {}),), text=None))
    assembly, answering = await run(hub, Loop(hub.gateway, tools=(get_weather,)), "caller")
    assert answering.failure is None
    assert "no_such_tool" in hub.fake.requests[1]["messages"][-1]["content"]
    assert "output-error" in {p.get("state") for p in assembly.finished_parts()}
    assert assembly.text


async def test_a_prompt_the_provider_finds_too_long_is_shortened_and_sent_again(hub: Hub) -> None:
    error = {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}
    await hub.add_model("strict", Script(status=400, error=error), context_length=3000)
    ada = await hub.person()
    loop, answering = Loop(hub.gateway), Answering()
    turns = [Turn("user" if n % 2 == 0 else "assistant", "lorem ipsum " * 40) for n in range(15)]
    async for _ in loop.answer(
        answering, actor=ada.actor, model=await hub.gateway.model(ada.actor, "strict"),
        key="test", system="", turns=turns, message_id="m",
    ):  # fmt: skip
        pass
    lengths = [len(r["messages"]) for r in hub.fake.requests]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == len(set(lengths)) > 1
    assert answering.failure is not None
    assert answering.failure.code == "provider.context_exceeded"
