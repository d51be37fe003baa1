"""Reserving credits for calls and billing them, without a database connection in between.

    hold = await ledger.hold(actor, amount, idempotency_key=request_id)
    try:
        usage = await call_the_model()
    except BaseException:
        await ledger.release(hold)
        raise
    await ledger.settle(hold, price_of(usage), model="…", input_tokens=…, output_tokens=…)

Holds are renewed for as long as this process lives, however long a call takes. When it dies they expire
within minutes and the credits are free again.
"""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import IntegrityError

from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, Work, owned_by, system
from aihub.kernel.errors import AihubError, IdempotencyMismatch
from aihub.services.credits import queries
from aihub.services.credits.contracts import (
    Balance,
    BudgetSpent,
    Entry,
    Hold,
    HoldClosed,
    InsufficientCredits,
    Left,
)
from aihub.services.credits.domain import LARGEST_BALANCE, credits_text
from aihub.services.credits.metrics import REFUSED, SHORTFALL
from aihub.services.credits.queries import budgets
from aihub.services.credits.settings import CreditsSettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

HOLD_TTL = timedelta(minutes=3)
_RENEW_EVERY = 45.0
_UNIQUE_VIOLATION = "23505"
_SHORTFALL = " (charged what the balance covered)"
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5

T = TypeVar("T")
log = structlog.get_logger(__name__)


