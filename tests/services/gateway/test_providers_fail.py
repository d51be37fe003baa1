"""Providers that are down, slow, cut off, wrong or talking nonsense."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.services.gateway.conftest import Answer, Hub, open_hub
from tests.support.waiting import until

from aihub.kernel.health import Health
from aihub.services.gateway.adapters.fake import Script

HELLO = [{"role": "user", "content": "hello"}]
ERROR = {"message": "their words", "type": "invalid_request_error", "param": "top_k", "code": "bad_value"}

STATUSES: list[tuple[Script, int, str]] = [
    (Script(status=400, error=ERROR), 400, "bad_value"),
    (Script(status=422, error=ERROR), 400, "bad_value"),
    (
        Script(status=400, error={"message": "x", "code": "context_length_exceeded"}),
        400,
        "context_length_exceeded",
    ),
    (Script(status=401, error=ERROR), 502, "provider.key_refused"),
    (Script(status=403, error=ERROR), 502, "provider.key_refused"),
    (Script(status=404, error=ERROR), 502, "provider.model_missing"),
    (Script(status=408, error=None), 504, "provider.timeout"),
    (Script(status=429, error=ERROR, headers=(("retry-after", "7"),)), 429, "rate_limit_exceeded"),
    (Script(status=429, error=None), 429, "rate_limit_exceeded"),
    (Script(status=500, error=ERROR), 502, "provider.failed"),
    (Script(status=503, error="a text"), 502, "provider.failed"),
    (
        Script(status=302, error=None, headers=(("location", "http://169.254.169.254/"),)),
        502,
        "provider.bad_answer",
    ),
]
NONSENSE = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'"x"',
    b'{"choices": {}}',
    b'{"choices": [1]}',
    b"\xff\xfe\x00",
    b"{" * 3000,
]


async def chat(hub: Hub, *, stream: bool = False, model: str = "alpha", **fields: Any) -> Answer:
    body = {"model": model, "messages": HELLO, "stream": stream, **fields}
    return await hub.call("POST", "/v1/chat/completions", body)


@pytest.mark.parametrize("streamed", [False, True])
async def test_statuses(hub: Hub, streamed: bool) -> None:
    for number, (script, status, code) in enumerate(STATUSES):
        await hub.add_model(f"m{number}", script)
        answer = await chat(hub, stream=streamed, model=f"m{number}")
        assert (answer.status, answer.json()["error"]["code"]) == (status, code), script
        assert ("retry-after" in answer.headers) == (status == 429)
    answer = await chat(hub, stream=streamed, model="m0")
    assert answer.json()["error"]["message"] == "their words"
    assert answer.json()["error"]["param"] == "top_k"
    secretive = await chat(hub, stream=streamed, model="m9")
    assert "their words" not in secretive.json()["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_nonsense(hub: Hub, streamed: bool) -> None:
    for number, raw in enumerate(NONSENSE):
        await hub.add_model(f"m{number}", Script(nonsense=raw))
        answer = await chat(hub, stream=streamed, model=f"m{number}")
        assert answer.status == 502, raw
        assert answer.json()["error"]["code"] in ("provider.bad_answer", "provider.cut"), raw


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_error_inside_a_success(hub: Hub, streamed: bool) -> None:
    await hub.add_model("alpha", Script(nonsense=orjson.dumps({"error": ERROR})))
    answer = await chat(hub, stream=streamed)
    assert answer.status == 400
    assert answer.json()["error"]["message"] == "their words"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (Script(text="a b c d", cut_after=3), "provider.cut"),
        (Script(text="a b c d", nonsense_after=3), "provider.bad_answer"),
        (Script(text="a b c d", error_after=3), "provider.failed"),
        (
            Script(text="a b c d", error_after=3, error={"type": "overloaded_error", "message": "x"}),
            "rate_limit_exceeded",
        ),
    ],
)
async def test_a_stream_that_breaks_keeps_its_beginning(hub: Hub, script: Script, code: str) -> None:
    await hub.add_model("alpha", script)
    answer = await chat(hub, stream=True)
    assert answer.status == 200
    *events, last = [orjson.loads(e.removeprefix(b"data: ")) for e in answer.body.split(b"\n\n") if e]
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == "a b "
    assert last["error"]["code"] == code


async def test_a_stream_without_its_end_mark_is_whole_when_it_finished(hub: Hub) -> None:
    await hub.add_model("alpha", Script(text="a b", ends=False))
    answer = await chat(hub, stream=True)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in answer.body


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
async def test_shredded_streams_arrive_whole(hub: Hub, size: int) -> None:
    text = "Zwölf Boxkämpfer jagen 🥊 über den 大 Sylter Deich"
    await hub.add_model("alpha", Script(text=text, shred=size))
    answer = await chat(hub, stream=True)
    events = [orjson.loads(e.removeprefix(b"data: ")) for e in answer.body.split(b"\n\n")[:-2]]
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events) == text


async def test_a_provider_that_is_not_there(hub: Hub) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        wish = {
            "name": "gone",
            "kind": "openai",
            "base_url": f"http://127.0.0.1:{closed.getsockname()[1]}/v1",
            "allow_private": True,
        }
        hub.provider_id = (await hub.call("POST", "/api/v1/providers", wish)).json()["id"]
        await hub.add_model("alpha")
        for streamed in (False, True):
            answer = await chat(hub, stream=streamed)
            assert (answer.status, answer.json()["error"]["code"]) == (503, "provider.unreachable")


async def test_slow_providers(dsn: str, home: Path) -> None:
    limits = {
        "AIHUB_PROVIDER_FIRST_BYTE_TIMEOUT": "1",
        "AIHUB_PROVIDER_GAP_TIMEOUT": "1",
        "AIHUB_PROVIDER_TOTAL_TIMEOUT": "2.5",
    }
    async with open_hub(dsn, home, **limits) as hub:
        await hub.add_model("late", Script(text="a", first_delay=20))
        await hub.add_model("stalls", Script(text="a b c", gap=20))
        await hub.add_model("endless", Script(text="w " * 400, gap=0.1))
        started = asyncio.get_running_loop().time()
        whole = await chat(hub, model="late")
        assert (whole.status, whole.json()["error"]["code"]) == (504, "provider.timeout")
        late = await chat(hub, model="late", stream=True)
        assert (late.status, late.json()["error"]["code"]) == (504, "provider.timeout")
        for model in ("stalls", "endless"):
            answer = await chat(hub, model=model, stream=True)
            assert answer.status == 200
            assert b"provider.timeout" in answer.body
        assert asyncio.get_running_loop().time() - started < 20


async def test_health_follows_real_calls(hub: Hub) -> None:
    await hub.add_model("good", Script(text="a"))
    await hub.add_model("bad", Script(status=500))
    health = hub.runtime.get(Health)

    async def state() -> str:
        health._kept.clear()
        return (await health.check(["ai"])).results[0].reading.state.value

    assert await state() == "ok"
    await chat(hub, model="bad")
    assert await state() == "failed"
    listed = (await hub.call("GET", "/api/v1/models")).json()["items"]
    assert {m["name"]: m["state"] for m in listed}["bad"] == "failed"
    await chat(hub, model="good", stream=True)
    await until(lambda: not hub.gateway._flights)
    assert await state() == "ok"
    assert [r["model"] for r in hub.fake.requests] == ["bad", "good"]


async def test_an_embedded_model_that_is_switched_off(hub: Hub) -> None:
    answer = await chat(hub, model="demo")
    assert (answer.status, answer.json()["error"]["code"]) == (503, "model.unavailable")
    state = (await hub.call("GET", "/api/v1/embedded")).json()
    assert state["state"] == "stopped"
