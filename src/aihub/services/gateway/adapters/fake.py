"""A scripted provider: an honest stand-in that speaks OpenAI's and Anthropic's APIs over real HTTP.

    python -m aihub.services.gateway.adapters.fake --port 9100

Each model name is a script. Without one of that name the model repeats what it was told, so that it can
never be taken for a real one. Tests and demonstrations use it; a hub meets it only when an
administrator adds its address.
"""

import argparse
import asyncio
import base64
import hashlib
import struct
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolUse:
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """How a model behaves. Times are seconds; counts are pieces of a streamed answer."""

    text: str | None = None
    tools: tuple[ToolUse, ...] = ()
    first_delay: float = 0.0
    gap: float = 0.0
    status: int = 200
    error: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    usage: tuple[int, int] | None = None
    counts: bool = True
    cut_after: int | None = None
    error_after: int | None = None
    nonsense_after: int | None = None
    nonsense: bytes | None = None
    ends: bool = True
    shred: int | None = None
    """Send a stream in pieces of so many bytes, across events and characters."""


SCRIPTS: dict[str, Script] = {
    "echo": Script(),
    "slow": Script(text=" ".join(f"word{n}" for n in range(1, 61)), first_delay=0.5, gap=0.25),
    "long": Script(text=" ".join(f"word{n}" for n in range(1, 501)), gap=0.02),
    "markdown": Script(
        text="# Title\n\nA **bold** word, `code`, and:\n\n```python\nprint('hello')\n```\n\n1. one\n2. two\n"
    ),
    "cut": Script(text="This answer breaks off before it is", cut_after=4),
    "broken": Script(nonsense=b"<html>not an answer</html>", nonsense_after=2, text="one two three"),
    "down": Script(status=500, error={"message": "scripted failure", "type": "server_error"}),
    "limited": Script(status=429, error={"message": "scripted limit"}, headers=(("retry-after", "7"),)),
    "weather": Script(tools=(ToolUse("get_weather", {"city": "Paris"}),)),
}


