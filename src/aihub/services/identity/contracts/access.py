"""Who may do what: roles, what was given to whom, why somebody may or may not, and what can go wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from aihub.kernel.auth import Thing
from aihub.kernel.errors import AihubError, Conflict, Forbidden


@dataclass(frozen=True, slots=True)
class Access:
    """What an account may do now. An inactive one may do nothing.

    `roles` has those that the person's own roles inherit from, too; `things` are permissions on single
    things. It holds until `until`, when the first of what was given for a time ends.
    """

    user_id: UUID
    email: str
    active: bool
    roles: frozenset[str]
    permissions: frozenset[str]
    things: frozenset[Thing] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RoleInfo:
    """A role. `permissions` is all that it allows, `own` without what it inherits from `parent`."""

    id: UUID
    name: str
    title: str
    built_in: bool
    parent: str | None
    own: tuple[str, ...]
    permissions: tuple[str, ...]
    defaults: tuple[str, ...]
    """What a built-in role may allow at most; empty for others."""
    people: int
    """Active accounts that have it themselves."""


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role that was given to somebody. `expired`: it ended, and is kept for a while to be told about."""

    user_id: UUID
    email: str
    name: str
    role_id: UUID
    role: str
    title: str
    granted_at: datetime
    granted_by: str | None
    expires_at: datetime | None
    reason: str
    expired: bool


@dataclass(frozen=True, slots=True)
class ResourceGrant:
    """A permission on one thing, for a person or for everybody with a role."""

    id: UUID
    permission: str
    resource_id: str
    user_id: UUID | None
    email: str | None
    name: str | None
    role: str | None
    granted_at: datetime
    granted_by: str | None
    expires_at: datetime | None
    reason: str
    expired: bool


ReasonKind = Literal[
    "inactive",
    "second_factor",
    "role",
    "resource",
    "role_expired",
    "resource_expired",
    "elsewhere",
    "roles_with_it",
    "key",
    "unknown",
    "nothing",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence of an explanation. `speaks`: for the permission, against it, or neither (None)."""

    kind: ReasonKind
    speaks: bool | None
    path: tuple[str, ...] = ()
    """From the role that was given to the one that holds the permission."""
    role: str | None = None
    names: tuple[str, ...] = ()
    """Roles that would allow it, or the things on which it is allowed."""
    granted_by: str | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    note: str = ""
    """What the giver wrote; of a key its name and prefix."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody may, or may not."""

    user_id: UUID
    email: str
    permission: str
    title: str
    resource: str | None
    allowed: bool
    reasons: tuple[Reason, ...]


class BuiltInRole(Conflict):
    code = "roles.built_in"
    title = "A built-in role stays what it is"
    remedy = (
        "Make a role of your own that inherits from it; of what a built-in role allows you can take away."
    )


class RoleNameTaken(Conflict):
    code = "roles.name_taken"
    title = "There is already a role of this name"
    remedy = "Choose another name."


class RoleInUse(Conflict):
    code = "roles.in_use"
    title = "This role is in use"
    remedy = "Take it from everybody who has it, and from the roles that inherit from it; then delete it."


class RoleCycle(Conflict):
    code = "roles.cycle"
    title = "A role cannot inherit from itself"
    remedy = "Choose a role that does not inherit from this one."


class OwnRoles(Forbidden):
    code = "roles.own"
    title = "Nobody changes their own roles"
    remedy = "Ask another administrator to do it."


class UnknownRoles(AihubError):
    code = "settings.unknown_role"
    title = "AIHUB_SECOND_FACTOR_ROLES names a role that does not exist"
    remedy = "Correct the name, or make the role first; 'aihub access roles' lists them."
