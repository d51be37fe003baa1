"""What may leave identity about keys: what bounds them, and what they and their people spend."""

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from aihub.kernel.errors import Conflict, Forbidden

BudgetPeriod = Literal["day", "month", "total"]
Network = IPv4Network | IPv6Network

KEY_LIMITS = "key_limits"
"""The fact of an actor that says what its key is bound to; there is none when nothing bounds it."""


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What bounds a key besides its scopes. None and empty: no bound of its own.

    `models`: names or aliases of the only models it may use.
    """

    models: frozenset[str] = frozenset()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_requests: int | None = None

    @property
    def any(self) -> bool:
        return self != KeyLimits()


@dataclass(frozen=True, slots=True)
class KeyBudget:
    """What a key may spend in a period (UTC), as decimal strings of credits. `resets_at`: when `spent` begins
    anew; never for `total`."""

    amount: str
    period: BudgetPeriod
    spent: str
    held: str
    resets_at: datetime | None


@dataclass(frozen=True, slots=True)
class Spending:
    """A person's money and their calls of models over some time, as decimal strings of credits."""

    balance: str
    available: str
    spent: str
    calls: int


@dataclass(frozen=True, slots=True)
class KeyWish:
    """How a key shall be bound. None and empty: no bound."""

    models: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel_requests: int | None = None
    budget: str | None = None
    budget_period: BudgetPeriod = "month"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What becomes of a key: only the fields that `given` names change."""

    given: frozenset[str] = field(default_factory=frozenset)
    name: str = ""
    wish: KeyWish = field(default_factory=KeyWish)


class KeyElsewhere(Forbidden):
    code = "keys.address_refused"
    title = "This key may not be used from here"
    remedy = "Call from a network that the key's owner allows for it."


class KeyRefusesModel(Forbidden):
    code = "keys.model_refused"
    title = "This key may not use this model"
    remedy = "Use one of the models that GET /v1/models lists with this key."


class KeyRotating(Conflict):
    code = "keys.rotating"
    title = "The key's old secret still works from an earlier rotation"
    remedy = "Wait for its end, or rotate without an overlap: then only the newest secret works."


class KeyGone(Conflict):
    code = "keys.gone"
    title = "This key has been revoked or has expired"
    remedy = "Make a new key."
