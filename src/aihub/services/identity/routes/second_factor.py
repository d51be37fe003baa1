"""One's authenticator app and recovery codes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from aihub.kernel.auth import Actor, signed_in
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.routes.factor_bodies import (
    CodeRequest,
    EnrolmentBody,
    RecoveryCodesBody,
    SecondFactorBody,
    second_factor_body,
)
from aihub.services.identity.routes.ways import by_person, required_roles, runtime_of
from aihub.services.identity.service import fresh

router = APIRouter(prefix="/api/v1", tags=["identity"])

SignedIn = Annotated[Actor, signed_in()]
Proven = Annotated[Actor, fresh()]


@router.get("/second-factor")
async def read_second_factor(request: Request, actor: SignedIn) -> SecondFactorBody:
    """What you have to show that it is you, and whether your role needs more than a password."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        return second_factor_body(
            await service.second_factor_of(work, actor.user_id, required_roles(request))
        )


@router.post("/second-factor/totp")
async def begin_totp(request: Request, actor: Proven) -> EnrolmentBody:
    """A secret for an authenticator app. It counts once POST …/totp/confirm has seen its first code."""
    runtime = runtime_of(request)
    async with runtime.database.work(actor.scope) as work:
        begun = await service.begin_totp(work, runtime.get(Crypto), actor)
    return EnrolmentBody(secret=begun.secret, uri=begun.uri, picture=begun.picture, size=begun.size)


@router.post("/second-factor/totp/confirm")
async def confirm_totp(request: Request, body: CodeRequest, actor: Proven) -> RecoveryCodesBody:
    """Show the app's first code; from now on signing in asks for one. The recovery codes are in this answer
    and nowhere else."""
    runtime = runtime_of(request)
    async with runtime.database.work(actor.scope) as work:
        codes = await service.confirm_totp(work, runtime.get(Crypto), actor, body.code, runtime.clock)
    return RecoveryCodesBody(recovery_codes=codes)


@router.delete("/second-factor/totp", status_code=204)
async def remove_totp(request: Request, actor: Proven) -> None:
    """Forget the authenticator app and the recovery codes."""
    async with runtime_of(request).database.work(actor.scope) as work:
        await service.remove_totp(work, actor, required_roles(request))


@router.post("/second-factor/recovery-codes")
async def replace_recovery_codes(request: Request, actor: Proven) -> RecoveryCodesBody:
    """Ten fresh recovery codes; older ones stop working."""
    async with runtime_of(request).database.work(actor.scope) as work:
        return RecoveryCodesBody(recovery_codes=await service.new_recovery_codes(work, actor))


@router.delete("/users/{user_id}/second-factor", status_code=204)
async def reset_second_factor(
    request: Request, user_id: UUID, actor: Annotated[Actor, fresh("users:update")]
) -> None:
    """Take the passkeys, app and codes from somebody who lost them; they sign in with the password alone."""
    async with runtime_of(request).database.work(system("reset a second factor")) as work:
        await service.reset_second_factor(work, actor, user_id)
