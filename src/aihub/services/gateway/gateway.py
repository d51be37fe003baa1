"""Calling models: find the model, hold the credits, let the provider work, settle.

No database connection is held while a provider works. What was delivered is charged, whatever ended
the call; a call that delivered nothing costs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from aihub.kernel.auth import Actor
from aihub.kernel.cache import Cache
from aihub.kernel.crypto import Crypto
from aihub.kernel.limits import Limiter
from aihub.services.credits.service import Ledger
from aihub.services.gateway import dialect
from aihub.services.gateway.adapters.upstream import Upstream
from aihub.services.gateway.adapters.wire import Timeouts
from aihub.services.gateway.admission import (
    Admission,
    count_request,
    limits_of,
    may_use,
    require_model,
    usable,
)
from aihub.services.gateway.catalogue import Catalogue, Snapshot
from aihub.services.gateway.contracts import (
    ChatAnswer,
    ChatRequest,
    GatewayBusy,
    ModelInfo,
    ModelNotFound,
    ProviderError,
)
from aihub.services.gateway.domain import most, output_limit, prompt_bound
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.flight import Flight
from aihub.services.gateway.health import Outcomes
from aihub.services.gateway.metering import (
    Cashier,
    Meter,
    answer_usage,
    embedding_usage,
    tokens_likely,
)
from aihub.services.gateway.settings import GatewaySettings
from aihub.services.gateway.upstreams import Upstreams

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime


class Gateway:
    """The one door to every model, for HTTP and for the hub's own agents."""

    def __init__(
        self,
        catalogue: Catalogue,
        upstreams: Upstreams,
        ledger: Ledger,
        limiter: Limiter,
        settings: GatewaySettings,
    ) -> None:
        self.catalogue = catalogue
        self.upstreams = upstreams
        self.outcomes = Outcomes()
        self._settings = settings
        self._cashier = Cashier(ledger)
        self._limiter = limiter
        self._seats = Seats(settings.max_calls)
        self._flights: set[Flight] = set()

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Gateway":
        settings = runtime.settings[GatewaySettings]
        catalogue = Catalogue(runtime.database, runtime.get(Cache), runtime.get(Crypto), settings)
        timeouts = Timeouts(
            settings.connect_timeout,
            settings.first_byte_timeout,
            settings.gap_timeout,
            settings.total_timeout,
        )
        upstreams = Upstreams(runtime.get(Embedded), timeouts)
        return cls(catalogue, upstreams, runtime.get(Ledger), runtime.get(Limiter), settings)

    async def close(self) -> None:
        """Let streams that run settle what they delivered, then close the connections."""
        flights = list(self._flights)
        for flight in flights:
            flight.stop()
        await asyncio.gather(*(flight.landed(within=5) for flight in flights))
        await self._cashier.close()
        await self.upstreams.close()

    async def chat(
        self, actor: Actor, request: ChatRequest, *, idempotency_key: str | None = None
    ) -> ChatAnswer:
        """A whole answer.

        Raises ModelNotFound, InvalidCall, InsufficientCredits, GatewayBusy, CallRepeated for an idempotency
        key that was used before, and ProviderError; for the actor's key KeyRefusesModel, TooManyRequests and
        BudgetSpent. Then nothing was charged.
        """
        model, upstream, body = await self._prepared(actor, request.body)
        body = {k: v for k, v in body.items() if k not in ("stream", "stream_options")}
        with self._seats.one():
            async with self._meter(actor, model, body, "chat", idempotency_key) as meter:
                with self.outcomes.watch(model.provider):
                    answer = await upstream.chat(body)
                receipt = await meter.settle(answer_usage(answer, body))
        answer["model"] = model.name
        return ChatAnswer(answer, receipt)

    @asynccontextmanager
    async def chat_stream(
        self, actor: Actor, request: ChatRequest, *, idempotency_key: str | None = None
    ) -> AsyncIterator[Flight]:
        """A streamed answer: `async for chunk in flight` gives parsed chat.completion.chunks.

        Entering waits for the first chunk and raises what `chat` raises; iterating raises ProviderError when
        the answer breaks off. Leaving early stops a free call at once and lets a priced one be read on for
        a while, so that what it took is known. `flight.receipt` is there once the iteration has ended.
        """
        flight = await self.open_stream(actor, request, idempotency_key=idempotency_key)
        try:
            yield flight
        finally:
            flight.leave()

    async def open_stream(
        self, actor: Actor, request: ChatRequest, *, idempotency_key: str | None = None
    ) -> Flight:
        """Like `chat_stream`, for callers that cannot use a context; they must call `leave()`."""
        model, upstream, body = await self._prepared(actor, request.body)
        meter = self._meter(actor, model, body, "chat", idempotency_key)
        self._seats.take()
        try:
            await meter.hold()
        except BaseException:
            self._seats.give()
            raise
        drain = 0.0 if model.price.free else self._settings.drain_timeout
        flight = Flight(upstream, model, body, meter, drain=drain, landed=self._landed)
        self._flights.add(flight)
        flight.take_off()
        await flight.first()
        return flight

    async def embed(
        self, actor: Actor, given: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """OpenAI's answer to an embedding request. Raises what `chat` raises."""
        name = dialect.model_of(given)
        dialect.check_embedding(given)
        model = (await self.seen_by(actor)).find(name, "embedding")
        require_model(actor, model)
        upstream = await self.upstreams.of(model)
        body = {**given, "model": model.upstream_name}
        with self._seats.one():
            async with self._meter(actor, model, body, "embedding", idempotency_key) as meter:
                with self.outcomes.watch(model.provider):
                    answer = await upstream.embed(body)
                await meter.settle(embedding_usage(answer, body))
        answer["model"] = model.name
        return answer

    async def seen_by(self, actor: Actor) -> Snapshot:
        """The models that exist for this caller at this moment."""
        return (await self.catalogue.snapshot()).seen_by(actor)

    async def models(self, actor: Actor) -> list[ModelInfo]:
        """Every model that this caller can call, by name."""
        return usable(actor, (m for m in (await self.seen_by(actor)).models if m.usable))

    async def model(self, actor: Actor, name: str) -> ModelInfo:
        """The model of this name or alias. Raises ModelNotFound."""
        model = (await self.seen_by(actor)).by_name.get(name)
        if model is None or not may_use(actor, model):
            raise ModelNotFound(f"The model '{name}' does not exist or is switched off.")
        return model

    async def count_request(self, actor: Actor) -> None:
        """Count a request that calls no model. Raises TooManyRequests when the actor's key has no more."""
        await count_request(self._limiter, actor)

    async def default_model(self, actor: Actor) -> ModelInfo:
        """The chat model for a caller who names none: AIHUB_DEFAULT_MODEL, else OPENAI_MODEL when there is a
        key, else the first real one that runs, the demonstration last, of those that exist for the caller.
        Raises ModelNotFound when there is none."""
        snapshot = await self.seen_by(actor)
        for name in self._preferred(snapshot):
            model = snapshot.by_name.get(name)
            if model is not None and model.kind == "chat" and may_use(actor, model):
                return model
        raise ModelNotFound("No chat model is switched on.")

    def _preferred(self, snapshot: Snapshot) -> list[str]:
        settings = self._settings
        names = [settings.default_model] if settings.default_model else []
        if settings.openai_api_key:
            names.append(settings.openai_model)
        runs = self.upstreams.embedded.wanted()

        def rank(model: ModelInfo) -> tuple[bool, bool, int]:
            here = model.provider.kind == "embedded" and model.kind == "chat"
            # A file that was once chosen stays in the catalogue; it cannot answer while another runs.
            sleeps = here and runs is not None and model.upstream_name != runs
            return sleeps, model.demonstration, model.created_at

        return names + [m.name for m in sorted(snapshot.models, key=rank)]

    async def _prepared(
        self, actor: Actor, given: Mapping[str, Any]
    ) -> tuple[ModelInfo, Upstream, dict[str, Any]]:
        """The model, its provider, and the body for it: under its own name, and bounded where it costs."""
        name = dialect.model_of(given)
        dialect.check_chat(given)
        model = (await self.seen_by(actor)).find(name, "chat")
        require_model(actor, model)
        upstream = await self.upstreams.of(model)
        body = {**given, "model": model.upstream_name}
        asked = dialect.asked_limit(given)
        if asked is not None or not model.price.free or model.provider.kind != "openai":
            limit = output_limit(asked, self._settings.max_tokens, model.max_output, model.context_length)
            body = upstream.limited(body, limit)
        return model, upstream, body

    def _meter(
        self, actor: Actor, model: ModelInfo, body: dict[str, Any], what: str, key: str | None
    ) -> Meter:
        answer = dialect.asked_limit(body) or 0
        prompt = prompt_bound(body, model.context_length)
        bound = most(model.price, prompt, answer, dialect.choices_of(body))
        likely = 0 if limits_of(actor) is None else tokens_likely(body, answer)
        admission = Admission(self._limiter, actor, likely)
        return self._cashier.meter(actor, model, bound, what, key, admission)

    def _landed(self, flight: Flight) -> None:
        self._flights.discard(flight)
        self._seats.give()
        error = flight.error
        if error is None or isinstance(error, ProviderError):
            self.outcomes.note_end(flight.model.provider, error)


class Seats:
    """How many calls may run in this process at a time."""

    def __init__(self, most: int) -> None:
        self._free = most

    def take(self) -> None:
        """Raises GatewayBusy when every seat is taken."""
        if self._free <= 0:
            raise GatewayBusy(headers={"Retry-After": "2"})
        self._free -= 1

    def give(self) -> None:
        self._free += 1

    @contextmanager
    def one(self) -> Iterator[None]:
        self.take()
        try:
            yield
        finally:
            self.give()
