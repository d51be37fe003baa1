"""OpenAI's API: what an unmodified client of theirs calls."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from aihub.kernel.auth import Actor, requires
from aihub.kernel.errors import AihubError
from aihub.kernel.telemetry import context
from aihub.services.gateway import dialect
from aihub.services.gateway.adapters.sse import DONE, event_of
from aihub.services.gateway.contracts import ChatRequest, ModelInfo
from aihub.services.gateway.flight import Flight
from aihub.services.gateway.gateway import Gateway

router = APIRouter(prefix="/v1", tags=["openai"])

Caller = Annotated[Actor, requires("gateway:use")]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]

_JSON = "application/json"
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def _body_of(example: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": True, "required": list(example)}
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schema, "example": example}}}}


@router.get("/models", name="openai_list_models")
async def list_models(request: Request, caller: Caller) -> Response:
    """The models that can be called, with a key only those that it may use."""
    gateway = _gateway(request)
    await gateway.count_request(caller)
    models = await gateway.models(caller)
    return _json({"object": "list", "data": [_model(m) for m in models]})


@router.get("/models/{model:path}", name="openai_read_model")
async def read_model(request: Request, model: str, caller: Caller) -> Response:
    """One model, by its name or an alias."""
    gateway = _gateway(request)
    await gateway.count_request(caller)
    return _json(_model(await gateway.model(caller, model)))


@router.post(
    "/chat/completions",
    name="openai_chat",
    openapi_extra=_body_of({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}),
)
async def chat(request: Request, caller: Caller, idempotency_key: IdempotencyKey = None) -> Response:
    """An answer, whole or streamed. Fields the hub does not know pass to the provider."""
    body = dialect.parse(await request.body())
    gateway = _gateway(request)
    if body.get("stream") is True:
        flight = await gateway.open_stream(caller, ChatRequest(body), idempotency_key=idempotency_key)
        return FlightResponse(flight, with_usage=dialect.wants_usage(body))
    answer = await gateway.chat(caller, ChatRequest(body), idempotency_key=idempotency_key)
    return _json(answer.body)


@router.post(
    "/embeddings",
    name="openai_embed",
    openapi_extra=_body_of({"model": "all-minilm-l6-v2", "input": "Hello"}),
)
async def embed(request: Request, caller: Caller, idempotency_key: IdempotencyKey = None) -> Response:
    """Vectors for texts."""
    body = dialect.parse(await request.body())
    return _json(await _gateway(request).embed(caller, body, idempotency_key=idempotency_key))


class FlightResponse(StreamingResponse):
    """A streamed answer. However the caller goes, also before the first byte, the flight is told."""

    def __init__(self, flight: Flight, *, with_usage: bool) -> None:
        super().__init__(_relay(flight, with_usage), media_type="text/event-stream", headers=_STREAM_HEADERS)
        self._flight = flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._flight.leave()


async def _relay(flight: Flight, with_usage: bool) -> AsyncIterator[bytes]:
    """The provider's events as they came, without the usage nobody asked for; an error becomes an event."""
    try:
        async for chunk in flight.chunks():
            if with_usage or chunk.data["choices"] or not chunk.data.get("usage"):
                yield chunk.raw
        yield DONE
    except AihubError as error:
        _, body = dialect.openai_error(error, context.request_id.get())
        yield event_of(body)


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.runtime.get(Gateway)
    return gateway


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type=_JSON)


def _model(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created_at,
        "owned_by": model.provider.name,
    }
