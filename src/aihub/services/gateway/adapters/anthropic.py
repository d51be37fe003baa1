"""Providers that speak Anthropic's Messages API, translated from and to OpenAI's chat completions."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from aihub.services.gateway.adapters.sse import Cutter, data_of, event_of
from aihub.services.gateway.adapters.upstream import Chunk
from aihub.services.gateway.adapters.wire import Wire, said
from aihub.services.gateway.contracts import InvalidCall, ProviderCut, ProviderNonsense, WrongModelKind
from aihub.services.gateway.domain import DEEPEST, deeper

VERSION = "2023-06-01"
_JSON_TOOL = "answer_as_json"
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicUpstream:
    """One Anthropic-compatible endpoint."""

    def __init__(self, wire: Wire, api_key: str | None) -> None:
        self._wire = wire
        self._path = "/messages" if wire.base_url.endswith("/v1") else "/v1/messages"
        self._headers = {"anthropic-version": VERSION}
        if api_key:
            self._headers["x-api-key"] = api_key

    def limited(self, body: dict[str, Any], limit: int) -> dict[str, Any]:
        rest = {k: v for k, v in body.items() if k != "max_completion_tokens"}
        return {**rest, "max_tokens": limit}

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._wire.post(self._path, self._headers, request_of(body))
        return completion_of(answer)

    @asynccontextmanager
    async def stream(self, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[Chunk]]:
        asked = {**request_of(body), "stream": True}
        async with self._wire.stream(self._path, self._headers, asked) as pieces:
            yield _chunks(pieces)

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        raise WrongModelKind("Anthropic has no embeddings.")

    async def models(self, within: float) -> list[str]:
        path = self._path.replace("/messages", "/models") + "?limit=1000"
        answer = await self._wire.get(path, self._headers, within=within)
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise ProviderNonsense("It has no list of models.")
        return sorted(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)


# ---------------------------------------------------------------- requests


def request_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The Messages request that means what this chat completion means.

    Raises InvalidCall for what the other dialect cannot express.
    """
    if body.get("n") not in (None, 1):
        raise InvalidCall("Models of this provider give one answer; leave out 'n'.")
    out: dict[str, Any] = {"model": body["model"], "max_tokens": body["max_tokens"]}
    system, out["messages"] = _messages(body["messages"])
    if system:
        out["system"] = system
    if body.get("temperature") is not None:
        out["temperature"] = min(body["temperature"], 1)
    if body.get("top_p") is not None:
        out["top_p"] = body["top_p"]
    if stop := body.get("stop"):
        out["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if isinstance(body.get("user"), str):
        out["metadata"] = {"user_id": body["user"]}
    _add_tools(out, body)
    return out


def _inner(outer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = outer.get(name)
    if not isinstance(value, Mapping):
        raise InvalidCall(f"'{name}' is not an object.")
    return value


def _add_tools(out: dict[str, Any], body: Mapping[str, Any]) -> None:
    tools = body.get("tools") or []
    schema = _schema(body.get("response_format"))
    if schema is not None:
        if tools:
            raise InvalidCall("Models of this provider take tools or a response_format, not both.")
        out["tools"] = [
            {"name": _JSON_TOOL, "description": "Give the answer in this form.", "input_schema": schema}
        ]
        out["tool_choice"] = {"type": "tool", "name": _JSON_TOOL}
        return
    if not tools:
        return
    out["tools"] = [_tool(tool) for tool in tools]
    choice = body.get("tool_choice")
    translated: dict[str, Any] = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if isinstance(choice, Mapping):
        translated = {"type": "tool", "name": str(_inner(choice, "function").get("name"))}
    if body.get("parallel_tool_calls") is False and translated["type"] != "none":
        translated["disable_parallel_tool_use"] = True
    if choice is not None or len(translated) > 1:
        out["tool_choice"] = translated


def _schema(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, Mapping):
        return None
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    if wanted.get("type") == "json_schema":
        schema = _inner(wanted, "json_schema").get("schema")
        if not isinstance(schema, dict):
            raise InvalidCall("response_format.json_schema.schema is not an object.")
        return schema
    return None


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = _inner(tool, "function")
    if not isinstance(function.get("name"), str):
        raise InvalidCall("Each tool needs a function with a name.")
    out = {
        "name": function["name"],
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    if function.get("description"):
        out["description"] = function["description"]
    return out


def _messages(messages: list[Any]) -> tuple[str, list[dict[str, Any]]]:
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            system.append(_plain(message.get("content")))
            continue
        blocks = _blocks(role, message)
        speaker = "assistant" if role == "assistant" else "user"
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": speaker, "content": blocks})
    if not turns:
        raise InvalidCall("messages has nothing but system messages.")
    return "\n\n".join(part for part in system if part), turns


def _blocks(role: str, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if role in ("tool", "function"):
        return [
            {
                "type": "tool_result",
                "tool_use_id": str(message.get("tool_call_id") or message.get("name")),
                "content": _plain(content),
            }
        ]
    if isinstance(content, str):
        blocks = [{"type": "text", "text": content}] if content else []
    else:
        blocks = [_part(part) for part in content or []]
    if role == "assistant":
        blocks.extend(_tool_use(call) for call in message.get("tool_calls") or [])
    return blocks


def _part(part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in ("text", "refusal"):
        return {"type": "text", "text": str(part.get("text") or part.get("refusal") or "")}
    if kind == "image_url":
        image = part.get("image_url")
        url = str(image.get("url") if isinstance(image, Mapping) else image)
        if not url.startswith("data:"):
            return {"type": "image", "source": {"type": "url", "url": url}}
        head, _, data = url.removeprefix("data:").partition(",")
        source = {"type": "base64", "media_type": head.removesuffix(";base64"), "data": data}
        return {"type": "image", "source": source}
    raise InvalidCall(f"Models of this provider cannot read a part of type {kind}.")


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = _inner(call, "function")
    try:
        given = orjson.loads(str(function.get("arguments") or "{}"))
    except ValueError as exc:
        raise InvalidCall("The arguments of a tool call are not JSON.") from exc
    if not isinstance(given, dict) or deeper(given, DEEPEST):
        raise InvalidCall("The arguments of a tool call are not an object, or nested too deeply.")
    return {"type": "tool_use", "id": str(call.get("id")), "name": str(function.get("name")), "input": given}


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(
            str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in content
        )
    return str(content) if content is not None else ""


# ---------------------------------------------------------------- answers


def completion_of(answer: Any) -> dict[str, Any]:
    """The chat.completion for a Messages answer. Raises ProviderError for anything else."""
    if isinstance(answer, dict) and answer.get("type") == "error":
        raise said(answer.get("error"))
    content = answer.get("content") if isinstance(answer, dict) else None
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise ProviderNonsense("It has no content.")
    text: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in content:
        if block.get("type") == "text":
            text.append(str(block.get("text", "")))
        elif block.get("type") == "tool_use" and block.get("name") == _JSON_TOOL:
            text.append(orjson.dumps(block.get("input")).decode())
        elif block.get("type") == "tool_use":
            arguments = orjson.dumps(block.get("input") or {}).decode()
            function = {"name": block.get("name"), "arguments": arguments}
            calls.append({"id": block.get("id"), "type": "function", "function": function})
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None}
    if calls:
        message["tool_calls"] = calls
    reason = _REASONS.get(str(answer.get("stop_reason")), "stop")
    if reason == "tool_calls" and not calls:
        reason = "stop"
    out: dict[str, Any] = {
        "id": str(answer.get("id")),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(answer.get("model")),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
    }
    if isinstance(answer.get("usage"), dict):
        out["usage"] = _usage(answer["usage"])
    return out


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    cached = _count(usage, "cache_read_input_tokens")
    prompt = _count(usage, "input_tokens") + cached + _count(usage, "cache_creation_input_tokens")
    answer = _count(usage, "output_tokens")
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[Chunk]:
    cutter, translation = Cutter(), Translation()
    async for piece in pieces:
        for event in cutter.feed(piece):
            data = data_of(event)
            if data is None:
                continue
            try:
                parsed = orjson.loads(data)
            except ValueError as exc:
                raise ProviderNonsense("It is not JSON.") from exc
            for out in translation.take(parsed):
                yield Chunk(event_of(out), out)
            if translation.complete:
                return
    if cutter.rest.strip().startswith(b"{"):
        raise ProviderNonsense("It sent one object where a stream of events was asked for.")
    raise ProviderCut()


class Translation:
    """Turns the events of one Messages stream into chat.completion.chunks."""

    def __init__(self) -> None:
        self.complete = False
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._calls = 0
        self._json = False

    def take(self, event: Any) -> list[dict[str, Any]]:
        """The chunks for one event. Raises ProviderError."""
        if not isinstance(event, dict):
            raise ProviderNonsense("It sent an event that is not an object.")
        kind = event.get("type")
        if kind == "error":
            raise said(event.get("error"))
        if kind == "message_start":
            return self._start(_part_of(event, "message"))
        if kind == "content_block_start":
            return self._block(_part_of(event, "content_block"))
        if kind == "content_block_delta":
            return self._delta(_part_of(event, "delta"))
        if kind == "message_delta":
            self._count(event.get("usage"))
            reason = _REASONS.get(str(_part_of(event, "delta").get("stop_reason")), "stop")
            if reason == "tool_calls" and self._calls == 0:
                reason = "stop"
            return [self._chunk({}, reason)]
        if kind == "message_stop":
            self.complete = True
            return [{**self._head, "choices": [], "usage": _usage(self._usage)}]
        return []

    def _start(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._count(message.get("usage"))
        self._head = {
            "id": str(message.get("id")),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": str(message.get("model")),
        }
        return [self._chunk({"role": "assistant", "content": ""})]

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._usage.update(usage)

    def _block(self, block: Mapping[str, Any]) -> list[dict[str, Any]]:
        if block.get("type") == "text" and block.get("text"):
            return [self._chunk({"content": str(block["text"])})]
        if block.get("type") != "tool_use":
            return []
        if block.get("name") == _JSON_TOOL:
            self._json = True
            return []
        self._calls += 1
        function = {"name": block.get("name"), "arguments": ""}
        return [self._tool({"id": block.get("id"), "type": "function", "function": function})]

    def _delta(self, delta: Mapping[str, Any]) -> list[dict[str, Any]]:
        if delta.get("type") == "text_delta":
            return [self._chunk({"content": str(delta.get("text", ""))})]
        if delta.get("type") == "input_json_delta":
            piece = str(delta.get("partial_json", ""))
            if self._json:
                return [self._chunk({"content": piece})] if piece else []
            return [self._tool({"function": {"arguments": piece}})]
        return []

    def _tool(self, call: dict[str, Any]) -> dict[str, Any]:
        return self._chunk({"tool_calls": [{"index": self._calls - 1, **call}]})

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head, "choices": [choice]}


def _part_of(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = event.get(name)
    if not isinstance(part, dict):
        raise ProviderNonsense(f"It sent an event without its {name}.")
    return part