class _Queue:
    """Callers in this process that wait for the same account. The first asks the database, the others
    stand behind it, so that many waiters cost no more statements than one."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.freed = asyncio.Event()
        self.waiting = 0


class Ledger:
    """Holds and charges. One per process; every amount is in micro-credits."""

    def __init__(self, database: Database, *, wait: float) -> None:
        """`wait`: seconds a hold waits for credits that other calls have reserved."""
        self._database = database
        self._wait = wait
        self._queues: dict[Any, _Queue] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._open: dict[UUID, timedelta] = {}
        self._renewal: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Ledger":
        ledger = cls(runtime.database, wait=runtime.settings[CreditsSettings].hold_wait)
        ledger.keep_alive()
        return ledger

    def keep_alive(self, every: float = _RENEW_EVERY) -> None:
        """Begin to renew the holds of this process each `every` seconds."""
        self._renewal = asyncio.create_task(self._renew_open(every), name="ledger renewal")

    async def hold(
        self, actor: Actor, amount: int, *, idempotency_key: str, ttl: timedelta = HOLD_TTL
    ) -> Hold:
        """Set `amount` aside on the account this actor pays from: the key's own, else the user's.

        Waits (without a connection) while the balance would cover it but other calls have reserved it.
        The same idempotency key again returns the same hold, until it is released or expires. `ttl` is how
        long it outlives this process.

        Raises InsufficientCredits when the balance is too small or stays reserved for too long, BudgetSpent
        when that is so of the key's budget, IdempotencyMismatch for a used key with another amount,
        HoldClosed for a key already billed.
        """
        if amount < 0:
            raise ValueError(f"a hold of {amount} micro-credits")
        amount = min(amount, LARGEST_BALANCE)
        outcome = await self._ask(actor, amount, idempotency_key, ttl)
        if not isinstance(outcome, Hold):
            _require(outcome, amount)
            outcome = await self._wait_for(outcome, actor, amount, idempotency_key, ttl)
        if not outcome.repeated:
            self._open[outcome.id] = ttl
        return outcome

    async def settle(
        self,
        hold: Hold,
        amount: int,
        *,
        model: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        reason: str = "",
    ) -> Entry:
        """Charge what the call really cost and close its hold. Twice is once: the first entry is returned.

        A cost above the hold is charged as far as the free balance covers it; the entry's reason says so.
        Runs to its end even when the caller is cancelled. Raises HoldClosed for a released hold.
        """
        if amount < 0:
            raise ValueError(f"a charge of {amount} micro-credits")
        amount = min(amount, LARGEST_BALANCE)
        return await self._finish(self._settle(hold, amount, model, input_tokens, output_tokens, reason))

    async def release(self, hold: Hold) -> None:
        """Give everything back: nothing was delivered. Does nothing to a hold that is closed already.

        Runs to its end even when the caller is cancelled.
        """
        await self._finish(self._release(hold))

    async def renew(self, hold: Hold, ttl: timedelta = HOLD_TTL) -> datetime:
        """Let the hold live `ttl` from now. Raises HoldClosed when it is not open any more."""
        async with self._database.work(owned_by(hold.owner_id)) as work:
            until = await queries.renew(work, [hold.id], ttl)
        if until is None:
            raise HoldClosed()
        return until

    async def balance(self, actor: Actor) -> Balance | None:
        """The money of the account this actor pays from; None before it ever had any."""
        async with self._database.work(actor.scope) as work:
            return await queries.balance(work, actor.user_id, actor.key_id)

    async def close(self) -> None:
        """Let charges and releases that have begun come to their end."""
        if self._renewal is not None:
            self._renewal.cancel()
        while self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _ask(self, actor: Actor, amount: int, idempotency_key: str, ttl: timedelta) -> Hold | Balance:
        task = self._start(self._try(actor, amount, idempotency_key, ttl))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # The statement may commit all the same; nobody would know its hold.
            task.add_done_callback(self._give_back)
            raise

    async def _try(self, actor: Actor, amount: int, idempotency_key: str, ttl: timedelta) -> Hold | Balance:
        owner_id, key_id = actor.user_id, actor.key_id
        try:
            async with self._database.work(actor.scope) as work:
                hold = await queries.hold(work, owner_id, key_id, amount, idempotency_key, ttl)
                if hold is not None:
                    return hold
                balance = await queries.balance(work, owner_id, key_id)
                if balance is None:
                    balance = Balance(await queries.open_account(work, owner_id), 0, 0)
                else:
                    balance = await self._short_of(work, balance, key_id, amount)
                    if not (
                        balance.available < amount <= balance.balance
                        and await queries.reclaim(work, balance.account_id)
                    ):
                        return balance
                hold = await queries.hold(work, owner_id, key_id, amount, idempotency_key, ttl)
                return hold or balance
        except IntegrityError as exc:
            if getattr(exc.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
                raise
        return await self._earlier(actor, amount, idempotency_key)

    @staticmethod
    async def _short_of(work: Work, balance: Balance, key_id: UUID | None, amount: int) -> Balance:
        """What a hold was refused for: what is left of the key's budget, else the account's balance."""
        if key_id is None or balance.balance < amount:
            return balance
        return await budgets.left(work, balance.account_id, key_id, amount) or balance

    async def _earlier(self, actor: Actor, amount: int, idempotency_key: str) -> Hold:
        async with self._database.work(actor.scope) as work:
            found = await queries.hold_by_key(work, actor.user_id, actor.key_id, idempotency_key)
        if found is None:
            raise HoldClosed("The account changed while this was being reserved.")
        hold, status = found
        if hold.amount != amount:
            raise IdempotencyMismatch("This key reserved another amount.")
        if status != "active":
            raise HoldClosed(f"The reservation under this key is {status}.")
        return replace(hold, repeated=True)

    async def _wait_for(
        self, seen: Balance, actor: Actor, amount: int, idempotency_key: str, ttl: timedelta
    ) -> Hold:
        queue = self._queues.setdefault(seen.account_id, _Queue())
        queue.waiting += 1
        pause = _FIRST_PAUSE
        outcome: Hold | Balance = seen
        patience = asyncio.timeout(self._wait)
        try:
            async with patience, queue.turn:
                while True:
                    queue.freed.clear()
                    outcome = await self._ask(actor, amount, idempotency_key, ttl)
                    if isinstance(outcome, Hold):
                        return outcome
                    _require(outcome, amount)
                    if outcome.available < amount:
                        await _until(queue.freed, pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter
                        pause = min(pause * 1.5, _LONGEST_PAUSE)
        except TimeoutError as exc:
            if not patience.expired():
                raise
            REFUSED.labels("reserved").inc()
            of_budget = isinstance(outcome, Left)
            raise (BudgetSpent if of_budget else InsufficientCredits)(
                f"This needs {credits_text(amount)} credits{' of the budget' if of_budget else ''}, and "
                f"other calls in progress kept them reserved for {self._wait:g} s.",
                remedy="Try again when those calls have finished, or ask an administrator for credits.",
                headers={"Retry-After": "5"},
            ) from exc
        finally:
            queue.waiting -= 1
            if not queue.waiting and self._queues.get(seen.account_id) is queue:
                del self._queues[seen.account_id]

    async def _settle(
        self,
        hold: Hold,
        amount: int,
        model: str | None,
        input_tokens: int | None,
        output_tokens: int | None,
        reason: str,
    ) -> Entry:
        try:
            return await self._charge(hold, amount, model, input_tokens, output_tokens, reason)
        except IntegrityError as exc:
            if getattr(exc.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
                raise
            # It had expired, and its key has been used for another try since.
            raise HoldClosed("Another try of the same call is billed instead.") from exc
        finally:
            self._open.pop(hold.id, None)

    async def _charge(
        self,
        hold: Hold,
        amount: int,
        model: str | None,
        input_tokens: int | None,
        output_tokens: int | None,
        reason: str,
    ) -> Entry:
        async with self._database.work(owned_by(hold.owner_id)) as work:
            entry = await queries.settle(
                work,
                hold,
                amount,
                reason=reason,
                shortfall=_SHORTFALL,
                model=model,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
            )
            if entry is None:
                before = await queries.charge_of(work, hold.id)
                if before is None:
                    raise HoldClosed("It was released; nothing can be charged to it.")
                return before
        if -entry.amount < amount:
            SHORTFALL.inc((amount + entry.amount) / 1_000_000)
            log.warning("credits.shortfall", hold_id=str(hold.id), cost=amount, charged=-entry.amount)
        self._wake(hold)
        return entry

    async def _release(self, hold: Hold) -> None:
        self._open.pop(hold.id, None)
        async with self._database.work(owned_by(hold.owner_id)) as work:
            await queries.release(work, hold)
        self._wake(hold)

    async def _renew_open(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            for ttl in set(self._open.values()):
                ids = [hold_id for hold_id, wanted in self._open.items() if wanted == ttl]
                try:
                    async with self._database.work(system("renew holds")) as work:
                        await queries.renew(work, ids, ttl)
                except AihubError as exc:
                    log.warning("credits.renewal_failed", holds=len(ids), code=exc.code)
                except Exception:  # the edge of this loop: unrenewed, the holds of long calls would expire
                    log.exception("credits.renewal_failed", holds=len(ids))

    def _wake(self, hold: Hold) -> None:
        queue = self._queues.get(hold.account_id)
        if queue is not None:
            queue.freed.set()

    def _give_back(self, task: asyncio.Task[Hold | Balance]) -> None:
        if task.cancelled() or task.exception() is not None:
            return
        outcome = task.result()
        if isinstance(outcome, Hold) and not outcome.repeated:
            self._start(self._release(outcome))

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._start(work))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _require(balance: Balance, amount: int) -> None:
    """Raises InsufficientCredits or BudgetSpent when no amount of waiting would help."""
    if balance.balance >= amount:
        return
    if isinstance(balance, Left):
        REFUSED.labels("budget").inc()
        per = {"day": " a day", "month": " a month"}.get(balance.period, "")
        again = f" The next period begins at {balance.ends:%Y-%m-%dT%H:%MZ}." if balance.ends else ""
        raise BudgetSpent(
            f"This needs {credits_text(amount)} credits; of this key's {credits_text(balance.amount)}{per} "
            f"there are {credits_text(max(0, balance.balance))} left.{again}"
        )
    REFUSED.labels("balance").inc()
    raise InsufficientCredits(
        f"This needs {credits_text(amount)} credits; the balance is {credits_text(balance.balance)}."
    )


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
