"""Who calls, and what they may do. Identity answers who; routes state what is needed.

    @router.get("/api/v1/jobs")
    async def list_jobs(actor: Annotated[Actor, requires("jobs:read")]) -> Page: ...

A route that states nothing does not start, unless its module lists it as public.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from fastapi import Depends, Request

from aihub.kernel.db import Scope, owned_by
from aihub.kernel.errors import Forbidden, NotAuthenticated


@dataclass(frozen=True, slots=True)
class Permission:
    """`resource:action`, with a sentence for people."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role and the permissions it starts with; `("*",)` means all."""

    name: str
    title: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `permissions` is what the caller may do here and now: the user's own, and for a key
    only those its scopes also name."""

    user_id: UUID
    email: str
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    key_id: UUID | None = None
    session_id: UUID | None = None
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    def may(self, permission: str) -> bool:
        return canonical(permission) in self.permissions

    @property
    def scope(self) -> Scope:
        """The database scope of this actor: their own rows."""
        return owned_by(self.user_id)


class Authenticator(Protocol):
    """Provided by identity: reads the request's session cookie or bearer key."""

    async def authenticate(self, request: Request) -> Actor | None:
        """The actor, or None when the request carries no credentials.

        Raises NotAuthenticated for credentials that are wrong, expired or revoked, and Forbidden for a
        cookie without its CSRF token on an unsafe method.
        """
        ...


_ACTIONS = {"read", "write", "create", "update", "delete", "manage", "use", "adjust", "assign", "admin"}


def canonical(permission: str) -> str:
    """`users:read`, also when spelled `read:users`."""
    first, _, second = permission.partition(":")
    if first in _ACTIONS and second and second not in _ACTIONS:
        return f"{second}:{first}"
    return permission


class PermissionCheck:
    """The dependency behind `requires`; the application looks for it on every route."""

    def __init__(self, permission: str | None) -> None:
        self.permission = canonical(permission) if permission else None

    async def __call__(self, request: Request) -> Actor:
        authenticator: Authenticator = request.app.state.authenticator
        actor = await authenticator.authenticate(request)
        if actor is None:
            raise NotAuthenticated(headers={"WWW-Authenticate": "Bearer"})
        request.state.actor = actor
        if self.permission is not None and self.permission not in actor.permissions:
            raise Forbidden(f"This needs the permission {self.permission}.")
        return actor


def requires(permission: str) -> Any:
    """The typed statement of a route: its caller has this permission."""
    return Depends(PermissionCheck(permission))


def signed_in() -> Any:
    """The typed statement of a route that any signed-in caller may use on their own things."""
    return Depends(PermissionCheck(None))
