"""What administrators see of people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Person:
    """An account at a glance. `keys` and `sessions` are how many work at this moment."""

    id: UUID
    email: str
    name: str
    active: bool
    locale: str
    roles: tuple[str, ...]
    created_at: datetime
    last_sign_in_at: datetime | None
    email_verified_at: datetime | None
    leaving_at: datetime | None
    second_factor: bool
    keys: int
    sessions: int


@dataclass(frozen=True, slots=True)
class PersonFilter:
    """Which people. None: all of them."""

    search: str = ""
    role: str | None = None
    active: bool | None = None
    second_factor: bool | None = None
    never_signed_in: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many people there are. Lately is within thirty days."""

    people: int
    active: int
    second_factor: int
    never_signed_in: int
    seen_lately: int
    new_lately: int
    invited: int
    roles: Mapping[str, int]
