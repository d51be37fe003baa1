"""Why somebody may do something, or may not: every role, grant, key and obstacle that speaks to it."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from aihub.kernel.auth import Permission, meaning
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import Key, RoleInfo, User
from aihub.services.identity.contracts.access import (
    Explanation,
    Reason,
    ReasonKind,
    ResourceGrant,
    RoleGrant,
)
from aihub.services.identity.domain import ALL_SCOPES
from aihub.services.identity.queries import api_keys, authority, grants
from aihub.services.identity.service.access import carried_scopes, scoped
from aihub.services.identity.service.second_factor import second_factor_of

_CLOCK = Clock()
_MOST_KEYS = 200
_MOST_NAMES = 20


async def explain(
    work: Work,
    user_id: UUID,
    permission: str,
    resource: str | None = None,
    *,
    required_roles: Collection[str] = (),
    declared: Sequence[Permission] = (),
    clock: Clock = _CLOCK,
) -> Explanation:
    """Why this person has the permission, in general or on one thing, or why not.

    A word that stands for several permissions is answered for the first that is missing, else for the
    first. `required_roles` are those whose people need a second factor; `declared` are the modules'
    permissions. Raises NotFound for an unknown person.
    """
    user = await queries.user(work, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    answers = [
        await _explain_one(work, user, name, resource, required_roles, declared, clock)
        for name in meaning(permission.strip())
    ]
    return next((answer for answer in answers if not answer.allowed), answers[0])


async def _explain_one(
    work: Work,
    user: User,
    permission: str,
    resource: str | None,
    required_roles: Collection[str],
    declared: Sequence[Permission],
    clock: Clock,
) -> Explanation:
    title = await authority.permission_title(work, permission)
    if title is None:
        unknown = (Reason("unknown", False),)
        return Explanation(user.id, user.email, permission, permission, resource, False, unknown)
    roles = {role.name: role for role in await authority.roles(work)}
    given = await grants.roles_of(work, user.id, clock.now())
    reasons = _by_role(permission, roles, given)
    reasons += _by_thing(resource, await grants.things_of(work, user.id, permission, clock.now()))
    granted = any(reason.speaks for reason in reasons)
    if not granted:
        reasons.append(_who_could(permission, roles))
    obstacles = []
    if not user.active:
        obstacles.append(Reason("inactive", False))
    factor = await second_factor_of(work, user.id, required_roles)
    if factor.required:
        obstacles.append(Reason("second_factor", None if factor.any else False))
    if granted:
        reasons += await _by_key(work, user, permission, resource, declared, clock)
    allowed = granted and not any(obstacle.speaks is False for obstacle in obstacles)
    return Explanation(user.id, user.email, permission, title, resource, allowed, tuple(obstacles + reasons))


def _by_role(permission: str, roles: Mapping[str, RoleInfo], given: Sequence[RoleGrant]) -> list[Reason]:
    found = []
    for grant in given:
        path = _path_to(permission, grant.role, roles)
        if path:
            kind: ReasonKind = "role_expired" if grant.expired else "role"
            found.append(
                Reason(
                    kind,
                    not grant.expired,
                    path=path,
                    granted_by=grant.granted_by,
                    granted_at=grant.granted_at,
                    expires_at=grant.expires_at,
                    note=grant.reason,
                )
            )
    return found


def _path_to(permission: str, name: str, roles: Mapping[str, RoleInfo]) -> tuple[str, ...]:
    """From this role up to the one that itself holds the permission; empty when none does."""
    path: list[str] = []
    role = roles.get(name)
    while role is not None and role.name not in path:
        path.append(role.name)
        if permission in role.own:
            return tuple(path)
        role = roles.get(role.parent or "")
    return ()


def _by_thing(resource: str | None, given: Sequence[ResourceGrant]) -> list[Reason]:
    if resource is None:
        things = tuple(sorted({grant.resource_id for grant in given if not grant.expired}))
        return [Reason("elsewhere", None, names=things[:_MOST_NAMES])] if things else []
    return [
        Reason(
            "resource_expired" if grant.expired else "resource",
            not grant.expired,
            role=grant.role,
            granted_by=grant.granted_by,
            granted_at=grant.granted_at,
            expires_at=grant.expires_at,
            note=grant.reason,
        )
        for grant in given
        if grant.resource_id == resource
    ]


def _who_could(permission: str, roles: Mapping[str, RoleInfo]) -> Reason:
    names = tuple(role.name for role in roles.values() if permission in role.permissions)
    return Reason("roles_with_it", False, names=names[:_MOST_NAMES]) if names else Reason("nothing", False)


async def _by_key(
    work: Work,
    user: User,
    permission: str,
    resource: str | None,
    declared: Sequence[Permission],
    clock: Clock,
) -> list[Reason]:
    """What the keys that work make of it."""
    access = await queries.access(work, user.id, clock.now())
    carried = carried_scopes(declared)
    reasons = []
    for key in await api_keys.keys(work, user.id, None, _MOST_KEYS):
        if access is None or not _works(key, clock):
            continue
        permissions, things = scoped(access, key.scopes, carried)
        may = permission in permissions or (permission, resource) in things
        scopes = () if ALL_SCOPES in key.scopes else key.scopes
        reasons.append(Reason("key", True if may else None, names=scopes, note=f"{key.name} ({key.prefix}…)"))
    return reasons


def _works(key: Key, clock: Clock) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > clock.now())
