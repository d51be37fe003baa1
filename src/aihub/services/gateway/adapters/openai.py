"""Providers that speak OpenAI's API: requests pass through, answers are read only as far as needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from pyreqwest.http import Url

from aihub.services.gateway.adapters.sse import Cutter, data_of
from aihub.services.gateway.adapters.upstream import Chunk
from aihub.services.gateway.adapters.wire import Wire, said
from aihub.services.gateway.contracts import ProviderCut, ProviderNonsense

# OpenAI's newer models refuse `max_tokens`; most compatible servers know nothing else.
_KNOWS_COMPLETION_TOKENS = (".openai.com", ".openai.azure.com")


class OpenAIUpstream:
    """One OpenAI-compatible endpoint."""

    def __init__(self, wire: Wire, api_key: str | None) -> None:
        self._wire = wire
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        host = Url(wire.base_url).host_str or ""
        newer = f".{host}".endswith(_KNOWS_COMPLETION_TOKENS)
        self._limit_field = "max_completion_tokens" if newer else "max_tokens"

    def limited(self, body: dict[str, Any], limit: int) -> dict[str, Any]:
        fields = [f for f in ("max_completion_tokens", "max_tokens") if body.get(f) is not None]
        return {**body, **dict.fromkeys(fields or [self._limit_field], limit)}

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = _object(await self._wire.post("/chat/completions", self._headers, body))
        choices = answer.get("choices")
        if not isinstance(choices, list) or not all(
            isinstance(c, dict) and isinstance(c.get("message"), dict) for c in choices
        ):
            raise ProviderNonsense("It has no choices with messages.")
        return answer

    @asynccontextmanager
    async def stream(self, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[Chunk]]:
        options = body.get("stream_options") or {}
        asked = {**body, "stream": True, "stream_options": {**options, "include_usage": True}}
        async with self._wire.stream("/chat/completions", self._headers, asked) as pieces:
            yield _chunks(pieces)

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = _object(await self._wire.post("/embeddings", self._headers, body))
        if not isinstance(answer.get("data"), list):
            raise ProviderNonsense("It has no list of embeddings.")
        return answer

    async def models(self, within: float) -> list[str]:
        answer = _object(await self._wire.get("/models", self._headers, within=within))
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise ProviderNonsense("It has no list of models.")
        return sorted(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[Chunk]:
    cutter = Cutter()
    finished = False
    async for piece in pieces:
        for event in cutter.feed(piece):
            data = data_of(event)
            if data is None:
                continue
            if data == b"[DONE]":
                return
            chunk = _chunk(data)
            finished = finished or _finishes(chunk.data)
            yield chunk
    rest = cutter.rest.strip()
    if rest == b"data: [DONE]":
        return
    if rest.startswith(b"{"):
        _object(_parsed(rest))
        raise ProviderNonsense("It sent one object where a stream of events was asked for.")
    if not finished:
        raise ProviderCut()


def _chunk(data: bytes) -> Chunk:
    parsed = _object(_parsed(data))
    choices = parsed.get("choices")
    if not isinstance(choices, list) or not all(isinstance(c, dict) for c in choices):
        raise ProviderNonsense("It sent an event that is not part of an answer.")
    if b"\n" in data:
        data = orjson.dumps(parsed)
    return Chunk(b"data: " + data + b"\n\n", parsed)


def _finishes(data: dict[str, Any]) -> bool:
    return any(c.get("finish_reason") for c in data["choices"])


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError as exc:
        raise ProviderNonsense("It is not JSON.") from exc


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ProviderNonsense("It is not an object.")
    if answer.get("error"):
        raise said(answer["error"])
    return answer
