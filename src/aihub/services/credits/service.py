"""What is decided about credits. Calls are reserved and billed in `Ledger`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import FieldError, IdempotencyMismatch, InvalidRequest
from aihub.services.credits import queries
from aihub.services.credits.contracts import (
    Balance,
    BelowZero,
    Entry,
    InsufficientCredits,
    LedgerCheck,
    Used,
)
from aihub.services.credits.domain import LARGEST_BALANCE, credits_text, parse_credits
from aihub.services.credits.ledger import HOLD_TTL, Ledger
from aihub.services.credits.metrics import EXPIRED
from aihub.services.credits.queries import budgets
from aihub.services.credits.settings import CreditsSettings
from aihub.services.identity.contracts import KeyCredits, Wallets
from aihub.services.identity.contracts.keys import BudgetPeriod, KeyBudget, Spending

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

__all__ = [
    "HOLD_TTL",
    "Ledger",
    "LedgerWallets",
    "adjust",
    "balance_of",
    "check_invariant",
    "credits_text",
    "entries_of",
    "expire_holds",
    "parse_credits",
    "return_closed",
    "usage_of",
]

_BATCH = 200


class LedgerWallets(Wallets):
    """Identity's wish for wallets, fulfilled by the ledger."""

    def __init__(self, signup_credits: int) -> None:
        """`signup_credits`: micro-credits a new user starts with."""
        self._signup = signup_credits

    @classmethod
    async def start(cls, runtime: "Runtime") -> "LedgerWallets":
        return cls(runtime.settings[CreditsSettings].signup_credits)

    async def open_user(self, work: Work, user_id: UUID) -> None:
        account_id = await queries.open_account(work, user_id)
        if self._signup:
            await _move(work, account_id, self._signup, kind="grant", reason="Welcome", key="welcome")

    async def open_key(
        self, work: Work, *, key_id: UUID, owner_id: UUID, name: str, amount: str, issued: bool
    ) -> None:
        micro = _parse(amount, "credits")
        purse = await queries.open_account(work, owner_id)
        account_id = await queries.open_account(work, owner_id, key_id)
        if not issued:
            key, reason = f"fund:{key_id}", f"To the key {name}"
            if await _try_move(work, purse, -micro, kind="adjustment", reason=reason, key=key) is None:
                free = await queries.lock_account(work, purse)
                raise InsufficientCredits(
                    f"The key asks for {credits_text(micro)} credits; you have "
                    f"{credits_text(free.available)} to give.",
                    remedy="Give the key fewer credits, or ask an administrator for more.",
                )
        await _move(work, account_id, micro, kind="grant", reason="For this key", key="fund")

    async def close_key(self, work: Work, key_id: UUID) -> None:
        closed = await queries.close_account(work, key_id)
        if closed:
            await _return(work, *closed)

    async def key_credits(self, work: Work, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyCredits]:
        found = await queries.key_balances(work, key_ids)
        return {
            key_id: KeyCredits(credits_text(b.balance), credits_text(b.available))
            for key_id, b in found.items()
        }

    async def set_budget(
        self, work: Work, *, key_id: UUID, owner_id: UUID, amount: str | None, period: BudgetPeriod
    ) -> None:
        if amount is None:
            await budgets.clear_budget(work, key_id)
        else:
            await budgets.set_budget(work, owner_id, key_id, _parse(amount, "budget.amount"), period)

    async def key_budgets(self, work: Work, key_ids: Sequence[UUID]) -> Mapping[UUID, KeyBudget]:
        return {
            key_id: KeyBudget(
                credits_text(b.amount),
                cast(BudgetPeriod, b.period),
                credits_text(b.spent),
                credits_text(b.held),
                b.ends,
            )
            for key_id, b in (await budgets.budgets(work, key_ids)).items()
        }

    async def spending(
        self, work: Work, user_ids: Sequence[UUID], since: datetime
    ) -> Mapping[UUID, Spending]:
        return {
            user_id: Spending(credits_text(balance), credits_text(free), credits_text(spent), calls)
            for user_id, (balance, free, spent, calls) in (
                await budgets.spent_since(work, user_ids, since)
            ).items()
        }


async def adjust(
    work: Work,
    *,
    owner_id: UUID,
    amount: int,
    reason: str,
    idempotency_key: str,
    actor: Actor | None,
) -> Entry:
    """Add micro-credits to a user's account, or with a negative amount take them away.

    The same idempotency key again returns the first entry. Raises IdempotencyMismatch when it was used
    for something else, BelowZero when the account has less than is to be taken.
    """
    account_id = await queries.open_account(work, owner_id)
    await queries.lock_account(work, account_id)
    key = f"adjust:{idempotency_key}"
    before = await queries.entry_by_key(work, account_id, key)
    if before is not None:
        if (before.amount, before.reason) != (amount, reason):
            raise IdempotencyMismatch()
        return before
    kind = "grant" if amount >= 0 else "adjustment"
    entry = await _move(work, account_id, amount, kind=kind, reason=reason, key=key)
    await audit.record(
        work,
        actor=actor,
        action="credits.adjust",
        target_kind="user",
        target_id=str(owner_id),
        details={"amount": credits_text(amount), "reason": reason, "entry": entry.id},
        before={"balance": credits_text(entry.balance_after - amount)},
        after={"balance": credits_text(entry.balance_after)},
    )
    return entry


