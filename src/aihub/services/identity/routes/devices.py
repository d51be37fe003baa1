"""The browsers one is signed in with, and fresh proofs of being oneself."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from aihub.kernel.auth import Actor, requires, signed_in
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.routes.factor_bodies import (
    AskBody,
    DevicesBody,
    EndedBody,
    ProofRequest,
    device_body,
)
from aihub.services.identity.routes.ways import by_person, caller_of, place, runtime_of
from aihub.services.identity.service import Doorkeeper, passkeys

router = APIRouter(prefix="/api/v1", tags=["identity"])

SignedIn = Annotated[Actor, signed_in()]


@router.get("/sessions")
async def list_sessions(request: Request, actor: SignedIn) -> DevicesBody:
    """The browsers you are signed in with, the last used first."""
    actor = by_person(actor)
    runtime = runtime_of(request)
    async with runtime.database.work(actor.scope) as work:
        devices = await service.list_devices(work, actor.user_id, runtime.clock.now())
    return DevicesBody(items=[device_body(device, actor.session_id) for device in devices])


@router.delete("/sessions")
async def end_other_sessions(request: Request, actor: SignedIn) -> EndedBody:
    """Sign out everywhere but here."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        return EndedBody(ended=await service.end_other_devices(work, actor))


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(request: Request, session_id: UUID, actor: SignedIn) -> None:
    """Sign out one browser."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        await service.end_device(work, actor, session_id)


@router.delete("/users/{user_id}/sessions")
async def force_sign_out(
    request: Request, user_id: UUID, actor: Annotated[Actor, requires("users:update")]
) -> EndedBody:
    """Sign somebody out everywhere. Their API keys go on working; deactivate the account to stop those."""
    async with runtime_of(request).database.work(system("sign somebody out")) as work:
        return EndedBody(ended=await service.force_sign_out(work, actor, user_id))


@router.post("/session/proof/options")
async def ask_for_proof(request: Request, actor: SignedIn) -> AskBody:
    """What the browser needs to show one of your passkeys as a fresh proof."""
    actor = by_person(actor)
    runtime = runtime_of(request)
    async with runtime.database.work(actor.scope) as work:
        asked = await passkeys.ask(work, actor.user_id, place(request), runtime.clock)
    return AskBody(challenge_id=asked.challenge_id, options=asked.options)


@router.post("/session/proof", status_code=204)
async def prove(request: Request, body: ProofRequest, actor: SignedIn) -> None:
    """Show that it is still you, with your password, a passkey or a code. It counts for ten minutes."""
    actor = by_person(actor)
    runtime = runtime_of(request)
    doorkeeper = runtime.get(Doorkeeper)
    if body.password is not None:
        await doorkeeper.prove_with_password(actor, body.password, caller_of(request), runtime.clock)
    elif body.code is not None:
        await doorkeeper.prove_with_code(actor, body.code, caller_of(request), runtime.clock)
    elif body.passkey is not None:
        given = body.passkey
        await passkeys.prove_with_passkey(
            runtime.database, actor, given.challenge_id, given.credential, runtime.clock
        )
