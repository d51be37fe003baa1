"""Giving and taking: roles to people, and permissions on single things.

What was given for a time has no effect from the moment it ends, in every process: nobody waits for the job
that notes the end in the audit trail.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor, Permission, Thing, meanings
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, InvalidRequest, NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import BeyondOwnPermissions, LastAdministrator
from aihub.services.identity.contracts.access import Access, OwnRoles, ResourceGrant, RoleGrant
from aihub.services.identity.domain import ALL_SCOPES, SUPER_ADMIN
from aihub.services.identity.queries import authority, grants, links
from aihub.services.identity.service.roles import read_role, require_own

_CLOCK = Clock()
_KEPT = timedelta(days=30)
"""How long people can be told about what has ended."""
_LONGEST = timedelta(days=36_525)


def carried_scopes(permissions: Iterable[Permission]) -> Mapping[str, frozenset[str]]:
    """The permissions that each scope of a key carries along."""
    found: dict[str, set[str]] = {}
    for permission in permissions:
        for scope in permission.scopes:
            found.setdefault(scope, set()).add(permission.name)
    return {scope: frozenset(names) for scope, names in found.items()}


def scoped(
    access: Access, scopes: Iterable[str], carried: Mapping[str, frozenset[str]]
) -> tuple[frozenset[str], frozenset[Thing]]:
    """What a key with these scopes may do for its owner: in general, and to single things."""
    if ALL_SCOPES in scopes:
        return access.permissions, access.things
    names = meanings(scopes)
    names = names.union(*(carried.get(name, frozenset()) for name in names))
    return access.permissions & names, frozenset(thing for thing in access.things if thing[0] in names)


# ---------------------------------------------------------------- roles


async def list_role_grants(work: Work, user_id: UUID, at: datetime | None = None) -> list[RoleGrant]:
    """What roles somebody has and had lately. Raises NotFound."""
    if await queries.user(work, user_id) is None:
        raise NotFound("There is no such user.")
    return await grants.roles_of(work, user_id, at)


async def give_role(
    work: Work,
    user_id: UUID,
    role_id: UUID,
    *,
    expires_at: datetime | None,
    reason: str = "",
    actor: Actor | None,
    clock: Clock = _CLOCK,
) -> RoleGrant:
    """Give somebody a role, until then if it is to end; giving it again changes until when.

    `actor` None is the operator at the command line. Raises NotFound, InvalidRequest, OwnRoles,
    BeyondOwnPermissions, or LastAdministrator when the only lasting super_admin would cease to be one.
    """
    _check_end(expires_at, clock)
    before = await _prepare(work, user_id, role_id, actor, clock)
    role = await read_role(work, role_id)
    await grants.give_role(work, user_id, role_id, actor.user_id if actor else None, expires_at, reason)
    if role.name == SUPER_ADMIN:
        if before is not None and not await authority.administrator_exists(work, lasting=True):
            raise LastAdministrator()
        await links.close_setup_links(work)
    details: dict[str, object] = {"role": role.name, "until": expires_at, "reason": reason}
    if before is not None:
        details["until"] = {"before": before.expires_at, "after": expires_at}
    await _record(work, actor, "role.give", "user", str(user_id), details)
    given = await grants.roles_of(work, user_id, clock.now())
    return next(grant for grant in given if grant.role_id == role_id)


async def take_role(
    work: Work, user_id: UUID, role_id: UUID, *, actor: Actor | None, clock: Clock = _CLOCK
) -> None:
    """Take a role from somebody, at once everywhere.

    Raises NotFound, OwnRoles, BeyondOwnPermissions or LastAdministrator.
    """
    before = await _prepare(work, user_id, role_id, actor, clock)
    if not await grants.take_role(work, user_id, role_id):
        raise NotFound("They do not have this role.")
    role = await read_role(work, role_id)
    if role.name == SUPER_ADMIN and not await authority.administrator_exists(work, lasting=True):
        raise LastAdministrator()
    if before is not None:
        await _record(work, actor, "role.take", "user", str(user_id), {"role": role.name})


async def _prepare(
    work: Work, user_id: UUID, role_id: UUID, actor: Actor | None, clock: Clock
) -> RoleGrant | None:
    """Lock what a change of roles looks at, and see whether the actor may; what was given before."""
    await queries.lock_administrators(work)
    if not await queries.lock_user(work, user_id):
        raise NotFound("There is no such user.")
    role = await read_role(work, role_id)
    if actor is not None and actor.user_id == user_id:
        raise OwnRoles()
    await require_own(work, actor, {"roles:assign", *role.permissions})
    given = await grants.roles_of(work, user_id, clock.now())
    return next((grant for grant in given if grant.role_id == role_id and not grant.expired), None)


# ---------------------------------------------------------------- single things


async def shared_with(work: Work, resource: str, thing: str) -> list[ResourceGrant]:
    """Who was given a permission on this one thing: `("models", id)`."""
    return await grants.on_thing(work, resource, thing)


async def share(
    work: Work,
    permission: str,
    thing: str,
    *,
    email: str | None = None,
    role: str | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
    actor: Actor | None,
    clock: Clock = _CLOCK,
) -> ResourceGrant:
    """Give a permission on one thing to the person with this address, or to everybody with this role.

    Whether the thing exists is the caller's business. Raises InvalidRequest, or BeyondOwnPermissions for
    what the actor may not do to it themselves.
    """
    _check_end(expires_at, clock)
    if (email is None) == (role is None):
        raise InvalidRequest(errors=[FieldError("email", "name a person or a role, and not both")])
    await _require_own_thing(work, actor, permission, thing, clock)
    user_id, role_id = await _grantee(work, email, role)
    grant_id = await grants.give_thing(
        work,
        permission,
        thing,
        user_id=user_id,
        role_id=role_id,
        by=actor.user_id if actor else None,
        expires_at=expires_at,
        reason=reason,
    )
    made = await grants.grant(work, grant_id) if grant_id else None
    if made is None:
        raise InvalidRequest(errors=[FieldError("permission", f"unknown: {permission}", "unknown")])
    await _record_thing(work, actor, "access.give", made, {"until": expires_at, "reason": reason})
    return made


async def unshare(
    work: Work, resource: str, thing: str, grant_id: UUID, *, actor: Actor | None, clock: Clock = _CLOCK
) -> None:
    """Take back what was given on this thing, at once everywhere. Raises NotFound or BeyondOwnPermissions."""
    grant = await grants.grant(work, grant_id)
    if grant is None or grant.resource_id != thing or grant.permission.partition(":")[0] != resource:
        raise NotFound("Nothing like this was given.")
    await _require_own_thing(work, actor, grant.permission, thing, clock)
    if not await grants.take_thing(work, grant_id):
        raise NotFound("Nothing like this was given.")
    await _record_thing(work, actor, "access.take", grant, {})


async def _require_own_thing(
    work: Work, actor: Actor | None, permission: str, thing: str, clock: Clock
) -> None:
    if actor is None:
        return
    now = await authority.access(work, actor.user_id, clock.now())
    own = Actor(actor.user_id, actor.email)
    if now is not None and now.active:
        own = Actor(actor.user_id, actor.email, permissions=now.permissions, things=now.things)
    if not (own.may(permission, thing) and actor.may(permission, thing)):
        raise BeyondOwnPermissions(f"You lack {permission}.")


async def _grantee(work: Work, email: str | None, role: str | None) -> tuple[UUID | None, UUID | None]:
    if email is not None:
        user = await queries.user_by_email(work, email.strip().lower())
        if user is None:
            raise InvalidRequest(errors=[FieldError("email", "nobody here has this address", "unknown")])
        return user.id, None
    found = next((known for known in await authority.roles(work) if known.name == role), None)
    if found is None:
        raise InvalidRequest(errors=[FieldError("role", "there is no such role", "unknown")])
    return None, found.id


# ---------------------------------------------------------------- what ends


async def note_what_ended(work: Work, now: datetime) -> int:
    """Write into the audit trail what has ended, once for each; how much it was. Forgets it a month later."""
    roles = await grants.note_ended_roles(work, now)
    for user_id, role, ended in roles:
        await _record(work, None, "role.expire", "user", str(user_id), {"role": role, "ended": ended})
    things = await grants.note_ended_things(work, now)
    for grant_id in things:
        grant = await grants.grant(work, grant_id)
        if grant is not None:
            await _record_thing(work, None, "access.expire", grant, {"ended": grant.expires_at})
    await grants.forget_ended(work, now - _KEPT)
    return len(roles) + len(things)


def _check_end(expires_at: datetime | None, clock: Clock) -> None:
    if expires_at is None:
        return
    if expires_at <= clock.now():
        raise InvalidRequest(errors=[FieldError("expires_at", "must be in the future")])
    if expires_at > clock.now() + _LONGEST:
        raise InvalidRequest(errors=[FieldError("expires_at", "must be within a hundred years")])


async def _record_thing(
    work: Work, actor: Actor | None, action: str, grant: ResourceGrant, details: Mapping[str, object]
) -> None:
    who = grant.email if grant.role is None else f"role {grant.role}"
    kind = grant.permission.partition(":")[0].removesuffix("s")
    words = {"permission": grant.permission, "to": who, **details}
    await _record(work, actor, action, kind, grant.resource_id, words)


async def _record(
    work: Work, actor: Actor | None, action: str, kind: str, target: str, details: Mapping[str, object]
) -> None:
    await audit.record(work, actor=actor, action=action, target_kind=kind, target_id=target, details=details)
