"""The model class that pydantic-ai is given: every request goes through the hub's own gateway."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext
from pydantic_ai.usage import RequestUsage

from aihub.agents.contracts import ContextTooLong, EmptyAnswer
from aihub.agents.runs.answering import Tally
from aihub.agents.runs.brake import Brake
from aihub.agents.runs.dialogue import dialogue, function
from aihub.agents.runs.prompt import BYTES_PER_TOKEN, fitting, going_on
from aihub.agents.runs.seam import Seam
from aihub.kernel.auth import Actor
from aihub.kernel.db.database import DatabaseBusy, DatabaseConflict, DatabaseUnavailable
from aihub.kernel.errors import Unavailable
from aihub.services.gateway.contracts import ChatRequest, ContextExceeded, ModelInfo, ProviderError
from aihub.services.gateway.service import Flight, Gateway

_SETTLE_SECONDS = 5.0
_PATIENCE = {
    DatabaseUnavailable.code: 30.0,
    DatabaseBusy.code: 30.0,
    DatabaseConflict.code: 30.0,
    "model.loading": 300.0,
}
"""Seconds to wait for what keeps a call from beginning but passes by itself."""
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
}


class GatewayModel(Model[Any]):
    """One model of the hub for one run, on behalf of one actor.

    `beginning` is what the answer says already: it is given out first, and the model's own words follow.
    """

    _announces_lookalike_notes = False

    def __init__(
        self,
        gateway: Gateway,
        actor: Actor,
        model: ModelInfo,
        *,
        key: str,
        brake: Brake,
        tally: Tally,
        beginning: str = "",
    ) -> None:
        super().__init__(profile={"supports_tools": not model.demonstration})
        self.gateway, self.actor, self.info = gateway, actor, model
        self.brake, self.tally = brake, tally
        self._key = key
        self._requests = 0
        self._beginning = beginning

    @property
    def model_name(self) -> str:
        return self.info.name

    @property
    def system(self) -> str:
        return "aihub"

    @property
    def prefill(self) -> bool:
        """Whether the provider goes on with a last message of the assistant. The engine of this machine
        does; elsewhere it depends on the model, so nobody else is trusted with it."""
        return self.info.provider.kind == "embedded"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _ in stream:
                pass
            return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        beginning, self._beginning = self._beginning, ""
        body: dict[str, Any] = {
            "model": self.info.name,
            "messages": dialogue(messages) + (going_on(beginning, prefill=self.prefill) if beginning else []),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        temperature = settings.get("temperature") if settings else None
        # The demonstration model writes sense only at the temperature its makers chose for it.
        if temperature is not None and not self.info.demonstration:
            body["temperature"] = temperature
        if parameters.function_tools:
            body["tools"] = [function(tool) for tool in parameters.function_tools]
        self._requests += 1
        response = GatewayStream(
            model_request_parameters=parameters,
            gateway_model=self,
            body=body,
            key=f"{self._key}:{self._requests}",
            beginning=beginning,
        )
        try:
            yield response
        finally:
            await response.close_stream()


@dataclass
class GatewayStream(StreamedResponse):
    """One answer of the gateway as pydantic-ai's events. The call begins with the iteration."""

    gateway_model: GatewayModel
    body: dict[str, Any]
    key: str
    beginning: str
    _flight: Flight | None = field(default=None, init=False)
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        seam = Seam("" if self.gateway_model.prefill else self.beginning)
        for event in self._text(self.beginning):
            yield event
        async for chunk in self._chunks():
            for choice in chunk.get("choices") or ():
                for event in self._choice(choice, seam):
                    yield event
        for event in self._text(seam.end()):
            yield event
        if not any(isinstance(part, TextPart | ToolCallPart) for part in self._parts_manager.get_parts()):
            raise EmptyAnswer()

    def _choice(self, choice: dict[str, Any], seam: Seam) -> Iterator[ModelResponseStreamEvent]:
        delta = choice.get("delta") or {}
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield from self._parts_manager.handle_thinking_delta(
                vendor_part_id="thinking", content=str(thought)
            )
        if words := delta.get("content"):
            yield from self._text(seam.push(str(words)))
        for call in delta.get("tool_calls") or ():
            yield from self._tool_call(call)
        if reason := choice.get("finish_reason"):
            self.finish_reason = _FINISH.get(reason, "stop")

    def _text(self, words: str) -> Sequence[ModelResponseStreamEvent]:
        if not words:
            return ()
        return list(self._parts_manager.handle_text_delta(vendor_part_id="content", content=words))

    def _tool_call(self, call: dict[str, Any]) -> Sequence[ModelResponseStreamEvent]:
        asked = call.get("function") or {}
        return list(
            self._parts_manager.handle_tool_call_delta_events(
                vendor_part_id=f"tool-{call.get('index', 0)}",
                tool_name=asked.get("name") or None,
                args=asked.get("arguments") or None,
                tool_call_id=call.get("id") or None,
            )
        )

    async def _chunks(self) -> AsyncIterator[dict[str, Any]]:
        """The gateway's chunks, until they end or the brake is pulled."""
        brake = self.gateway_model.brake
        self._flight = await self._open()
        try:
            with brake.ends(self._flight.stop):
                async for chunk in self._flight:
                    yield chunk
        except ProviderError:
            if brake.reason is not None:
                raise brake.reason from None
            raise

    async def _open(self) -> Flight:
        """Begin the call with as much of the conversation as fits. No one knows how many tokens a text has
        for a model, so a prompt that turns out to be too long is shortened and sent again."""
        tried: set[int] = set()
        refusal: ContextExceeded | None = None
        for attempt, measure in enumerate(BYTES_PER_TOKEN):
            messages, left_out = fitting(
                self.body["messages"], self.gateway_model.info.context_length, measure
            )
            if left_out in tried:
                continue
            tried.add(left_out)
            try:
                flight = await self._patiently({**self.body, "messages": messages}, f"{self.key}:{attempt}")
            except ContextExceeded as exc:
                refusal = exc
                continue
            self.gateway_model.tally.left_out = left_out
            return flight
        raise refusal or ContextTooLong()

    async def _patiently(self, body: dict[str, Any], key: str) -> Flight:
        """Begin the call; a database that restarts and a model that still loads delay it.

        Each try has a key of its own: one whose answer was lost may have reserved credits, which nobody
        else then mistakes for theirs.
        """
        brake, clock = self.gateway_model.brake, asyncio.get_running_loop().time
        began, wait, tries = clock(), 0.1, 0
        while True:
            try:
                return await self._call(body, f"{key}~{tries}" if tries else key)
            except Unavailable as exc:
                patience = _PATIENCE.get(exc.code, 0.0)
                if clock() - began + wait > patience or brake.reason is not None:
                    raise
            await brake.rest(wait)
            wait, tries = min(wait * 2, 2.0), tries + 1

    async def _call(self, body: dict[str, Any], key: str) -> Flight:
        model = self.gateway_model
        opening = asyncio.ensure_future(
            model.gateway.open_stream(model.actor, ChatRequest(body), idempotency_key=key)
        )
        try:
            with model.brake.ends(opening.cancel):
                return await opening
        except asyncio.CancelledError:
            if model.brake.reason is not None and opening.cancelled():
                raise model.brake.reason from None
            opening.cancel()
            raise

    async def close_stream(self) -> None:
        """End the call if it still runs, and count what it took."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        flight.stop()
        flight.leave()
        try:
            await asyncio.wait_for(flight.landed(), _SETTLE_SECONDS)
        except TimeoutError:
            return
        if flight.receipt is not None:
            self.gateway_model.tally.add(flight.receipt)
            self._usage = RequestUsage(
                input_tokens=flight.receipt.usage.input_tokens,
                output_tokens=flight.receipt.usage.output_tokens,
            )

    @property
    def model_name(self) -> str:
        return self.gateway_model.model_name

    @property
    def provider_name(self) -> str | None:
        return "aihub"

    @property
    def provider_url(self) -> str | None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self._timestamp
