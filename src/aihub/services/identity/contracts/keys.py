"""What may leave identity about keys: what bounds them, and what they and their people spend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, TypedDict
from uuid import UUID

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
class Key:
    """An API key without its secret. `scopes` of ("*",): all that its owner may do.

    `networks`: where it may be used from, anywhere when there are none. After a rotation the secret that
    begins with `previous_prefix` works until `previous_until`.
    """

    id: UUID
    owner_id: UUID
    name: str
    prefix: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    networks: tuple[str, ...] = ()
    limits: KeyLimits = KeyLimits()
    rotated_at: datetime | None = None
    previous_prefix: str | None = None
    previous_until: datetime | None = None


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


class KeyWish(TypedDict, total=False):
    """How a key shall be named and bound; what is left out stays as it is. None and empty: no bound."""

    name: str
    models: Sequence[str]
    networks: Sequence[str]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests: int | None
    budget: tuple[str, BudgetPeriod] | None
    """The amount as a decimal string of credits, and the period."""


class KeyElsewhere(Forbidden):
    code = "keys.address_refused"
    title = "This key may not be used from here"
    remedy = "Call from a network that the key's owner allows for it."


class KeyRefusesModel(Forbidden):
    code = "keys.model_refused"
    title = "This key may not use this model"
    remedy = "Use one of the models that GET /v1/models lists with this key."


class BoundKeyMakesNone(Forbidden):
    code = "keys.bound_maker"
    title = "A key with bounds of its own cannot make keys"
    remedy = "Sign in to make a key, or use a key without models, networks, limits and budget of its own."


class KeyRotating(Conflict):
    code = "keys.rotating"
    title = "The key's old secret still works from an earlier rotation"
    remedy = "Wait for its end, or rotate without an overlap: then only the newest secret works."


class KeyGone(Conflict):
    code = "keys.gone"
    title = "This key has been revoked or has expired"
    remedy = "Make a new key."
