"""Statements on roles and permissions: what exists, and what somebody may do."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.auth import Permission, Role
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts.access import Access, RoleInfo
from aihub.services.identity.domain import SUPER_ADMIN
from aihub.services.identity.models import (
    LinkRow,
    PermissionRow,
    RolePermissionRow,
    RoleRow,
    UserRoleRow,
    UserRow,
)

_ROLES = 7_302_640_204
"""The lock that the trigger roles_without_cycles takes, too."""


async def lock_roles(work: Work) -> None:
    """Until this work ends, nobody else makes, changes or deletes roles."""
    await work.session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ROLES})


# ---------------------------------------------------------------- what somebody may do

_ACCESS = text("""
with moment as (select coalesce(cast(:at as timestamptz), now()) as at),
held as materialized (select h.* from moment, held_roles(:user, moment.at) h),
things as materialized (
  select p.name, g.resource_id, g.expires_at
  from moment, resource_grants g join permissions p on p.id = g.permission_id
  where (g.owner_id = :user or g.role_id in (select role_id from held))
    and (g.expires_at is null or g.expires_at > moment.at)
)
select u.id, u.email, u.active,
       array(select distinct r.name from held h join roles r on r.id = h.role_id) as roles,
       array(select distinct p.name from held h
             join role_permissions rp on rp.role_id = h.role_id
             join permissions p on p.id = rp.permission_id) as permissions,
       array(select name from things) as named,
       array(select resource_id from things) as resources,
       least((select min(until) from held), (select min(expires_at) from things)) as until
from users u
where u.id = :user
""")


async def access(work: Work, user_id: UUID, at: datetime | None = None) -> Access | None:
    """What the user may do at this moment, by default the database's own."""
    row = (await work.session.execute(_ACCESS, {"user": user_id, "at": at})).one_or_none()
    if row is None:
        return None
    return Access(
        row.id,
        row.email,
        row.active,
        frozenset(row.roles),
        frozenset(row.permissions),
        frozenset(zip(row.named, row.resources, strict=True)),
        row.until,
    )


# ---------------------------------------------------------------- roles

_ROLE_LIST = """
with recursive lineage as (
  select id as role_id, id as from_id, parent_id, array[id] as seen from roles
  union all
  select l.role_id, r.id, r.parent_id, l.seen || r.id
  from lineage l join roles r on r.id = l.parent_id where r.id <> all (l.seen)
),
allowed as (
  select l.role_id, array_agg(distinct p.name order by p.name) as names
  from lineage l
  join role_permissions rp on rp.role_id = l.from_id
  join permissions p on p.id = rp.permission_id
  group by l.role_id
)
select r.id, r.name, r.title, r.is_system, parent.name as parent,
       array(select p.name from role_permissions rp join permissions p on p.id = rp.permission_id
             where rp.role_id = r.id order by p.name) as own,
       coalesce(a.names, '{}') as permissions,
       array(select p.name from role_defaults d join permissions p on p.id = d.permission_id
             where d.role_id = r.id and r.is_system order by p.name) as defaults,
       (select count(*) from user_roles ur join users u on u.id = ur.user_id
        where ur.role_id = r.id and u.active
          and (ur.expires_at is null or ur.expires_at > now())) as people
from roles r
left join allowed a on a.role_id = r.id
left join roles parent on parent.id = r.parent_id
"""
_ALL_ROLES = text(_ROLE_LIST + "order by r.is_system desc, cardinality(coalesce(a.names, '{}')) desc, r.name")
_ONE_ROLE = text(_ROLE_LIST + "where r.id = :role")


def _role(row: Any) -> RoleInfo:
    return RoleInfo(
        row.id,
        row.name,
        row.title,
        row.is_system,
        row.parent,
        tuple(row.own),
        tuple(row.permissions),
        tuple(row.defaults),
        row.people,
    )


async def roles(work: Work) -> list[RoleInfo]:
    """Every role with its permissions, built-in ones and those that may do most first."""
    return [_role(row) for row in await work.session.execute(_ALL_ROLES)]


async def role(work: Work, role_id: UUID) -> RoleInfo | None:
    row = (await work.session.execute(_ONE_ROLE, {"role": role_id})).one_or_none()
    return _role(row) if row else None


async def insert_role(work: Work, name: str, title: str, parent_id: UUID | None) -> UUID | None:
    """The new role's id, or None when the name is taken."""
    statement = (
        insert(RoleRow)
        .values(id=new_id(), name=name, title=title, parent_id=parent_id)
        .on_conflict_do_nothing()
        .returning(RoleRow.id)
    )
    return await work.session.scalar(statement)


async def update_role(work: Work, role_id: UUID, **values: object) -> None:
    """Raises IntegrityError for a name that is taken and for a parent that inherits from the role."""
    await work.session.execute(update(RoleRow).where(RoleRow.id == role_id).values(**values))


async def set_permissions(work: Work, role_id: UUID, names: Iterable[str]) -> None:
    """From now on the role itself allows these and nothing else."""
    wanted = select(PermissionRow.id).where(PermissionRow.name.in_(list(names)))
    await work.session.execute(
        delete(RolePermissionRow).where(
            RolePermissionRow.role_id == role_id, RolePermissionRow.permission_id.not_in(wanted)
        )
    )
    pairs = select(literal(role_id), PermissionRow.id).where(PermissionRow.name.in_(list(names)))
    await work.session.execute(
        insert(RolePermissionRow).from_select(["role_id", "permission_id"], pairs).on_conflict_do_nothing()
    )


async def children(work: Work, role_id: UUID) -> list[str]:
    """The names of the roles that inherit from this one directly."""
    return list(
        await work.session.scalars(
            select(RoleRow.name).where(RoleRow.parent_id == role_id).order_by(RoleRow.name)
        )
    )


