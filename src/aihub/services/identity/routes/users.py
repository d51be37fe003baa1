"""People and roles, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import BeyondOwnPermissions, Wallets
from aihub.services.identity.domain import SIGNED_UP
from aihub.services.identity.routes.bodies import (
    UserBody,
    UserChange,
    UserRequest,
    user_body,
)
from aihub.services.identity.service.keys import revoke_all

router = APIRouter(prefix="/api/v1", tags=["identity"])


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.post("/users", status_code=201)
async def create_user(
    request: Request, body: UserRequest, actor: Annotated[Actor, requires("users:create")]
) -> UserBody:
    """Create an account. Other roles than `user` need `roles:assign`, the roles' own permissions
    and a fresh proof."""
    runtime = _runtime(request)
    if set(body.roles) - {SIGNED_UP}:
        await service.require_fresh(runtime, actor)
    password = await service.new_password(body.password, known=(body.email, body.name))
    async with runtime.database.work(system("create a user")) as work:
        user = await service.create_user(
            work,
            email=body.email,
            name=body.name,
            password=password,
            roles=body.roles or (SIGNED_UP,),
            wallets=runtime.get(Wallets),
            actor=actor,
        )
    return user_body(user)


@router.patch("/users/{user_id}")
async def update_user(
    request: Request,
    user_id: UUID,
    body: UserChange,
    actor: Annotated[Actor, requires("users:update")],
) -> UserBody:
    """Rename, deactivate or activate an account, or (with `roles:assign` and a fresh proof) change its
    roles.

    A deactivated account is signed out for good and its keys are refused at once; activated again, its keys
    work as before, unless `revoke_keys` ended them too.
    """
    if body.roles is not None and not actor.may("roles:assign"):
        raise BeyondOwnPermissions("You lack roles:assign.")
    if body.roles is not None:
        await service.require_fresh(_runtime(request), actor)
    async with _runtime(request).database.work(system("change a user")) as work:
        user = await service.update_user(
            work, user_id, actor=actor, name=body.name, active=body.active, roles=body.roles
        )
        if body.revoke_keys and not user.active:
            await revoke_all(work, user_id, wallets=_runtime(request).get(Wallets), actor=actor)
    return user_body(user)
