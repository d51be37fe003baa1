"""Setting up, signing in and out, and one's own account."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from aihub.kernel.auth import Actor, signed_in
from aihub.kernel.db import system
from aihub.services.identity import service
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.routes.bodies import (
    AccountBody,
    PasswordChange,
    ProfileChange,
    SessionBody,
    SetupRequest,
    SetupState,
    SignInRequest,
    account_body,
    session_body,
)
from aihub.services.identity.routes.entering import browser_may, with_cookie
from aihub.services.identity.routes.ways import by_person, caller_of, required_roles, runtime_of
from aihub.services.identity.service import COOKIE, Doorkeeper, IdentityAuthenticator
from aihub.services.identity.service.first_password import set_first_password
from aihub.services.identity.service.proof import require_fresh

router = APIRouter(prefix="/api/v1", tags=["identity"])
PUBLIC = frozenset({"/api/v1/setup", "POST /api/v1/session"})

SignedIn = Annotated[Actor, signed_in()]


@router.get("/setup")
async def read_setup(request: Request) -> SetupState:
    """Whether the hub still waits for its first administrator."""
    async with runtime_of(request).database.work(system("set-up state")) as work:
        return SetupState(needed=await service.setup_needed(work))


@router.post("/setup", status_code=201)
async def complete_setup(request: Request, response: Response, body: SetupRequest) -> SessionBody:
    """Create the first super_admin with the token from the console, and sign them in."""
    browser_may(request)
    runtime = runtime_of(request)
    async with runtime.database.work(system("set-up")) as work:
        await service.look_at_setup_link(work, body.token, runtime.clock)
    password = await service.new_password(body.password, known=(body.email, body.name))
    async with runtime.database.work(system("set-up")) as work:
        user = await service.complete_setup(
            work,
            token=body.token,
            email=body.email,
            name=body.name,
            password=password,
            wallets=runtime.get(Wallets),
            clock=runtime.clock,
        )
        session, token = await service.begin_session(work, user, caller_of(request), runtime.clock)
    return await with_cookie(request, response, user, session, token)


@router.post("/session")
async def sign_in(request: Request, response: Response, body: SignInRequest) -> SessionBody:
    """Sign in with e-mail address and password; sets the session cookie.

    Whoever has an authenticator app is asked for a code by `auth.code_needed`, and sends all three.
    """
    browser_may(request)
    runtime = runtime_of(request)
    user, session, token = await runtime.get(Doorkeeper).sign_in(
        body.email, body.password, caller_of(request), runtime.clock, body.code
    )
    return await with_cookie(request, response, user, session, token)


@router.get("/session")
async def read_session(request: Request, actor: SignedIn) -> SessionBody:
    """Who is signed in, and the token to send with everything that changes something."""
    actor = by_person(actor)
    runtime = runtime_of(request)
    async with runtime.database.work(actor.scope) as work:
        user, session = await service.read_session(work, actor)
        restriction = await service.restriction_of(work, session, required_roles(request))
    csrf_token = runtime.get(IdentityAuthenticator).csrf_token(session.id)
    return session_body(user, actor.permissions, session, csrf_token, restriction)


@router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, actor: SignedIn) -> None:
    """End the session."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        await service.sign_out(work, actor)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


@router.patch("/me")
async def change_me(request: Request, body: ProfileChange, actor: SignedIn) -> AccountBody:
    """Change one's own name, language or colours."""
    actor = by_person(actor)
    async with runtime_of(request).database.work(actor.scope) as work:
        user = await service.update_profile(work, actor, name=body.name, locale=body.locale, theme=body.theme)
    return account_body(user, actor.permissions)


@router.post("/me/password", status_code=204)
async def change_password(request: Request, body: PasswordChange, actor: SignedIn) -> None:
    """Change one's own password; one's other sessions end. The first one needs a fresh proof instead of the
    current one."""
    runtime, actor = runtime_of(request), by_person(actor)
    if body.current_password is None:
        await require_fresh(runtime, actor)
        await set_first_password(runtime.database, actor, body.new_password)
        return
    await runtime.get(Doorkeeper).change_password(
        actor, body.current_password, body.new_password, caller_of(request)
    )
