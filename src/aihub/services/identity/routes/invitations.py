"""Inviting people, and accepting an invitation."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.limits import Limiter
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import Invitation, Post, Wallets
from aihub.services.identity.domain import SIGNED_UP
from aihub.services.identity.routes.bodies import Email, Name, Password, RoleNames
from aihub.services.identity.service import IdentityAuthenticator

router = APIRouter(prefix="/api/v1", tags=["identity"])
PUBLIC = frozenset({"/api/v1/invitation", "/api/v1/invitation/accept"})

Inviter = Annotated[Actor, requires("users:create")]
Locale = Literal["en", "fr"]
Token = Annotated[str, Field(min_length=1, max_length=200)]


class InvitationBody(BaseModel):
    id: UUID
    email: str
    name: str
    roles: list[str]
    locale: str
    created_at: datetime
    expires_at: datetime
    expired: bool
    invited_by: str | None


class InvitationsBody(BaseModel):
    items: list[InvitationBody]
    next_cursor: str | None


class InvitationRequest(BaseModel):
    """`locale` is the language of the letter."""

    email: Email
    name: Name = ""
    roles: RoleNames = []
    locale: Locale = "en"


class LinkToken(BaseModel):
    token: Token


class InvitedBody(BaseModel):
    """What an invited person sees of their invitation."""

    email: str
    name: str
    locale: str
    expires_at: datetime


class Acceptance(BaseModel):
    token: Token
    name: Name
    password: Password
    locale: Locale = "en"


class AcceptedBody(BaseModel):
    email: str


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _body(request: Request, invitation: Invitation) -> InvitationBody:
    return InvitationBody(
        id=invitation.id,
        email=invitation.email,
        name=invitation.name,
        roles=list(invitation.roles),
        locale=invitation.locale,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        expired=invitation.expires_at <= _runtime(request).clock.now(),
        invited_by=invitation.invited_by,
    )


@router.get("/invitations", dependencies=[requires("users:create")])
async def list_invitations(
    request: Request, cursor: UUID | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> InvitationsBody:
    """Invitations that nobody has accepted yet, the newest first."""
    async with _runtime(request).database.work(system("list invitations")) as work:
        rows, following = await service.list_invitations(work, after=cursor, limit=limit)
    return InvitationsBody(
        items=[_body(request, row) for row in rows], next_cursor=str(following) if following else None
    )


@router.post("/invitations", status_code=201)
async def invite(request: Request, body: InvitationRequest, actor: Inviter) -> InvitationBody:
    """Invite somebody by e-mail. Roles other than `user` need `roles:assign` and their own permissions."""
    runtime = _runtime(request)
    async with runtime.database.work(system("invite")) as work:
        invitation = await service.invite(
            work,
            email=body.email,
            name=body.name,
            roles=body.roles or (SIGNED_UP,),
            locale=body.locale,
            actor=actor,
            post=runtime.get(Post),
            clock=runtime.clock,
        )
    return _body(request, invitation)


@router.post("/invitations/{invitation_id}/resend")
async def resend_invitation(request: Request, invitation_id: UUID, actor: Inviter) -> InvitationBody:
    """Send a new link, good for another week. The old one stops working."""
    runtime = _runtime(request)
    await runtime.get(Limiter).take("mail.address", f"invitation {invitation_id}")
    async with runtime.database.work(system("invite again")) as work:
        invitation = await service.resend_invitation(
            work, invitation_id, actor=actor, post=runtime.get(Post), clock=runtime.clock
        )
    return _body(request, invitation)


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(request: Request, invitation_id: UUID, actor: Inviter) -> None:
    """The link in the letter stops working."""
    async with _runtime(request).database.work(system("revoke an invitation")) as work:
        await service.revoke_invitation(work, invitation_id, actor=actor)


@router.post("/invitation")
async def read_invitation(request: Request, body: LinkToken) -> InvitedBody:
    """Whom an invitation is for. Does not use it."""
    runtime = _runtime(request)
    async with runtime.database.work(system("look at an invitation")) as work:
        link = await service.look_at_invitation(work, body.token, runtime.clock)
        return InvitedBody(email=link.email, name=link.name, locale=link.locale, expires_at=link.expires_at)


@router.post("/invitation/accept", status_code=201)
async def accept_invitation(request: Request, body: Acceptance) -> AcceptedBody:
    """Create the invited account. Sign in with it afterwards."""
    runtime = _runtime(request)
    runtime.get(IdentityAuthenticator).require_same_origin(request)
    async with runtime.database.work(system("accept an invitation")) as work:
        link = await service.look_at_invitation(work, body.token, runtime.clock)
    password = await service.new_password(body.password, known=(link.email, body.name))
    async with runtime.database.work(system("accept an invitation")) as work:
        user = await service.accept_invitation(
            work,
            token=body.token,
            name=body.name,
            password=password,
            locale=body.locale,
            wallets=runtime.get(Wallets),
            clock=runtime.clock,
        )
    return AcceptedBody(email=user.email)
