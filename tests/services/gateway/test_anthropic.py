"""Anthropic's dialect, translated both ways."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.gateway.conftest import Hub

from aihub.services.gateway import dialect
from aihub.services.gateway.adapters.anthropic import Translation, completion_of, request_of
from aihub.services.gateway.adapters.fake import Script
from aihub.services.gateway.contracts import InvalidCall, ProviderError

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def translated(**fields: Any) -> dict[str, Any]:
    return request_of({"model": "m", "max_tokens": 10, "messages": HELLO, **fields})


def test_a_plain_request() -> None:
    assert translated() == {
        "model": "m",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
    }


def test_system_messages_become_the_system_prompt() -> None:
    messages = [
        {"role": "system", "content": "one"},
        *HELLO,
        {"role": "developer", "content": [{"type": "text", "text": "two"}]},
    ]
    out = translated(messages=messages)
    assert out["system"] == "one\n\ntwo"
    assert [m["role"] for m in out["messages"]] == ["user"]


def test_turns_alternate() -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    ]
    assert [m["role"] for m in translated(messages=messages)["messages"]] == ["user", "assistant", "user"]


def test_tool_results_of_one_turn_stand_together() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", **call}, {"id": "2", **call}]},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "two"}]},
    ]
    _, assistant, results = translated(messages=messages)["messages"]
    assert [b["input"] for b in assistant["content"]] == [{"x": 1}, {"x": 1}]
    assert [(b["tool_use_id"], b["content"]) for b in results["content"]] == [("1", "one"), ("2", "two")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
    ],
)
def test_fields(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    out = translated(**fields)
    assert {k: out[k] for k in expected} == expected


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "f"}}, None, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice(choice: Any, parallel: bool | None, expected: Any) -> None:
    out = translated(tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    assert out.get("tool_choice") == expected
    assert out["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]


def test_pictures() -> None:
    parts = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
    ]
    content = translated(messages=[{"role": "user", "content": parts}])["messages"][0]["content"]
    assert content[1]["source"] == {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert content[2]["source"] == {"type": "url", "url": "https://example.org/x.png"}


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"messages": [{"role": "system", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        {"tools": [TOOL], "response_format": {"type": "json_object"}},
        {"tools": [{"type": "custom"}]},
        {"response_format": {"type": "json_schema", "json_schema": "x"}},
        {"messages": [*HELLO, {"role": "assistant", "tool_calls": [{"function": {"arguments": "{"}}]}]},
    ],
)
def test_what_the_dialect_cannot_say_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidCall):
        translated(**fields)


FIELDS = [
    *("type", "text", "role", "content", "function", "name", "arguments", "id", "usage", "delta", "message"),
    *("content_block", "image_url", "url", "json_schema", "schema", "input", "error", "stop_reason"),
    *("partial_json", "input_tokens", "output_tokens", "tool_calls"),
]
WORDS = ["text", "tool_use", "tool", "user", "assistant", "text_delta", "image_url", "error", "{}"]
EVENTS = [
    *("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"),
    *("ping", "error"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), v, max_size=4),
    max_leaves=10,
)
MESSAGES = st.lists(
    st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), JSON), max_size=3
)
EXTRAS = st.dictionaries(
    st.sampled_from(["tools", "tool_choice", "response_format", "stop", "user", "parallel_tool_calls"]), JSON
)
EVENT = st.builds(
    lambda kind, rest: {**rest, "type": kind},
    st.sampled_from(EVENTS),
    st.dictionaries(st.sampled_from(["message", "content_block", "delta", "usage", "error"]), JSON),
)


@given(MESSAGES, EXTRAS)
def test_no_request_breaks_the_translation(messages: list[Any], extras: dict[str, Any]) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": messages, **extras}
    try:
        dialect.check_chat(body)
        out = request_of(body)
    except InvalidCall:
        return
    assert out["messages"]
    orjson.dumps(out)


@given(JSON)
def test_no_answer_breaks_the_translation(answer: Any) -> None:
    try:
        out = completion_of(answer)
    except ProviderError:
        return
    assert out["choices"][0]["message"]["role"] == "assistant"


@given(st.lists(JSON | EVENT, max_size=5))
def test_no_event_breaks_the_translation(events: list[Any]) -> None:
    translation = Translation()
    for event in events:
        try:
            for chunk in translation.take(event):
                orjson.dumps(chunk)
        except ProviderError:
            return


async def test_a_streamed_answer_is_metered(hub: Hub) -> None:
    wish = {"name": "claude", "kind": "anthropic", "base_url": hub.fake_url, "allow_private": True}
    hub.provider_id = (await hub.call("POST", "/api/v1/providers", wish)).json()["id"]
    await hub.add_model("alpha", Script(text="a b c", usage=(11, 5)), output_price="1000000")
    person = await hub.person(whole=2000)
    for streamed in (False, True):
        body = {"model": "alpha", "messages": HELLO, "stream": streamed}
        answer = await hub.call("POST", "/v1/chat/completions", body, person=person)
        assert answer.status == 200
    assert answer.body.endswith(b"data: [DONE]\n\n")
    charges = [(e.amount, e.input_tokens, e.output_tokens) for e in await hub.until_charged(person, 2)]
    assert charges == [(-5_000_000, 11, 5)] * 2
    assert hub.fake.requests[-1]["max_tokens"] == 1000


async def test_its_errors_and_breaks(hub: Hub) -> None:
    wish = {"name": "claude", "kind": "anthropic", "base_url": hub.fake_url, "allow_private": True}
    hub.provider_id = (await hub.call("POST", "/api/v1/providers", wish)).json()["id"]
    error = {"type": "invalid_request_error", "message": "max_tokens: too large"}
    await hub.add_model("refuses", Script(status=400, error=error))
    await hub.add_model("cut", Script(text="a b c d e", cut_after=6))
    await hub.add_model(
        "overloaded", Script(text="a b c d e", error_after=6, error={"type": "overloaded_error"})
    )
    body: dict[str, Any] = {"model": "refuses", "messages": HELLO}
    refused = (await hub.call("POST", "/v1/chat/completions", body)).json()["error"]
    assert (refused["message"], refused["code"]) == ("max_tokens: too large", "invalid_request_error")
    for model, code in (("cut", b"provider.cut"), ("overloaded", b"rate_limit_exceeded")):
        answer = await hub.call("POST", "/v1/chat/completions", {**body, "model": model, "stream": True})
        assert answer.status == 200
        assert code in answer.body
        assert b"[DONE]" not in answer.body
