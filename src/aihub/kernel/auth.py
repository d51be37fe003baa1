"""Who calls, and what they may do. Identity answers who; routes state what is needed.

    @router.get("/api/v1/jobs")
    async def list_jobs(actor: Annotated[Actor, requires("jobs:read")]) -> Page: ...

A route that states nothing does not start, unless its module lists it as public. What somebody may do to
one thing only is asked with the thing:

    SharerOfThis = Annotated[Actor, requires("models:share", resource="model_id")]
    if not actor.may("models:use", model.id): ...
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from fastapi import Depends, Request

from aihub.kernel.db import Scope, owned_by
from aihub.kernel.errors import Forbidden, NotAuthenticated, NotFound


@dataclass(frozen=True, slots=True)
class Permission:
    """`resource:action`, with a sentence for people."""

    name: str
    title: str
    scopes: tuple[str, ...] = ()
    """Scopes of an API key that carry this permission along, where its owner has it."""


Thing = tuple[str, str]
"""A permission on one thing: `("models:use", "0192…")`."""


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role and the permissions it starts with; `("*",)` means all."""

    name: str
    title: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `permissions` is what the caller may do here and now: the user's own, and for a key
    only those its scopes also name. `things` is the same for single things."""

    user_id: UUID
    email: str
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    key_id: UUID | None = None
    session_id: UUID | None = None
    facts: dict[str, Any] = field(default_factory=dict, compare=False)
    things: frozenset[Thing] = frozenset()

    def may(self, permission: str, resource: UUID | str | None = None) -> bool:
        """Whether the caller has this permission: in general, or at least on this one thing."""
        names = meaning(permission)
        if self.permissions.issuperset(names):
            return True
        return resource is not None and all(
            name in self.permissions or (name, str(resource)) in self.things for name in names
        )

    def things_with(self, permission: str) -> frozenset[str]:
        """The single things on which the caller has this permission."""
        return frozenset(thing for name, thing in self.things if name == permission)

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


_ACTIONS = {
    "read", "write", "create", "update", "delete", "manage", "use", "share", "adjust", "assign", "admin",
    "open",
}  # fmt: skip
# Words of other systems that are coarser than ours, or that ours have another noun for.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "users:write": ("users:create", "users:update"),
    "analytics:read": ("monitoring:read",),
    "analytics:write": ("monitoring:read",),  # nothing here is written by those who look at it
    "system:admin": ("audit:read", "jobs:manage", "jobs:read", "settings:read", "system:read"),
}


def meaning(permission: str) -> tuple[str, ...]:
    """The permissions of this hub that a word stands for: mostly one, which may be spelled `read:users`.

    For everything that comes from outside: requests, scopes of keys and tokens, configuration. What is
    stored is what this returns, so that a permission has one spelling inside.
    """
    first, _, second = permission.partition(":")
    if first in _ACTIONS and second and second not in _ACTIONS:
        permission = f"{second}:{first}"
    return _ALIASES.get(permission, (permission,))


def meanings(permissions: Iterable[str]) -> frozenset[str]:
    """The permissions of this hub that these words stand for."""
    return frozenset(name for permission in permissions for name in meaning(permission.strip()))


def aliases(permission: str) -> tuple[str, ...]:
    """The other words that stand for this permission, alone or with others."""
    resource, _, action = permission.partition(":")
    swapped = [f"{action}:{resource}"] if action in _ACTIONS and resource not in _ACTIONS else []
    for word, names in _ALIASES.items():
        if permission in names:
            noun, _, verb = word.partition(":")
            swapped.append(f"{verb}:{noun}")
    return tuple(swapped)


def canonical(permission: str) -> str:
    """`users:read`, also when spelled `read:users`. Raises ValueError for a word that stands for several."""
    name, *others = meaning(permission)
    if others:
        raise ValueError(f"{permission} stands for {name}, {', '.join(others)}")
    return name


class PermissionCheck:
    """The dependency behind `requires`; the application looks for it on every route."""

    def __init__(self, permission: str | None, resource: str | None = None) -> None:
        self.permission = canonical(permission) if permission else None
        self.resource = resource

    async def __call__(self, request: Request) -> Actor:
        authenticator: Authenticator = request.app.state.authenticator
        actor = await authenticator.authenticate(request)
        if actor is None:
            raise NotAuthenticated(headers={"WWW-Authenticate": "Bearer"})
        request.state.actor = actor
        if self.permission is None or actor.may(self.permission, self._thing(request)):
            return actor
        if self.resource is not None:
            raise NotFound()
        refusal = Forbidden(f"This needs the permission {self.permission}.")
        refusal.security_event = ("access.denied", "warning")
        raise refusal

    def _thing(self, request: Request) -> str | None:
        if self.resource is None:
            return None
        text = str(request.path_params[self.resource])
        try:
            return str(UUID(text))
        except ValueError:
            return text


def requires(permission: str, *, resource: str | None = None) -> Any:
    """The typed statement of a route: its caller has this permission.

    `resource` names the path parameter of the one thing it is about: then a permission on that thing is
    enough, and to whom it is not given the thing does not exist (404).
    """
    return Depends(PermissionCheck(permission, resource))


def signed_in() -> Any:
    """The typed statement of a route that any signed-in caller may use on their own things."""
    return Depends(PermissionCheck(None))
