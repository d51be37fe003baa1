"""Proving that an e-mail address is one's own, and changing it."""

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import EmailTaken, Letter, LinkInvalid, Post, User
from aihub.services.identity.domain import VERIFICATION_LINK_LIFE
from aihub.services.identity.queries import links
from aihub.services.identity.service.accounts import checked_email
from aihub.services.identity.service.links import make_link, use_link

_PAGE = "/verify#token="


async def send_verification(work: Work, actor: Actor, *, email: str | None, post: Post, clock: Clock) -> str:
    """Write to one's own address, or to a new one that one wants; which it was.

    The account keeps its address until the link is used. Raises InvalidRequest or EmailTaken.
    """
    user = await queries.user(work, actor.user_id)
    if user is None:
        raise NotFound("There is no such user.")
    to = user.email if email is None else checked_email(email)
    if to != user.email and await queries.user_by_email(work, to) is not None:
        raise EmailTaken(errors=[FieldError("email", "is taken", "taken")])
    await queries.lock_user(work, user.id)
    await links.close_of(work, links.EMAIL_VERIFICATION, user.id)
    _, token, expires_at = await make_link(
        work,
        links.EMAIL_VERIFICATION,
        email=to,
        life=VERIFICATION_LINK_LIFE,
        clock=clock,
        locale=user.locale,
        owner=user.id,
    )
    await post.send(
        work,
        Letter("email_verification", to, user.locale, {"email": to}, _PAGE + token, user.id, expires_at),
    )
    await audit.record(
        work,
        actor=actor,
        action="user.email_verification_asked",
        target_kind="user",
        target_id=str(user.id),
        details={"email": to},
    )
    return to


async def verify_email(work: Work, *, token: str, post: Post, clock: Clock) -> User:
    """The address of this link is the account's own from now on; its previous one is told.

    Raises LinkInvalid, or EmailTaken when somebody else got the address first.
    """
    link = await use_link(work, links.EMAIL_VERIFICATION, token, clock)
    before = await queries.user(work, link.owner_id) if link.owner_id else None
    if before is None or not before.active:
        raise LinkInvalid()
    if before.email != link.email:
        # Links to the old address stop working; whoever reads it learns of the change.
        await links.close_of(work, links.PASSWORD_RESET, before.id)
        await post.send(
            work,
            Letter("email_changed", before.email, before.locale, {"email": link.email}, owner=before.id),
        )
    if not await links.set_address(work, before.id, link.email, clock.now()):
        raise EmailTaken()
    await audit.record(
        work,
        actor=None,
        action="user.email_verified",
        target_kind="user",
        target_id=str(before.id),
        details={"before": before.email, "email": link.email},
    )
    after = await queries.user(work, before.id)
    if after is None:
        raise LinkInvalid()
    return after
