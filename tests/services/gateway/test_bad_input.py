"""What must be refused: a 4xx with a code and a remedy, in OpenAI's shape, and nothing charged."""

import asyncio
from typing import Any

import orjson
import pytest
from tests.services.gateway.conftest import Hub, Person

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
GOOD: dict[str, Any] = {"model": "alpha", "messages": HELLO}

BAD_CHATS: list[tuple[Any, int, str | None]] = [
    (b"", 400, None),
    (b"{not json", 400, None),
    (b"[]", 400, None),
    (b'"text"', 400, None),
    (b'{"model": "alpha", "messages": [{"role": "user", "content": "\xff\xfe"}]}', 400, None),
    (b'{"model": "alpha", "temperature": NaN, "messages": []}', 400, None),
    (b"[" * 5000, 400, None),
    ({"messages": HELLO}, 400, "model"),
    ({**GOOD, "model": 7}, 400, "model"),
    ({**GOOD, "model": ""}, 400, "model"),
    ({**GOOD, "model": None}, 400, "model"),
    ({**GOOD, "model": "x" * 5000}, 404, "model"),
    ({**GOOD, "model": "al\u0000pha"}, 404, "model"),
    ({"model": "alpha"}, 400, "messages"),
    ({**GOOD, "messages": []}, 400, "messages"),
    ({**GOOD, "messages": "hello"}, 400, "messages"),
    ({**GOOD, "messages": {"role": "user"}}, 400, "messages"),
    ({**GOOD, "messages": ["hello"]}, 400, "messages.0"),
    ({**GOOD, "messages": [{"content": "x"}]}, 400, "messages.0.role"),
    ({**GOOD, "messages": [{"role": "wizard", "content": "x"}]}, 400, "messages.0.role"),
    ({**GOOD, "messages": [{"role": ["user"], "content": "x"}]}, 400, "messages.0.role"),
    ({**GOOD, "messages": [{"role": "user"}]}, 400, "messages.0.content"),
    ({**GOOD, "messages": [*HELLO, {"role": "user", "content": 5}]}, 400, "messages.1.content"),
    ({**GOOD, "messages": [{"role": "user", "content": []}]}, 400, "messages.0.content"),
    ({**GOOD, "messages": [{"role": "user", "content": ["x"]}]}, 400, "messages.0.content"),
    ({**GOOD, "max_tokens": -1}, 400, "max_tokens"),
    ({**GOOD, "max_tokens": 0}, 400, "max_tokens"),
    ({**GOOD, "max_tokens": 1.5}, 400, "max_tokens"),
    ({**GOOD, "max_tokens": True}, 400, "max_tokens"),
    ({**GOOD, "max_tokens": "10"}, 400, "max_tokens"),
    ({**GOOD, "max_completion_tokens": 10**30}, 400, None),
    ({**GOOD, "n": 0}, 400, "n"),
    ({**GOOD, "n": 1000}, 400, "n"),
    ({**GOOD, "temperature": -0.1}, 400, "temperature"),
    ({**GOOD, "temperature": 3}, 400, "temperature"),
    ({**GOOD, "top_p": "high"}, 400, "top_p"),
    ({**GOOD, "stream": "yes"}, 400, "stream"),
    ({**GOOD, "stream_options": []}, 400, "stream_options"),
    ({**GOOD, "tools": {}}, 400, "tools"),
    ({**GOOD, "response_format": "json"}, 400, "response_format"),
    ({**GOOD, "stop": [1]}, 400, "stop"),
    ({**GOOD, "model": "vectors"}, 400, "model"),
]


async def test_bad_chats(hub: Hub) -> None:
    await hub.add_model("alpha", request_price="1")
    await hub.add_model("vectors", kind="embedding")
    person = await hub.person(whole=10)
    for body, status, param in BAD_CHATS:
        data = body
        if isinstance(body, dict) and body.get("max_completion_tokens") == 10**30:
            data = (
                b'{"model":"alpha","messages":[{"role":"user","content":"x"}],"max_completion_tokens":1e99}'
            )
        answer = await hub.call("POST", "/v1/chat/completions", data, person=person)
        assert answer.status == status, (body, answer.body)
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}, body
        assert error["code"], body
        assert len(error["message"]) > 20, body
        if param is not None:
            assert error["param"] == param, (body, error)
    assert await hub.entries(person) == []
    assert hub.fake.requests == []


@pytest.mark.parametrize(
    "given",
    [None, "", [], [""], [1.5], {"a": 1}, [["a"]], [[]], ["a", 1], ["x"] * 2049, [True]],
    ids=lambda v: str(v)[:20],
)
async def test_bad_embeddings(hub: Hub, given: Any) -> None:
    await hub.add_model("vectors", kind="embedding")
    answer = await hub.call("POST", "/v1/embeddings", {"model": "vectors", "input": given})
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "input"


async def test_tokens_can_be_embedded(hub: Hub) -> None:
    await hub.add_model("vectors", kind="embedding")
    for given in ([1, 2, 3], [[1, 2], [3]], ["a"]):
        assert (await hub.call("POST", "/v1/embeddings", {"model": "vectors", "input": given})).status == 200


async def test_oversize_bodies_are_refused_before_they_are_sent(hub: Hub) -> None:
    host, _, port = hub.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {hub.admin.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1100000\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(25):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request.too_large"


async def test_a_long_prompt_reaches_the_provider_or_is_refused_with_a_code(hub: Hub) -> None:
    await hub.add_model("alpha", context_length=200_000)
    messages = [{"role": "user", "content": "word " * 100_000}]
    answer = await hub.call("POST", "/v1/chat/completions", {"model": "alpha", "messages": messages})
    assert answer.status == 200


async def test_unknown_routes_and_methods(hub: Hub) -> None:
    assert (await hub.call("GET", "/v1/nothing")).json()["error"]["type"] == "not_found_error"
    answer = await hub.call("DELETE", "/v1/chat/completions")
    assert answer.status == 405
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_foreign_and_missing_credentials(hub: Hub) -> None:
    for key in ("", "ahk_nothing", "sk-123", "x" * 5000, "\u00e9"):
        stranger = Person(key, hub.admin.actor)
        answer = await hub.call("POST", "/v1/chat/completions", GOOD, person=stranger)
        assert answer.status == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


async def test_a_disabled_model_or_provider_does_not_exist(hub: Hub) -> None:
    model = await hub.add_model("alpha")
    await hub.add_model("beta")
    await hub.call("PATCH", f"/api/v1/models/{model['id']}", {"enabled": False})
    await hub.until_unknown("alpha")
    assert (await hub.call("POST", "/v1/chat/completions", GOOD)).status == 404
    await hub.call("PATCH", f"/api/v1/providers/{hub.provider_id}", {"enabled": False})
    await hub.until_unknown("beta")
    listed = (await hub.call("GET", "/v1/models")).json()["data"]
    assert not {"alpha", "beta"} & {m["id"] for m in listed}
