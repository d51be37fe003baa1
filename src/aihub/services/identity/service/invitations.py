"""Inviting people: a letter with a link, where they choose their own name and password."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import (
    BeyondOwnPermissions,
    EmailTaken,
    Invitation,
    Letter,
    LinkInvalid,
    Post,
    User,
    Wallets,
)
from aihub.services.identity.domain import INVITATION_LIFE, SIGNED_UP
from aihub.services.identity.models import LinkRow
from aihub.services.identity.queries import links
from aihub.services.identity.service.accounts import checked_email, create_user, known_roles, may_assign
from aihub.services.identity.service.links import look_at_link, make_link, use_link
from aihub.services.identity.service.new_passwords import NewPassword

_PAGE = "/invite#token="


async def invite(
    work: Work,
    *,
    email: str,
    name: str,
    roles: Sequence[str],
    locale: str,
    actor: Actor,
    post: Post,
    clock: Clock,
) -> Invitation:
    """Write to somebody who has no account yet. An earlier invitation of the address stops working.

    Raises InvalidRequest, EmailTaken or BeyondOwnPermissions.
    """
    email = checked_email(email)
    chosen = await known_roles(work, roles)
    if set(roles) - {SIGNED_UP}:
        may_assign(actor, chosen)
    await links.lock_invitations(work)
    if await queries.user_by_email(work, email) is not None:
        raise EmailTaken(errors=[FieldError("email", "is taken", "taken")])
    return await send_invitation(
        work, email, name, tuple(roles), locale, actor=actor, post=post, clock=clock, action="user.invite"
    )


async def resend_invitation(
    work: Work, invitation_id: UUID, *, actor: Actor, post: Post, clock: Clock
) -> Invitation:
    """Write again, with a new link for another week; the old one stops working.

    Raises NotFound, EmailTaken or BeyondOwnPermissions.
    """
    before = await _open(work, invitation_id)
    if set(before.roles) - {SIGNED_UP}:
        may_assign(actor, await known_roles(work, before.roles))
    await links.lock_invitations(work)
    if await queries.user_by_email(work, before.email) is not None:
        raise EmailTaken()
    return await send_invitation(
        work,
        before.email,
        before.name,
        before.roles,
        before.locale,
        actor=actor,
        post=post,
        clock=clock,
        action="user.invite_again",
    )


async def revoke_invitation(work: Work, invitation_id: UUID, *, actor: Actor) -> None:
    """Its link stops working. Raises NotFound."""
    before = await _open(work, invitation_id)
    if not await links.revoke_invitation(work, invitation_id):
        raise NotFound("There is no such invitation.")
    await _record(work, "user.invite_revoke", before, actor)


async def list_invitations(
    work: Work, *, after: UUID | None = None, limit: int = 50
) -> tuple[list[Invitation], UUID | None]:
    """Invitations that wait, the newest first, expired ones too; and where the next page begins."""
    rows = await links.invitations(work, after, limit + 1)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def look_at_invitation(work: Work, token: str, clock: Clock) -> LinkRow:
    """The invitation of this token, without accepting it. Raises LinkInvalid."""
    return await look_at_link(work, links.INVITATION, token, clock)


async def accept_invitation(
    work: Work, *, token: str, name: str, password: NewPassword, locale: str, wallets: Wallets, clock: Clock
) -> User:
    """Create the invited account. Of two at once one succeeds.

    Who invited must still be there and allowed to give the roles. Raises LinkInvalid, or
    EmailTaken when the address got an account in the meantime.
    """
    link = await use_link(work, links.INVITATION, token, clock)
    try:
        user = await create_user(
            work,
            email=link.email,
            password=password,
            name=name,
            roles=link.roles or (SIGNED_UP,),
            wallets=wallets,
            actor=await _inviter(work, link),
        )
    except BeyondOwnPermissions as exc:
        raise LinkInvalid("Whoever invited you may not do so any more.") from exc
    # The link came to this address.
    await queries.update_user(work, user.id, email_verified_at=clock.now(), locale=locale)
    return replace(user, email_verified_at=clock.now(), locale=locale)


async def _inviter(work: Work, link: LinkRow) -> Actor:
    """Raises LinkInvalid when whoever invited may not create accounts any more."""
    access = await queries.access(work, link.created_by) if link.created_by else None
    if access is None or not access.active or "users:create" not in access.permissions:
        raise LinkInvalid("Whoever invited you may not do so any more.")
    return Actor(access.user_id, access.email, access.roles, access.permissions)


async def send_invitation(
    work: Work,
    email: str,
    name: str,
    roles: tuple[str, ...],
    locale: str,
    *,
    actor: Actor,
    post: Post,
    clock: Clock,
    action: str,
) -> Invitation:
    """Write to this address; earlier invitations of it stop working. Who may be invited is decided before."""
    await links.close_invitations_to(work, email)
    inviter = await queries.user(work, actor.user_id)
    link_id, token, expires_at = await make_link(
        work,
        links.INVITATION,
        email=email,
        life=INVITATION_LIFE,
        clock=clock,
        locale=locale,
        name=name,
        roles=roles,
        created_by=actor.user_id,
    )
    shown = f"{inviter.name} ({inviter.email})" if inviter and inviter.name else actor.email
    await post.send(
        work,
        Letter(
            kind="invitation",
            to=email,
            locale=locale,
            values={"inviter": shown},
            path=_PAGE + token,
            expires_at=expires_at,
        ),
    )
    invitation = await _open(work, link_id)
    await _record(work, action, invitation, actor)
    return invitation


async def _open(work: Work, invitation_id: UUID) -> Invitation:
    found = await links.invitation(work, invitation_id)
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


async def _record(work: Work, action: str, invitation: Invitation, actor: Actor) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="invitation",
        target_id=str(invitation.id),
        details={"email": audit.veiled(invitation.email), "roles": sorted(invitation.roles)},
    )