async def delete_role(work: Work, role_id: UUID) -> None:
    """Delete a role. Raises IntegrityError when somebody has it or a role inherits from it."""
    await work.session.execute(
        delete(UserRoleRow).where(UserRoleRow.role_id == role_id, UserRoleRow.expires_at <= func.now())
    )
    await work.session.execute(delete(RoleRow).where(RoleRow.id == role_id))


async def rename_in_invitations(work: Work, before: str, after: str) -> None:
    """Invitations that wait give the role under its new name."""
    await work.session.execute(
        update(LinkRow)
        .where(LinkRow.roles.contains([before]), LinkRow.used_at.is_(None))
        .values(roles=func.array_replace(LinkRow.roles, before, after))
    )


async def invited_as(work: Work, name: str) -> list[str]:
    """Whom invitations that wait would give this role."""
    statement = select(LinkRow.email).where(
        LinkRow.roles.contains([name]),
        LinkRow.used_at.is_(None),
        LinkRow.revoked_at.is_(None),
        LinkRow.expires_at > func.now(),
    )
    return list(await work.session.scalars(statement.order_by(LinkRow.email)))


async def permission_names(work: Work) -> frozenset[str]:
    return frozenset(await work.session.scalars(select(PermissionRow.name)))


async def permission_title(work: Work, name: str) -> str | None:
    """What the permission allows, in a sentence, or None when there is no such permission."""
    return await work.session.scalar(select(PermissionRow.title).where(PermissionRow.name == name))


async def give_roles(work: Work, user_id: UUID, names: Iterable[str], by: UUID | None) -> None:
    """Give these roles for as long as nobody takes them; one that is held already stays as it is."""
    chosen = select(RoleRow.id).where(RoleRow.name.in_(list(names)))
    for role_id in await work.session.scalars(chosen):
        given = insert(UserRoleRow).values(user_id=user_id, role_id=role_id, assigned_by=by)
        await work.session.execute(
            given.on_conflict_do_update(
                index_elements=[UserRoleRow.user_id, UserRoleRow.role_id],
                set_={
                    "assigned_by": given.excluded.assigned_by,
                    "assigned_at": func.now(),
                    "expires_at": None,
                    "reason": "",
                    "expiry_noted": False,
                },
                where=UserRoleRow.expires_at <= func.now(),
            )
        )


async def take_roles(work: Work, user_id: UUID, names: Iterable[str]) -> None:
    await work.session.execute(
        delete(UserRoleRow).where(
            UserRoleRow.user_id == user_id,
            UserRoleRow.role_id.in_(select(RoleRow.id).where(RoleRow.name.in_(list(names)))),
        )
    )


async def administrator_exists(work: Work, *, lasting: bool = False) -> bool:
    """Whether an active super_admin exists; `lasting`: one who does not cease to be one by themselves."""
    statement = (
        select(UserRow.id)
        .join(UserRoleRow, UserRoleRow.user_id == UserRow.id)
        .join(RoleRow, RoleRow.id == UserRoleRow.role_id)
        .where(RoleRow.name == SUPER_ADMIN, UserRow.active)
        .limit(1)
    )
    if lasting:
        statement = statement.where(UserRoleRow.expires_at.is_(None), UserRow.leaving_at.is_(None))
    else:
        statement = statement.where(UserRoleRow.expires_at.is_(None) | (UserRoleRow.expires_at > func.now()))
    return await work.session.scalar(statement) is not None


# ---------------------------------------------------------------- what the modules declare


_PERMISSIONS = text("""
insert into permissions (id, name, resource, action, title)
select id, name, split_part(name, ':', 1), substr(name, strpos(name || ':', ':') + 1), title
from unnest(cast(:ids as uuid[]), cast(:names as text[]), cast(:titles as text[])) d (id, name, title)
on conflict (name) do update set title = excluded.title where permissions.title <> excluded.title
""")
_SYSTEM_ROLES = text("""
insert into roles (id, name, title, is_system)
select id, name, title, true
from unnest(cast(:ids as uuid[]), cast(:names as text[]), cast(:titles as text[])) d (id, name, title)
on conflict (name) do update set title = excluded.title, is_system = true
where roles.title <> excluded.title or not roles.is_system
""")
_DEFAULTS = text("""
with wanted as (
  select r.id as role_id, p.id as permission_id
  from unnest(cast(:roles as text[]), cast(:permissions as text[])) d (role, permission)
  join roles r on r.name = d.role
  join permissions p on p.name = d.permission
),
fresh as (
  insert into role_defaults (role_id, permission_id) select role_id, permission_id from wanted
  on conflict do nothing returning role_id, permission_id
)
insert into role_permissions (role_id, permission_id) select role_id, permission_id from fresh
on conflict do nothing
""")


async def declare_permissions(work: Work, declared: Iterable[Permission]) -> None:
    """Write permissions that are new or have a new title."""
    await work.session.execute(_PERMISSIONS, _titled({p.name: p.title for p in declared}))


async def declare_roles(work: Work, roles: Iterable[Role]) -> None:
    """Write built-in roles that are new, have a new title or were somebody's own until now."""
    await work.session.execute(_SYSTEM_ROLES, _titled({role.name: role.title for role in roles}))


async def grant_defaults(work: Work, defaults: Iterable[tuple[str, str]]) -> None:
    """Grant roles what they have never been granted before; pairs of a role's and a permission's name."""
    pairs = sorted(set(defaults))
    await work.session.execute(
        _DEFAULTS, {"roles": [role for role, _ in pairs], "permissions": [name for _, name in pairs]}
    )


def _titled(titles: Mapping[str, str]) -> dict[str, object]:
    return {"ids": [new_id() for _ in titles], "names": list(titles), "titles": list(titles.values())}
