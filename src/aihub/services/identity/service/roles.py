"""Roles themselves: making them, changing what they allow, deleting them.

Whoever changes a role needs every permission that the change gives or takes, at this moment and not only
when they were asked who they are. The database keeps a role from inheriting from itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from aihub.kernel import audit
from aihub.kernel.auth import Actor, meanings
from aihub.kernel.db import Work
from aihub.kernel.errors import AihubError, FieldError, InvalidRequest, NotFound
from aihub.services.identity.contracts import BeyondOwnPermissions
from aihub.services.identity.contracts.access import (
    BuiltInRole,
    RoleCycle,
    RoleGrant,
    RoleInfo,
    RoleInUse,
    RoleNameTaken,
    UnknownRoles,
)
from aihub.services.identity.domain import SUPER_ADMIN
from aihub.services.identity.queries import authority, grants


async def read_role(work: Work, role_id: UUID) -> RoleInfo:
    """Raises NotFound."""
    role = await authority.role(work, role_id)
    if role is None:
        raise NotFound("There is no such role.")
    return role


async def people_with_role(
    work: Work, role_id: UUID, *, after: UUID | None = None, limit: int = 50
) -> tuple[list[RoleGrant], UUID | None]:
    """Who has the role themselves, and where the next page begins. Raises NotFound."""
    await read_role(work, role_id)
    rows = await grants.people_with(work, role_id, after, limit + 1)
    return rows[:limit], rows[limit - 1].user_id if len(rows) > limit else None


async def create_role(
    work: Work,
    *,
    name: str,
    title: str,
    permissions: Iterable[str],
    parent: UUID | None,
    actor: Actor | None,
) -> RoleInfo:
    """Make a role that allows these and what its parent allows. `actor` None: the operator.

    Raises InvalidRequest, RoleNameTaken or BeyondOwnPermissions.
    """
    await authority.lock_roles(work)
    names = await _known(work, permissions)
    await _check_parent(work, parent)
    role_id = await authority.insert_role(work, name, title, parent)
    if role_id is None:
        raise RoleNameTaken(errors=[FieldError("name", "is taken", "taken")])
    await authority.set_permissions(work, role_id, names)
    made = await read_role(work, role_id)
    await require_own(work, actor, made.permissions)
    await _record(work, actor, "role.create", made, {"permissions": made.own, "parent": made.parent})
    return made


async def change_role(
    work: Work, role_id: UUID, changes: Mapping[str, Any], *, actor: Actor | None
) -> RoleInfo:
    """Change `name`, `title`, `permissions` or `parent` (a role's id, or None for none).

    Holds at once for everybody who has it. Raises NotFound, BuiltInRole, RoleNameTaken, RoleCycle,
    InvalidRequest or BeyondOwnPermissions.
    """
    await authority.lock_roles(work)
    before = await read_role(work, role_id)
    if before.built_in:
        await _narrow(work, before, changes)
    else:
        if changes.get("parent") is not None:
            await _check_parent(work, changes["parent"])
        columns = {"name": "name", "title": "title", "parent": "parent_id"}
        values = {column: changes[field] for field, column in columns.items() if field in changes}
        if values:
            try:
                await authority.update_role(work, role_id, **values)
            except IntegrityError as exc:
                raise _clash(exc) from exc
        if changes.get("name", before.name) != before.name:
            await authority.rename_in_invitations(work, before.name, changes["name"])
        if "permissions" in changes:
            await authority.set_permissions(work, role_id, await _known(work, changes["permissions"]))
    after = await read_role(work, role_id)
    await require_own(work, actor, set(before.permissions) ^ set(after.permissions))
    fields = ("name", "title", "parent", "own")
    changed = {
        ("permissions" if field == "own" else field): {
            "before": getattr(before, field),
            "after": getattr(after, field),
        }
        for field in fields
        if getattr(before, field) != getattr(after, field)
    }
    if changed:
        await _record(work, actor, "role.change", after, changed)
    return after


async def delete_role(work: Work, role_id: UUID, *, actor: Actor | None) -> None:
    """Delete a role that is not in use. Raises NotFound, BuiltInRole, RoleInUse or BeyondOwnPermissions."""
    await authority.lock_roles(work)
    role = await read_role(work, role_id)
    if role.built_in:
        raise BuiltInRole(f"{role.name} cannot be deleted.")
    await require_own(work, actor, role.permissions)
    uses = []
    if holders := await grants.people_with(work, role_id, None, 200):
        more = f" and {len(holders) - 5} more" if len(holders) > 5 else ""
        uses.append(f"People have it: {', '.join(holder.email for holder in holders[:5])}{more}.")
    if heirs := await authority.children(work, role_id):
        uses.append(f"Roles inherit from it: {', '.join(heirs)}.")
    if invited := await authority.invited_as(work, role.name):
        uses.append(f"Invitations that wait give it: {', '.join(invited)}.")
    if uses:
        raise RoleInUse(" ".join(uses))
    try:
        await authority.delete_role(work, role_id)
    except IntegrityError as exc:
        raise _clash(exc) from exc
    await _record(work, actor, "role.delete", role, {"permissions": role.own, "parent": role.parent})


async def require_own(work: Work, actor: Actor | None, permissions: Iterable[str]) -> None:
    """Nobody gives, takes or makes what they may not do themselves, now. Raises BeyondOwnPermissions."""
    if actor is None:
        return
    now = await authority.access(work, actor.user_id)
    own = actor.permissions & now.permissions if now is not None and now.active else frozenset[str]()
    if missing := sorted(set(permissions) - own):
        raise BeyondOwnPermissions(f"You lack {', '.join(missing)}.")


async def check_second_factor_roles(work: Work, names: Iterable[str]) -> None:
    """Raises UnknownRoles when AIHUB_SECOND_FACTOR_ROLES names a role that does not exist."""
    known = {role.name for role in await authority.roles(work)}
    if unknown := sorted(set(names) - known):
        raise UnknownRoles(f"{', '.join(unknown)}: known are {', '.join(sorted(known))}.")


async def _narrow(work: Work, role: RoleInfo, changes: Mapping[str, Any]) -> None:
    """Change what a built-in role allows, within what it is built in with. Raises BuiltInRole."""
    if set(changes) - {"permissions"}:
        raise BuiltInRole("Only its permissions can be changed.")
    if role.name == SUPER_ADMIN:
        raise BuiltInRole("super_admin may do everything; otherwise nobody could undo the change.")
    names = await _known(work, changes.get("permissions", role.own))
    if beyond := sorted(names - set(role.defaults)):
        raise BuiltInRole(f"{role.name} is not meant to have {', '.join(beyond)}.")
    await authority.set_permissions(work, role.id, names)


async def _known(work: Work, permissions: Iterable[str]) -> frozenset[str]:
    """These permissions under the names they are stored by. Raises InvalidRequest for unknown ones."""
    names = meanings(permissions)
    if unknown := sorted(names - await authority.permission_names(work)):
        raise InvalidRequest(errors=[FieldError("permissions", f"unknown: {', '.join(unknown)}", "unknown")])
    return names


async def _check_parent(work: Work, parent: UUID | None) -> None:
    """Raises InvalidRequest."""
    if parent is None:
        return
    role = await authority.role(work, parent)
    if role is None:
        raise InvalidRequest(errors=[FieldError("parent_id", "there is no such role", "unknown")])
    if role.name == SUPER_ADMIN:
        # Else there would be administrators that the rule of the last one does not see.
        raise InvalidRequest(errors=[FieldError("parent_id", "super_admin cannot be inherited from")])


def _clash(exc: IntegrityError) -> AihubError:
    constraint = str(getattr(getattr(exc.orig, "diag", None), "constraint_name", ""))
    if constraint in ("roles_without_cycles", "ck_roles_parent"):
        return RoleCycle()
    if constraint == "roles_name_key":
        return RoleNameTaken(errors=[FieldError("name", "is taken", "taken")])
    return RoleInUse()


async def _record(
    work: Work, actor: Actor | None, action: str, role: RoleInfo, details: Mapping[str, object]
) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="role",
        target_id=str(role.id),
        details={"name": role.name, **details},
    )
