"""Statements on what was given to whom: roles to people, and permissions on single things."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts.access import ResourceGrant, RoleGrant
from aihub.services.identity.models import PermissionRow, RoleRow, UserRoleRow
from aihub.services.identity.models.access import ResourceGrantRow

# ---------------------------------------------------------------- roles

_ROLE_GRANTS = """
select ur.user_id, u.email, u.name, ur.role_id, r.name as role, r.title, ur.assigned_at as granted_at,
       giver.email as granted_by, ur.expires_at, ur.reason,
       ur.expires_at is not null and ur.expires_at <= coalesce(cast(:at as timestamptz), now()) as expired
from user_roles ur
join users u on u.id = ur.user_id
join roles r on r.id = ur.role_id
left join users giver on giver.id = ur.assigned_by
"""
_OF_USER = text(_ROLE_GRANTS + "where ur.user_id = :user order by expired, r.name")
_WITH_ROLE = text(
    _ROLE_GRANTS
    + """
    where ur.role_id = :role and (ur.expires_at is null or ur.expires_at > now())
      and (cast(:after as uuid) is null or ur.user_id > :after)
    order by ur.user_id limit :limit
    """
)


def _role_grant(row: Any) -> RoleGrant:
    return RoleGrant(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def roles_of(work: Work, user_id: UUID, at: datetime | None = None) -> list[RoleGrant]:
    """What was given to this person; what ended lately is last."""
    return [_role_grant(row) for row in await work.session.execute(_OF_USER, {"user": user_id, "at": at})]


async def people_with(work: Work, role_id: UUID, after: UUID | None, limit: int) -> list[RoleGrant]:
    """Who has this role themselves, from behind `after`."""
    values = {"role": role_id, "at": None, "after": after, "limit": limit}
    return [_role_grant(row) for row in await work.session.execute(_WITH_ROLE, values)]


async def give_role(
    work: Work, user_id: UUID, role_id: UUID, by: UUID | None, expires_at: datetime | None, reason: str
) -> None:
    """Give the role until then; what was given before is replaced."""
    values = {
        "assigned_at": func.now(),
        "assigned_by": by,
        "expires_at": expires_at,
        "reason": reason,
        "expiry_noted": False,
    }
    await work.session.execute(
        insert(UserRoleRow)
        .values(user_id=user_id, role_id=role_id, **values)
        .on_conflict_do_update(index_elements=[UserRoleRow.user_id, UserRoleRow.role_id], set_=values)
    )


async def take_role(work: Work, user_id: UUID, role_id: UUID) -> bool:
    """Whether there was anything to take."""
    statement = (
        delete(UserRoleRow)
        .where(UserRoleRow.user_id == user_id, UserRoleRow.role_id == role_id)
        .returning(UserRoleRow.role_id)
    )
    return await work.session.scalar(statement) is not None


# ---------------------------------------------------------------- single things

_THINGS = """
select g.id, p.name as permission, g.resource_id, g.owner_id as user_id, u.email, u.name, r.name as role,
       g.granted_at, giver.email as granted_by, g.expires_at, g.reason,
       g.expires_at is not null and g.expires_at <= coalesce(cast(:at as timestamptz), now()) as expired
