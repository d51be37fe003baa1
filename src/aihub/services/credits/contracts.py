"""What may leave credits: shapes, errors, and the type of an amount in HTTP bodies."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from aihub.kernel.errors import AihubError, Conflict
from aihub.services.credits.domain import credits_text, parse_credits

Kind = Literal["grant", "adjustment", "charge", "refund"]

_PATTERN = r"^-?[0-9]+(\.[0-9]{1,6})?$"

CreditsIn = Annotated[
    int,
    BeforeValidator(parse_credits),
    WithJsonSchema({"type": "string", "pattern": _PATTERN.replace("-?", ""), "examples": ["12.5"]}),
]
"""An amount of a request: a decimal string of credits outside, micro-credits inside."""

CreditsOut = Annotated[
    int,
    PlainSerializer(credits_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["99.998400"]}),
]
"""An amount of an answer: micro-credits inside, a decimal string of credits outside."""


class InsufficientCredits(AihubError):
    code = "credits.insufficient"
    status = 402
    title = "There are not enough credits for this"
    remedy = "Ask an administrator for credits, or choose a cheaper model or a shorter answer."


class BudgetSpent(AihubError):
    code = "keys.budget_spent"
    status = 402
    title = "This key has spent its budget"
    remedy = "Wait for the next period, or let the key's owner give it a larger budget."


class HoldClosed(Conflict):
    code = "credits.hold_closed"
    status = 409
    title = "This reservation of credits is no longer open"
    remedy = "Start the call again; it reserves anew."


class BelowZero(Conflict):
    code = "credits.below_zero"
    status = 409
    title = "The balance would fall below what is reserved"
    remedy = "Take away less, or wait until running calls have finished."


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits set aside for one call. `amount` is in micro-credits. `repeated`: an earlier request with the
    same idempotency key made it, and may still be at work. `budgeted`: it counts in its key's budget."""

    id: UUID
    account_id: UUID
    owner_id: UUID
    amount: int
    expires_at: datetime
    budgeted: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's money in micro-credits. `held` is set aside for calls that still run."""

    account_id: UUID
    balance: int
    held: int

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class Left(Balance):
    """What is left of a key's budget: `balance` is what is not spent, `held` what running calls reserved.
    `ends`: when the period does."""

    amount: int
    period: str
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Budget:
    """A key's budget in micro-credits. `ends`: when its period does, and `spent` begins anew."""

    amount: int
    period: str
    spent: int
    held: int
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger, never changed afterwards. Amounts in micro-credits."""

    id: int
    at: datetime
    kind: Kind
    amount: int
    balance_after: int
    reason: str
    model: str | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Used:
    """What one model cost on one day (UTC)."""

    day: date
    model: str
    credits: int
    tokens: int
    calls: int


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """The result of adding everything up. No problems: every balance is the sum of its entries."""

    accounts: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems
