"""New passwords, addresses that prove to be one's own, and how strong a password is."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, signed_in
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.limits import Limiter
from aihub.kernel.runtime import Runtime
from aihub.services.identity import jobs, service
from aihub.services.identity.contracts import Post, SessionRequired
from aihub.services.identity.domain import LONGEST_PASSWORD
from aihub.services.identity.routes.bodies import Email, Name, Password
from aihub.services.identity.routes.invitations import LinkToken, Token
from aihub.services.identity.routes.ways import caller_of
from aihub.services.identity.service import IdentityAuthenticator
from aihub.services.identity.service.proof import require_fresh

router = APIRouter(prefix="/api/v1", tags=["identity"])
PUBLIC = frozenset(
    {
        "/api/v1/password-reset",
        "/api/v1/password-reset/complete",
        "/api/v1/email-verification",
        "/api/v1/password-strength",
    }
)

SignedIn = Annotated[Actor, signed_in()]


class ResetRequest(BaseModel):
    email: Email


class ResetCompletion(BaseModel):
    token: Token
    new_password: Password


class AddressRequest(BaseModel):
    """Without `email`: the address one has."""

    email: Email | None = None


class AddressBody(BaseModel):
    email: str


class StrengthRequest(BaseModel):
    """`email` and `name` are what guessers may know of the person."""

    password: Annotated[str, Field(max_length=LONGEST_PASSWORD + 1)]
    email: Annotated[str, Field(max_length=320)] = ""
    name: Name = ""


class StrengthBody(BaseModel):
    """`score` is 0 to 4; `problem` is the code of why it is refused, null when it will do."""

    score: Annotated[int, Field(ge=0, le=4)]
    problem: str | None
    message: str | None


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.post("/password-reset", status_code=202)
async def ask_for_reset(request: Request, body: ResetRequest) -> None:
    """Ask for a letter with a link to choose a new password. The answer is the same for every address."""
    runtime = _runtime(request)
    runtime.get(IdentityAuthenticator).require_same_origin(request)
    async with runtime.database.work(system("ask for a new password")) as work:
        await service.ask_for_reset(
            work,
            body.email,
            caller_of(request),
            limiter=runtime.get(Limiter),
            crypto=runtime.get(Crypto),
            job=jobs.RESET_PASSWORD,
        )


@router.post("/password-reset/complete", status_code=204)
async def complete_reset(request: Request, body: ResetCompletion) -> None:
    """Choose a new password with the token of the letter. Every session of the account ends."""
    runtime = _runtime(request)
    runtime.get(IdentityAuthenticator).require_same_origin(request)
    async with runtime.database.work(system("reset a password")) as work:
        user = await service.look_at_reset(work, body.token, runtime.clock)
    password = await service.new_password(body.new_password, "new_password", known=(user.email, user.name))
    async with runtime.database.work(system("reset a password")) as work:
        await service.reset_password(
            work,
            token=body.token,
            password=password,
            post=runtime.get(Post),
            clock=runtime.clock,
        )


@router.post("/me/email", status_code=202)
async def send_verification(request: Request, body: AddressRequest, actor: SignedIn) -> AddressBody:
    """Send a letter that proves an address to be one's own. A new one needs a fresh proof, and counts once
    its link is used."""
    if actor.session_id is None:
        raise SessionRequired()
    runtime = _runtime(request)
    if body.email is not None:
        await require_fresh(runtime, actor)
    await runtime.get(Limiter).take("mail.address", str(actor.user_id))
    async with runtime.database.work(system("verify an address")) as work:
        to = await service.send_verification(
            work, actor, email=body.email, post=runtime.get(Post), clock=runtime.clock
        )
    return AddressBody(email=to)


@router.post("/email-verification")
async def verify_email(request: Request, body: LinkToken) -> AddressBody:
    """Prove an address with the token of the letter."""
    runtime = _runtime(request)
    runtime.get(IdentityAuthenticator).require_same_origin(request)
    async with runtime.database.work(system("verify an address")) as work:
        user = await service.verify_email(work, token=body.token, post=runtime.get(Post), clock=runtime.clock)
    return AddressBody(email=user.email)


@router.post("/password-strength")
async def rate_password(body: StrengthRequest) -> StrengthBody:
    """How hard a password is to guess. It is neither stored nor logged."""
    judged = await service.strength(body.password, (body.email, body.name))
    return StrengthBody(score=judged.score, problem=judged.problem, message=judged.said)