from resource_grants g
join permissions p on p.id = g.permission_id
left join users u on u.id = g.owner_id
left join roles r on r.id = g.role_id
left join users giver on giver.id = g.granted_by
"""
_ON_THING = text(
    _THINGS + "where p.resource = :resource and g.resource_id = :thing order by r.name, u.email, p.name"
)
_GRANT = text(_THINGS + "where g.id = :grant")
_THEIRS = """
where p.name = :permission and (
  g.owner_id = :user
  or g.role_id in (select h.role_id from held_roles(:user, coalesce(cast(:at as timestamptz), now())) h)
) order by expired, g.granted_at
"""
_TO_USER = text(_THINGS + _THEIRS)


def _thing(row: Any) -> ResourceGrant:
    return ResourceGrant(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


async def on_thing(work: Work, resource: str, thing: str) -> list[ResourceGrant]:
    """Everything that was given on this thing: `resource` is the first half of the permissions."""
    values = {"resource": resource, "thing": thing, "at": None}
    return [_thing(row) for row in await work.session.execute(_ON_THING, values)]


async def grant(work: Work, grant_id: UUID) -> ResourceGrant | None:
    row = (await work.session.execute(_GRANT, {"grant": grant_id, "at": None})).one_or_none()
    return _thing(row) if row else None


async def things_of(
    work: Work, user_id: UUID, permission: str, at: datetime | None = None
) -> list[ResourceGrant]:
    """Where this person has the permission on single things, themselves or by a role; ended ones too."""
    values = {"user": user_id, "permission": permission, "at": at}
    return [_thing(row) for row in await work.session.execute(_TO_USER, values)]


async def give_thing(
    work: Work,
    permission: str,
    thing: str,
    *,
    user_id: UUID | None,
    role_id: UUID | None,
    by: UUID | None,
    expires_at: datetime | None,
    reason: str,
) -> UUID | None:
    """Give the permission on this thing until then; what was given before is replaced.

    The id of the grant, or None when there is no such permission.
    """
    permission_id = await work.session.scalar(
        select(PermissionRow.id).where(PermissionRow.name == permission)
    )
    if permission_id is None:
        return None
    values = {
        "granted_at": func.now(),
        "granted_by": by,
        "expires_at": expires_at,
        "reason": reason,
        "expiry_noted": False,
    }
    grantee = ResourceGrantRow.owner_id if role_id is None else ResourceGrantRow.role_id
    statement = (
        insert(ResourceGrantRow)
        .values(
            id=new_id(),
            owner_id=user_id,
            role_id=role_id,
            permission_id=permission_id,
            resource_id=thing,
            **values,
        )
        .on_conflict_do_update(
            index_elements=[grantee, ResourceGrantRow.permission_id, ResourceGrantRow.resource_id],
            index_where=grantee.is_not(None),
            set_=values,
        )
        .returning(ResourceGrantRow.id)
    )
    return await work.session.scalar(statement)


async def take_thing(work: Work, grant_id: UUID) -> bool:
    """Whether it was this call that took it."""
    statement = delete(ResourceGrantRow).where(ResourceGrantRow.id == grant_id).returning(ResourceGrantRow.id)
    return await work.session.scalar(statement) is not None


# ---------------------------------------------------------------- what ends


async def note_ended_roles(work: Work, now: datetime) -> Sequence[tuple[UUID, str, datetime | None]]:
    """Person, role and end of what has ended and was not noted before."""
    rows = await work.session.execute(
        update(UserRoleRow)
        .where(UserRoleRow.expires_at <= now, ~UserRoleRow.expiry_noted, RoleRow.id == UserRoleRow.role_id)
        .values(expiry_noted=True)
        .returning(UserRoleRow.user_id, RoleRow.name, UserRoleRow.expires_at)
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def note_ended_things(work: Work, now: datetime) -> Sequence[UUID]:
    """The grants that have ended and were not noted before."""
    rows = await work.session.scalars(
        update(ResourceGrantRow)
        .where(ResourceGrantRow.expires_at <= now, ~ResourceGrantRow.expiry_noted)
        .values(expiry_noted=True)
        .returning(ResourceGrantRow.id)
    )
    return rows.all()


async def forget_ended(work: Work, before: datetime) -> None:
    """Delete what ended before then and is noted."""
    await work.session.execute(
        delete(UserRoleRow).where(UserRoleRow.expires_at < before, UserRoleRow.expiry_noted)
    )
    await work.session.execute(
        delete(ResourceGrantRow).where(ResourceGrantRow.expires_at < before, ResourceGrantRow.expiry_noted)
    )