@dataclass(slots=True)
class FakeProvider:
    """The ASGI application. `requests` keeps the bodies it was sent, with their path under `path`."""

    scripts: dict[str, Script] = field(default_factory=lambda: dict(SCRIPTS))
    api_key: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    keep: int = 1000

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.running -= 1

    async def _answer(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        path = str(scope["path"]).removeprefix("/v1")
        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_key is not None and given != self.api_key:
            error = {"message": "Incorrect API key provided.", "code": "invalid_api_key"}
            await _json(send, 401, {"error": error})
            return
        if path == "/models":
            await _json(send, 200, {"object": "list", "data": [{"id": m} for m in self.scripts]})
            return
        body = orjson.loads(await _read(receive))
        self.requests.append({"path": path, **body})
        del self.requests[: -self.keep]
        script = self.scripts.get(str(body.get("model")), Script())
        await asyncio.sleep(script.first_delay)
        if script.status != 200:
            await _json(send, script.status, {"error": script.error}, script.headers)
        elif path == "/embeddings":
            await _json(send, 200, _embeddings(body, script))
        elif path not in ("/chat/completions", "/messages"):
            await _json(send, 404, {"error": {"message": f"no route {path}"}})
        elif script.nonsense is not None and script.nonsense_after is None:
            await _raw(send, script.nonsense)
        else:
            talk = _Talk(body, script, anthropic=path == "/messages")
            if not body.get("stream"):
                await _json(send, 200, talk.whole())
            else:
                await _until_gone(receive, _stream(send, talk, script))


async def _stream(send: Any, talk: "_Talk", script: Script) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    )
    number = 0
    async for event in talk.events():
        for piece in _shredded(event, script.shred):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        number += 1
        if number == script.cut_after:
            return  # without an end: the server closes the connection
        if number == script.nonsense_after:
            event = b"data: " + (script.nonsense or b"{not json") + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})
        if number == script.error_after:
            error = script.error or {"message": "scripted failure", "type": "server_error"}
            event = b"data: " + orjson.dumps({"type": "error", "error": error}) + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": False})
            return
        await asyncio.sleep(script.gap)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Any, work: Coroutine[Any, Any, None]) -> None:
    """Stop working for a caller who has left, as a real provider does."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Talk:
    """One answer in either dialect."""

    def __init__(self, body: dict[str, Any], script: Script, *, anthropic: bool) -> None:
        self.body, self.script, self.anthropic = body, script, anthropic
        self.model = str(body.get("model"))
        last = body["messages"][-1]
        answered = last.get("role") == "tool" or "tool_result" in str(last.get("content"))
        self.tools = () if answered else script.tools
        self.text = "" if self.tools else self._text(last)

    def _text(self, last: Mapping[str, Any]) -> str:
        if self.script.text is not None:
            return self.script.text
        wanted = self.body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            return orjson.dumps(_sample(wanted["json_schema"].get("schema", {}))).decode()
        return f"You said: {_words(last.get('content'))}"

    @property
    def counted(self) -> tuple[int, int]:
        asked = sum(len(_words(m.get("content")).split()) for m in self.body["messages"])
        return self.script.usage or (asked, max(1, len(self.text.split())))

    def whole(self) -> dict[str, Any]:
        if self.anthropic:
            return self._whole_message()
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self.tools:
            message["tool_calls"] = [_openai_call(n, tool) for n, tool in enumerate(self.tools)]
        reason = "tool_calls" if self.tools else "stop"
        out = {
            **self._head("chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        }
        if self.script.counts:
            out["usage"] = self._usage()
        return out

    async def events(self) -> AsyncIterator[bytes]:
        async for event in self._message_events() if self.anthropic else self._chunk_events():
            yield event

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-fake", "object": kind, "created": int(time.time()), "model": self.model}

    def _usage(self) -> dict[str, int]:
        asked, answered = self.counted
        return {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
        }

    async def _chunk_events(self) -> AsyncIterator[bytes]:
        head = self._head("chat.completion.chunk")

        def chunk(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
            return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

        yield chunk({"role": "assistant", "content": ""})
        for word in _pieces(self.text):
            yield chunk({"content": word})
        for number, tool in enumerate(self.tools):
            call = _openai_call(number, tool)
            arguments = call["function"]["arguments"]
            call["function"]["arguments"] = ""
            yield chunk({"tool_calls": [{"index": number, **call}]})
            for part in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
                yield chunk({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
        yield chunk({}, "tool_calls" if self.tools else "stop")
        wants = (self.body.get("stream_options") or {}).get("include_usage")
        if self.script.counts and wants:
            yield _event({**head, "choices": [], "usage": self._usage()})
        if self.script.ends:
            yield b"data: [DONE]\n\n"

    def _whole_message(self) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": self.text}] if self.text else []
        content += [
            {"type": "tool_use", "id": f"toolu_{n}", "name": tool.name, "input": tool.arguments}
            for n, tool in enumerate(self.tools)
        ]
        asked, answered = self.counted
        return {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": "tool_use" if self.tools else "end_turn",
            "usage": {"input_tokens": asked, "output_tokens": answered} if self.script.counts else None,
        }

    async def _message_events(self) -> AsyncIterator[bytes]:
        asked, answered = self.counted
        start = {**self._whole_message(), "content": [], "usage": {"input_tokens": asked, "output_tokens": 1}}
        yield _named("message_start", {"message": start})
        yield _named("ping", {})
        if self.text:
            yield _named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
            for word in _pieces(self.text):
                yield _named(
                    "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}}
                )
            yield _named("content_block_stop", {"index": 0})
        for number, tool in enumerate(self.tools):
            block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool.name, "input": {}}
            yield _named("content_block_start", {"index": number, "content_block": block})
            arguments = orjson.dumps(tool.arguments).decode()
            for part in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
                delta = {"type": "input_json_delta", "partial_json": part}
                yield _named("content_block_delta", {"index": number, "delta": delta})
            yield _named("content_block_stop", {"index": number})
        reason = "tool_use" if self.tools else "end_turn"
        yield _named(
            "message_delta", {"delta": {"stop_reason": reason}, "usage": {"output_tokens": answered}}
        )
        if self.script.ends:
            yield _named("message_stop", {})


def _openai_call(number: int, tool: ToolUse) -> dict[str, Any]:
    function = {"name": tool.name, "arguments": orjson.dumps(tool.arguments).decode()}
    return {"id": f"call_{number}", "type": "function", "function": function}


def _embeddings(body: Mapping[str, Any], script: Script) -> dict[str, Any]:
    given = body["input"]
    texts = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    rows = []
    for index, text in enumerate(texts):
        digest = hashlib.sha256(orjson.dumps(text)).digest()
        vector: Any = [byte / 255 for byte in digest[:8]]
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack("<8f", *vector)).decode()
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    out: dict[str, Any] = {"object": "list", "model": body["model"], "data": rows}
    if script.counts:
        tokens = script.usage[0] if script.usage else sum(len(str(t).split()) for t in texts)
        out["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return out


def _sample(schema: Mapping[str, Any]) -> Any:
    """The smallest value that fits a JSON schema of the usual kinds."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _sample(inner) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_sample(schema.get("items", {"type": "string"}))]
    return {"string": "sample", "integer": 1, "number": 1.5, "boolean": True}.get(str(kind))


def _words(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return str(content or "")


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:] if text else []


def _event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _named(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\n" + _event({"type": name, **data})


def _shredded(event: bytes, size: int | None) -> list[bytes]:
    return [event] if size is None else [event[n : n + size] for n in range(0, len(event), size)]


async def _read(receive: Any) -> bytes:
    body = b""
    while True:
        message: Message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _json(send: Any, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
    pairs = [(b"content-type", b"application/json"), *((k.encode(), v.encode()) for k, v in headers)]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})


async def _raw(send: Any, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve the built-in scripts on loopback."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--api-key", default=None, help="refuse callers without this key")
    options = parser.parse_args()
    provider = FakeProvider(api_key=options.api_key)
    uvicorn.run(provider, host="127.0.0.1", port=options.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
