"""What a key's own limits say about a call: which model, how many requests, tokens and calls at a time.

Callers without such a key cost nothing here: the limits come with the actor.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from aihub.kernel.auth import Actor
from aihub.kernel.errors import TooManyRequests
from aihub.kernel.limits import Limiter, LimitsUnavailable, TooExpensive
from aihub.services.gateway.contracts import ModelInfo
from aihub.services.gateway.domain import Usage
from aihub.services.identity.contracts.keys import KEY_LIMITS, KeyLimits, KeyRefusesModel

_REQUESTS, _TOKENS, _PARALLEL = "key.requests", "key.tokens", "key.parallel"


def limits_of(actor: Actor) -> KeyLimits | None:
    """What the actor's key is bound to, if anything."""
    found: KeyLimits | None = actor.facts.get(KEY_LIMITS)
    return found


def may_use(actor: Actor, model: ModelInfo) -> bool:
    """Whether the actor's key, if there is one, allows this model under its name or one of its aliases."""
    limits = limits_of(actor)
    if limits is None or not limits.models:
        return True
    return model.name in limits.models or not limits.models.isdisjoint(model.aliases)


def usable(actor: Actor, models: Iterable[ModelInfo]) -> list[ModelInfo]:
    return [model for model in models if may_use(actor, model)]


def require_model(actor: Actor, model: ModelInfo) -> None:
    """Raises KeyRefusesModel."""
    if not may_use(actor, model):
        raise KeyRefusesModel(f"This key may not use the model '{model.name}'.")


async def count_request(limiter: Limiter, actor: Actor) -> None:
    """Raises TooManyRequests when the key has made its requests of this minute, and LimitsUnavailable."""
    limits = limits_of(actor)
    if limits is not None and limits.requests_per_minute is not None:
        await limiter.take(_REQUESTS, str(actor.key_id), limit=limits.requests_per_minute)


class Admission:
    """One call's place within its key's limits, from `enter` to `leave`."""

    def __init__(self, limiter: Limiter, actor: Actor, tokens: int) -> None:
        """`tokens`: what the call is likely to take, reserved until its real number is known."""
        self._limiter, self._actor, self._limits = limiter, actor, limits_of(actor)
        self._key = str(actor.key_id)
        self._wanted = tokens
        self._reserved = 0
        self._stand_up: Callable[[], Awaitable[None]] | None = None

    async def enter(self) -> None:
        """Raises TooManyRequests, and LimitsUnavailable when nothing can be counted."""
        limits = self._limits
        if limits is None:
            return
        await count_request(self._limiter, self._actor)
        if limits.parallel_requests is not None:
            self._stand_up = await self._limiter.enter(_PARALLEL, self._key, limits.parallel_requests)
        if limits.tokens_per_minute is not None:
            # A single call may always be as large as the whole limit.
            wanted = min(self._wanted, limits.tokens_per_minute)
            try:
                await self._limiter.take(_TOKENS, self._key, wanted, limit=limits.tokens_per_minute)
            except BaseException:
                await self._rise()
                raise
            self._reserved = wanted

    async def leave(self, usage: Usage | None) -> None:
        """The call is over and took this; None: nothing was delivered."""
        if self._limits is None:
            return
        await self._rise()
        limit = self._limits.tokens_per_minute
        if limit is None:
            return
        used = usage.input_tokens + usage.output_tokens if usage else 0
        rest, self._reserved = self._reserved - used, 0
        # What went beyond the reservation is taken as far as there is anything left to take.
        with suppress(TooManyRequests, TooExpensive, LimitsUnavailable):
            if rest > 0:
                await self._limiter.give_back(_TOKENS, self._key, rest, limit=limit)
            elif rest < 0:
                await self._limiter.take(_TOKENS, self._key, -rest, limit=limit)

    async def _rise(self) -> None:
        stand_up, self._stand_up = self._stand_up, None
        if stand_up is not None:
            await stand_up()
