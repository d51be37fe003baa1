"""Roles, who has them and until when, and why somebody may do something."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from aihub.kernel.auth import Actor, aliases, requires
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.contracts import Line
from aihub.services.identity.routes.role_bodies import (
    ExplanationBody,
    NewRole,
    NewRoleGrant,
    PermissionBody,
    PermissionsBody,
    RoleBody,
    RoleChange,
    RoleGrantBody,
    RoleGrantsBody,
    RolePeopleBody,
    RolesBody,
    explanation_body,
    grant_body,
    role_body,
)
from aihub.services.identity.routes.ways import required_roles, runtime_of
from aihub.services.identity.service import fresh

router = APIRouter(prefix="/api/v1", tags=["identity"])

RoleKeeper = Annotated[Actor, fresh("roles:manage")]
RoleGiver = Annotated[Actor, fresh("roles:assign")]


@router.get("/permissions", dependencies=[requires("roles:read")])
async def list_permissions(request: Request) -> PermissionsBody:
    """Everything that can be allowed, by the part of the hub that asks for it."""
    items = [
        PermissionBody(
            name=permission.name,
            title=permission.title,
            module=module.name,
            aliases=list(aliases(permission.name)),
        )
        for module in runtime_of(request).modules
        for permission in module.permissions
    ]
    return PermissionsBody(items=items)


@router.get("/roles", dependencies=[requires("roles:read")])
async def list_roles(request: Request) -> RolesBody:
    """Every role with its permissions and how many people have it."""
    async with runtime_of(request).database.work(system("list roles")) as work:
        return RolesBody(items=[role_body(role) for role in await service.list_roles(work)])


@router.post("/roles", status_code=201)
async def create_role(request: Request, body: NewRole, actor: RoleKeeper) -> RoleBody:
    """Make a role. It can allow what you may do yourself, and inherit from another role."""
    async with runtime_of(request).database.work(system("make a role")) as work:
        made = await service.create_role(
            work,
            name=body.name,
            title=body.title,
            permissions=body.permissions,
            parent=body.parent_id,
            actor=actor,
        )
    return role_body(made)


@router.get("/roles/{role_id}", dependencies=[requires("roles:read")])
async def read_role(request: Request, role_id: UUID) -> RoleBody:
    """One role."""
    async with runtime_of(request).database.work(system("read a role")) as work:
        return role_body(await service.read_role(work, role_id))


@router.patch("/roles/{role_id}")
async def change_role(request: Request, role_id: UUID, body: RoleChange, actor: RoleKeeper) -> RoleBody:
    """Change a role, at once for everybody who has it. Of a built-in role only the permissions, and only
    within what it comes with."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    if "parent_id" in changes:
        changes["parent"] = changes.pop("parent_id")
    async with runtime_of(request).database.work(system("change a role")) as work:
        return role_body(await service.change_role(work, role_id, changes, actor=actor))


@router.delete("/roles/{role_id}", status_code=204)
async def delete_role(request: Request, role_id: UUID, actor: RoleKeeper) -> None:
    """Delete a role that nobody has and no role inherits from."""
    async with runtime_of(request).database.work(system("delete a role")) as work:
        await service.delete_role(work, role_id, actor=actor)


@router.get("/roles/{role_id}/people", dependencies=[requires("roles:read"), requires("users:read")])
async def list_role_people(
    request: Request,
    role_id: UUID,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RolePeopleBody:
    """Who has this role, by whom and until when."""
    async with runtime_of(request).database.work(system("list people with a role")) as work:
        people, following = await service.people_with_role(work, role_id, after=cursor, limit=limit)
    return RolePeopleBody(
        items=[grant_body(grant) for grant in people], next_cursor=str(following) if following else None
    )


@router.get("/users/{user_id}/roles", dependencies=[requires("roles:read"), requires("users:read")])
async def list_user_roles(request: Request, user_id: UUID) -> RoleGrantsBody:
    """The roles of one person: by whom, since when, until when, and which ended lately."""
    runtime = runtime_of(request)
    async with runtime.database.work(system("list somebody's roles")) as work:
        given = await service.list_role_grants(work, user_id, runtime.clock.now())
    return RoleGrantsBody(items=[grant_body(grant) for grant in given])


@router.post("/users/{user_id}/roles", status_code=201)
async def give_role(request: Request, user_id: UUID, body: NewRoleGrant, actor: RoleGiver) -> RoleGrantBody:
    """Give somebody a role, for good or until `expires_at`. Giving it again changes until when."""
    runtime = runtime_of(request)
    async with runtime.database.work(system("give a role")) as work:
        given = await service.give_role(
            work,
            user_id,
            body.role_id,
            expires_at=body.expires_at,
            reason=body.reason,
            actor=actor,
            clock=runtime.clock,
        )
    return grant_body(given)


@router.delete("/users/{user_id}/roles/{role_id}", status_code=204)
async def take_role(request: Request, user_id: UUID, role_id: UUID, actor: RoleGiver) -> None:
    """Take a role from somebody, at once."""
    runtime = runtime_of(request)
    async with runtime.database.work(system("take a role")) as work:
        await service.take_role(work, user_id, role_id, actor=actor, clock=runtime.clock)


@router.get("/users/{user_id}/access", dependencies=[requires("roles:read"), requires("users:read")])
async def explain_access(
    request: Request,
    user_id: UUID,
    permission: Annotated[Line, Query(min_length=1, max_length=100)],
    resource: Annotated[Line | None, Query(min_length=1, max_length=200)] = None,
) -> ExplanationBody:
    """Why somebody may do something, in general or to one thing, or why not."""
    runtime = runtime_of(request)
    declared = [permission for module in runtime.modules for permission in module.permissions]
    async with runtime.database.work(system("explain access")) as work:
        explanation = await service.explain(
            work,
            user_id,
            permission,
            resource,
            required_roles=required_roles(request),
            declared=declared,
            clock=runtime.clock,
        )
    return explanation_body(explanation)
