"""One's own passkeys, and signing in with one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from aihub.kernel.auth import Actor, signed_in
from aihub.kernel.db import system
from aihub.kernel.errors import NotFound
from aihub.services.identity import service
from aihub.services.identity.routes.bodies import SessionBody
from aihub.services.identity.routes.entering import browser_may, with_cookie
from aihub.services.identity.routes.factor_bodies import (
    AskBody,
    NewPasskeyRequest,
    PasskeyAnswer,
    PasskeyBody,
    PasskeyChange,
    PasskeysBody,
    passkey_body,
)
from aihub.services.identity.routes.ways import by_person, caller_of, place, required_roles, runtime_of
from aihub.services.identity.service import fresh, passkeys

router = APIRouter(prefix="/api/v1", tags=["identity"])
PUBLIC = frozenset({"POST /api/v1/session/passkey", "POST /api/v1/session/passkey/options"})

SignedIn = Annotated[Actor, signed_in()]
Proven = Annotated[Actor, fresh()]


@router.post("/session/passkey/options")
async def ask_for_passkey(request: Request) -> AskBody:
    """What the browser needs to let somebody pick one of their passkeys, without an address typed."""
    browser_may(request)
    runtime = runtime_of(request)
    async with runtime.database.work(system("ask for a passkey")) as work:
        asked = await passkeys.ask(work, None, place(request), runtime.clock)
    return AskBody(challenge_id=asked.challenge_id, options=asked.options)


@router.post("/session/passkey")
async def sign_in_with_passkey(request: Request, response: Response, body: PasskeyAnswer) -> SessionBody:
    """Sign in with a passkey; sets the session cookie. It counts as a second factor, too."""
    browser_may(request)
    runtime = runtime_of(request)
    user, session, token = await passkeys.sign_in_with_passkey(
        runtime.database, body.challenge_id, body.credential, caller_of(request), runtime.clock
    )
    return await with_cookie(request, response, user, session, token)


@router.get("/passkeys")
async def list_passkeys(request: Request, actor: SignedIn) -> PasskeysBody:
    """Your passkeys, the newest first."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        found = await passkeys.list_passkeys(work, actor.user_id)
    return PasskeysBody(items=[passkey_body(passkey) for passkey in found])


@router.post("/passkey-options")
async def ask_for_new_passkey(request: Request, actor: Proven) -> AskBody:
    """What the browser needs to make a passkey for you."""
    runtime = runtime_of(request)
    where = place(request)
    async with runtime.database.work(actor.scope) as work:
        user = await service.find_user(work, actor.user_id)
        if user is None:
            raise NotFound("There is no such user.")
        asked = await passkeys.begin_adding(work, user, where, runtime.clock)
    return AskBody(challenge_id=asked.challenge_id, options=asked.options)


@router.post("/passkeys", status_code=201)
async def add_passkey(request: Request, body: NewPasskeyRequest, actor: SignedIn) -> PasskeyBody:
    """Keep the passkey that the browser made for POST /api/v1/passkey-options."""
    runtime = runtime_of(request)
    passkey = await passkeys.add(
        runtime.database, by_person(actor), body.challenge_id, body.credential, body.name, runtime.clock
    )
    return passkey_body(passkey)


@router.patch("/passkeys/{passkey_id}")
async def rename_passkey(
    request: Request, passkey_id: UUID, body: PasskeyChange, actor: SignedIn
) -> PasskeyBody:
    """Call a passkey something else."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        return passkey_body(await passkeys.rename(work, actor, passkey_id, body.name))


@router.delete("/passkeys/{passkey_id}", status_code=204)
async def remove_passkey(request: Request, passkey_id: UUID, actor: Proven) -> None:
    """Forget a passkey: it does not sign you in any more."""
    async with runtime_of(request).database.work(actor.scope) as work:
        await passkeys.remove(work, actor, passkey_id, required_roles(request))