async def balance_of(work: Work, owner_id: UUID, key_id: UUID | None = None) -> Balance | None:
    """The account a caller pays from: the key's own when it has one, else the user's."""
    return await queries.balance(work, owner_id, key_id)


async def entries_of(
    work: Work, owner_id: UUID, key_id: UUID | None, *, before: int | None, limit: int
) -> tuple[list[Entry], int | None]:
    """A page of that account's entries, the newest first, and where the next page begins."""
    account = await queries.balance(work, owner_id, key_id)
    if account is None:
        return [], None
    rows = await queries.entries(work, account.account_id, before, limit + 1)
    more = len(rows) > limit
    return rows[:limit], rows[limit - 1].id if more else None


async def usage_of(work: Work, owner_id: UUID, key_id: UUID | None, *, since: datetime) -> list[Used]:
    """What was spent by day (UTC) and model: by the user with all keys, or by a key with its own credits."""
    only: UUID | None = None
    if key_id is not None:
        only = await queries.account(work, owner_id, key_id)
    return await queries.usage(work, owner_id, only, since)


async def check_invariant(work: Work) -> LedgerCheck:
    """Add everything up: each balance is the sum of its entries, what is held the sum of open holds, also in
    the budgets of keys.

    Needs a system scope; an owner's scope sees only that owner's accounts.
    """
    problems = tuple(
        f"account {row.id}: balance {credits_text(row.balance)}, entries {credits_text(int(row.entered))}, "
        f"held {credits_text(row.held)}, open holds {credits_text(int(row.active))}"
        + ("" if row.chained else ", the balances written in its entries do not follow from each other")
        for row in await queries.problems(work)
    )
    problems += tuple(
        f"budget of key {key_id}: held {credits_text(held)}, open holds {credits_text(active)}"
        for key_id, held, active in await budgets.problems(work)
    )
    return LedgerCheck(await queries.count_accounts(work), problems)


async def expire_holds(database: Database) -> int:
    """Give back what calls set aside and never billed; how many. One short transaction per account."""
    done = 0
    while True:
        async with database.work(system("expire holds")) as work:
            accounts = await queries.accounts_with_overdue_holds(work, _BATCH)
        for account_id in accounts:
            async with database.work(system("expire holds")) as work:
                done += await queries.reclaim(work, account_id)
        if len(accounts) < _BATCH:
            EXPIRED.inc(done)
            return done


async def return_closed(database: Database) -> int:
    """Return what late calls of revoked keys left over to the keys' owners; how many accounts."""
    async with database.work(system("return credits of revoked keys")) as work:
        accounts = await queries.closed_with_money(work, _BATCH)
    for account_id, owner_id in accounts:
        async with database.work(system("return credits of revoked keys")) as work:
            await _return(work, account_id, owner_id)
    return len(accounts)


async def _return(work: Work, account_id: UUID, owner_id: UUID) -> None:
    free = (await queries.lock_account(work, account_id)).available
    if free <= 0:
        return
    last = await queries.entries(work, account_id, None, 1)
    key = f"return:{account_id}:{last[0].id if last else 0}"
    await _move(work, account_id, -free, kind="adjustment", reason="The key was revoked", key=key)
    purse = await queries.open_account(work, owner_id)
    await _move(work, purse, free, kind="adjustment", reason="Back from a revoked key", key=key)


async def _move(work: Work, account_id: UUID, amount: int, *, kind: str, reason: str, key: str) -> Entry:
    entry = await _try_move(work, account_id, amount, kind=kind, reason=reason, key=key)
    if entry is None:
        now = await queries.lock_account(work, account_id)
        if amount > 0:
            raise InvalidRequest(
                f"No account may hold more than {credits_text(LARGEST_BALANCE)} credits.",
                errors=[FieldError("amount", "too large for this account", "too_large")],
            )
        raise BelowZero(
            f"The account has {credits_text(now.balance)} credits, {credits_text(now.held)} of them reserved."
        )
    return entry


async def _try_move(
    work: Work, account_id: UUID, amount: int, *, kind: str, reason: str, key: str
) -> Entry | None:
    return await queries.move(
        work,
        account_id,
        amount,
        kind=kind,
        reason=reason,
        idempotency_key=key,
        largest=LARGEST_BALANCE,
    )


def _parse(amount: str, field: str) -> int:
    try:
        return parse_credits(amount)
    except ValueError as exc:
        raise InvalidRequest(str(exc), errors=[FieldError(field, str(exc))]) from exc
