"""The money of one call: held before, settled from what the provider counted, released when nothing came."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self, TypeGuard
from uuid import uuid4

from aihub.kernel.auth import Actor
from aihub.kernel.errors import Unavailable
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.credits.contracts import Hold, HoldClosed
from aihub.services.credits.service import Ledger
from aihub.services.gateway.admission import Admission
from aihub.services.gateway.contracts import CallRepeated, ModelInfo, Receipt
from aihub.services.gateway.domain import Usage, cost, estimate_tokens

log = get_logger("aihub.gateway")

_MOST_TOKENS = 1_000_000_000
_FIRST_PAUSE, _LONGEST_PAUSE, _TRIES = 0.2, 30.0, 60
_PATIENCE = 15.0


class Cashier:
    """Opens meters, and sees to it that a settlement which met a sick database is made in the end."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._late: set[asyncio.Task[None]] = set()

    def meter(
        self,
        actor: Actor,
        model: ModelInfo,
        bound: int,
        what: str,
        idempotency_key: str | None,
        admission: Admission,
    ) -> "Meter":
        """The meter of one call that costs at most `bound` micro-credits; `what` names it in the ledger."""
        return Meter(self, actor, model, bound, what, idempotency_key, admission)

    def settle_later(
        self, hold: Hold, amount: int, model: str, usage: Usage, reason: str
    ) -> asyncio.Task[None]:
        """Go on trying until the database takes it; a settlement is made once however often it is tried."""
        task = asyncio.create_task(self._keep_trying(hold, amount, model, usage, reason))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task

    async def _keep_trying(self, hold: Hold, amount: int, model: str, usage: Usage, reason: str) -> None:
        pause = _FIRST_PAUSE
        for _ in range(_TRIES):
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self.ledger.settle(
                    hold,
                    amount,
                    model=model,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    reason=reason,
                )
            except Unavailable:
                continue
            except HoldClosed:
                break
            return
        log.error("a call could not be charged", hold_id=str(hold.id), cost=amount, model=model)

    async def close(self) -> None:
        """Give late settlements a last moment."""
        if self._late:
            await asyncio.wait(self._late, timeout=3)
            for task in self._late:
                task.cancel()


class Meter:
    """`async with meter:` holds at the beginning and releases at the end unless it was settled."""

    def __init__(
        self,
        cashier: Cashier,
        actor: Actor,
        model: ModelInfo,
        bound: int,
        what: str,
        idempotency_key: str | None,
        admission: Admission,
    ) -> None:
        self._cashier = cashier
        self._actor = actor
        self._model = model
        self._bound = bound
        self._what = what
        self._key = f"call:{idempotency_key}" if idempotency_key else f"call:{uuid4()}"
        self._admission = admission
        self._hold: Hold | None = None
        self._closed = False

    async def hold(self) -> None:
        """Reserve the most this call can cost.

        Raises InsufficientCredits, BudgetSpent, TooManyRequests for a key's own limits, and CallRepeated.
        """
        await self._admission.enter()
        try:
            self._hold = await self._reserve()
        except BaseException:
            await self._admission.leave(None)
            raise

    async def _reserve(self) -> Hold:
        try:
            hold = await self._cashier.ledger.hold(self._actor, self._bound, idempotency_key=self._key)
        except HoldClosed as exc:
            raise CallRepeated() from exc
        if hold.repeated:  # the first call is still running, and the hold is its own
            raise CallRepeated()
        return hold

    async def settle(self, usage: Usage, note: str = "") -> Receipt:
        """Charge what the call took.

        While the database is away the answer waits for it some seconds, so that what was answered is paid
        for even if this process is killed next; then the answer goes ahead and the entry follows.
        """
        hold = self._held()
        self._closed = True
        await self._admission.leave(usage)
        amount = cost(self._model.price, usage)
        notes = [n for n in (note, "estimated" if usage.estimated else "") if n]
        reason = f"{self._what} ({', '.join(notes)})" if notes else self._what
        try:
            entry = await self._cashier.ledger.settle(
                hold,
                amount,
                model=self._model.name,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                reason=reason,
            )
        except Unavailable:
            late = self._cashier.settle_later(hold, amount, self._model.name, usage, reason)
            await asyncio.wait([late], timeout=_PATIENCE)
            return Receipt(self._model.name, usage, amount)
        return Receipt(self._model.name, usage, -entry.amount)

    async def release(self) -> None:
        """Give everything back. A database that is away gives it back when the hold expires."""
        if self._hold is None or self._closed:
            return
        self._closed = True
        await self._admission.leave(None)
        try:
            await self._cashier.ledger.release(self._hold)
        except Unavailable:
            log.warning("a hold could not be released and will expire", hold_id=str(self._hold.id))

    async def __aenter__(self) -> Self:
        await self.hold()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.release()

    def _held(self) -> Hold:
        if self._hold is None:
            raise RuntimeError("nothing was held")
        return self._hold


def usage_of(reported: Any) -> Usage | None:
    """The tokens a provider counted, or None when that is not a usable count."""
    if not isinstance(reported, Mapping):
        return None
    prompt, answer = reported.get("prompt_tokens"), reported.get("completion_tokens", 0)
    if not (_is_count(prompt) and _is_count(answer)):
        return None
    return Usage(prompt, answer)


def answer_usage(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> Usage:
    """The tokens of a whole answer; estimated from its text when the provider did not count."""
    counted = usage_of(answer.get("usage"))
    if counted is not None:
        return counted
    size = sum(spoken_size(choice["message"]) for choice in answer["choices"])
    return Usage(estimate_tokens(text_size(asked.get("messages"))), estimate_tokens(size), estimated=True)


def embedding_usage(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> Usage:
    """The tokens of an embedding call."""
    counted = usage_of(answer.get("usage"))
    if counted is not None:
        return Usage(counted.input_tokens, 0)
    given = asked["input"]
    tokens = sum(len(i) if isinstance(i, list) else isinstance(i, int) for i in given)
    return Usage(estimate_tokens(text_size(given)) + tokens, 0, estimated=True)


def tokens_likely(asked: Mapping[str, Any], answer_limit: int) -> int:
    """What a call will take: an estimate of what is asked, and the longest answer."""
    given = asked.get("messages") or asked.get("input")
    return max(1, estimate_tokens(text_size(given)) + answer_limit)


def spoken_size(message: Mapping[str, Any]) -> int:
    """Bytes of what a model said: its text, reasoning and tool calls, not whose turn it was."""
    return text_size({k: v for k, v in message.items() if k != "role"})


def text_size(value: Any) -> int:
    """Bytes of all texts inside a JSON value."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, Mapping):
        return sum(text_size(v) for v in value.values())
    if isinstance(value, list):
        return sum(text_size(v) for v in value)
    return 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
