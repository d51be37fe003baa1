"""OpenAI's embeddings API over one encoder, as a bare ASGI application."""

import asyncio
import base64
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from aihub.services.gateway.adapters.embedded.encoder import DIMENSIONS, MAX_TOKENS, Encoder, Vectors, batches

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_TEXTS = 2048
MAX_BODY = 10 * 1024 * 1024


class Refused(Exception):
    """A request we do not serve, in the words of OpenAI's error object."""

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {
                "message": message,
                "type": "authentication_error" if status == 401 else "invalid_request_error",
                "param": param,
                "code": code,
            }
        }


class CallerLeft(Exception):
    """The connection closed before the answer was complete."""


@dataclass(frozen=True, slots=True)
class Question:
    texts: list[str]
    as_base64: bool
    model: str


class EmbeddingsApp:
    """Serves one encoder; `idle_since` is the monotonic time of the last answer, None while working."""

    def __init__(self, encoder: Encoder, api_key: str, name: str) -> None:
        self._encoder = encoder
        self._credential = f"Bearer {api_key}".encode("ascii")
        self._name = name
        # First come, first served, one batch at a time: a short question waits for one batch of each
        # long request at most, never for all of it.
        self._turn = asyncio.Lock()
        self._working = 0
        self._last = time.monotonic()

    @property
    def idle_since(self) -> float | None:
        return None if self._working else self._last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/health":
            await _answer(send, 200, {"status": "ok"})
            return
        self._working += 1
        try:
            await _answer(send, 200, await self._serve(scope, receive))
        except Refused as refused:
            await _answer(send, refused.status, refused.body)
        except CallerLeft:
            pass
        finally:
            self._working -= 1
            self._last = time.monotonic()

    async def _serve(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        if not hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._credential):
            raise Refused("The API key is missing or wrong.", status=401, code="invalid_api_key")
        call = (scope["method"], scope["path"])
        if call == ("GET", "/v1/models"):
            return {"object": "list", "data": [{"id": self._name, "object": "model", "owned_by": "aihub"}]}
        if call != ("POST", "/v1/embeddings"):
            raise Refused("There is nothing at this address.", status=404)
        question = read_question(await _body(receive), self._name)
        left = asyncio.ensure_future(_disconnected(receive))
        try:
            return await self._embed(question, left)
        finally:
            left.cancel()

    async def _embed(self, question: Question, left: "asyncio.Future[None]") -> dict[str, Any]:
        tokens: list[list[int]] = []
        for index, text in enumerate(question.texts):
            ids = await asyncio.to_thread(self._encoder.tokens, text)
            if len(ids) > MAX_TOKENS:
                raise Refused(
                    f"This model's maximum context length is {MAX_TOKENS} tokens, but input {index} has "
                    f"{len(ids)} tokens. Split the text into shorter pieces.",
                    param="input",
                    code="context_length_exceeded",
                )
            tokens.append(ids)
        vectors: Vectors = np.empty((len(tokens), DIMENSIONS), dtype=np.float32)
        for batch in batches([len(t) for t in tokens]):
            async with self._turn:
                if left.done():
                    raise CallerLeft
                vectors[batch] = await asyncio.to_thread(self._encoder.encode, [tokens[i] for i in batch])
        used = sum(map(len, tokens))
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _written(v, question.as_base64)}
                for i, v in enumerate(vectors)
            ],
            "model": question.model,
            "usage": {"prompt_tokens": used, "total_tokens": used},
        }


def read_question(body: bytes, name: str) -> Question:
    """Parse a request body; raises Refused with the field at fault."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Refused("The body is not well-formed UTF-8 JSON.") from exc
    if not isinstance(request, dict):
        raise Refused("The body must be a JSON object.")
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise Refused("'input' must be a string or a list of strings.", param="input")
    if len(texts) > MAX_TEXTS:
        raise Refused(f"'input' may hold at most {MAX_TEXTS} strings.", param="input")
    for text in texts:
        if not isinstance(text, str):
            raise Refused("'input' must be strings: this model takes no token arrays.", param="input")
        if not text:
            raise Refused("'input' may not contain an empty string.", param="input")
    if request.get("dimensions") not in (None, DIMENSIONS):
        raise Refused(f"This model has {DIMENSIONS} dimensions and no others.", param="dimensions")
    encoding = request.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise Refused("'encoding_format' must be 'float' or 'base64'.", param="encoding_format")
    model = request.get("model")
    return Question(texts, encoding == "base64", model if isinstance(model, str) and model else name)


def _written(vector: Vectors, as_base64: bool) -> object:
    if as_base64:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return vector


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        parts += message.get("body", b"")
        if len(parts) > MAX_BODY:
            raise Refused(f"The body is larger than {MAX_BODY >> 20} MB.", status=413)
        if not message.get("more_body", False):
            return bytes(parts)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, body: object) -> None:
    payload = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(payload))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
