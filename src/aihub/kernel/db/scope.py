"""Whose rows a unit of work may see. Row-level security reads what `Scope` sets."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Scope:
    """`owner` sees the rows of that user; a system scope sees all and says why."""

    owner: UUID | None
    reason: str


def owned_by(user_id: UUID) -> Scope:
    """Only the rows of this user."""
    return Scope(owner=user_id, reason="owner")


def system(reason: str) -> Scope:
    """Every row. For work on behalf of the hub itself or of an administrator; the reason is required."""
    return Scope(owner=None, reason=reason)
