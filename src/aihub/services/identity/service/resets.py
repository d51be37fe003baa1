"""Choosing a new password with a link from a letter."""

from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.errors import TooManyRequests
from aihub.kernel.jobs import Job, defer
from aihub.kernel.limits import Limiter
from aihub.services.identity import queries
from aihub.services.identity.contracts import Letter, LinkInvalid, Post, User
from aihub.services.identity.domain import RESET_LINK_LIFE, network_of, normal_email
from aihub.services.identity.models import LinkRow
from aihub.services.identity.queries import links
from aihub.services.identity.service.accounts import set_password
from aihub.services.identity.service.links import look_at_link, make_link, use_link
from aihub.services.identity.service.new_passwords import NewPassword
from aihub.services.identity.service.sessions import Caller

_PAGE = "/reset#token="


async def ask_for_reset(
    work: Work, email: str, caller: Caller, *, limiter: Limiter, crypto: Crypto, job: Job
) -> None:
    """Have `job` look for the account and write to it, so that nothing here depends on whether there is one.

    Raises TooManyRequests for a network that asks too often. For an address asked for too often it does
    nothing, in the same words.
    """
    await limiter.take("mail.network", network_of(caller.ip))
    address = email.strip().lower()
    try:
        await limiter.take("mail.address", crypto.sign("mail address", address.encode()).hex())
    except TooManyRequests:
        return
    await defer(work, job, email=address)


async def send_reset_link(work: Work, email: str, *, post: Post, clock: Clock) -> None:
    """Write to this address if an active account has it; earlier links stop working."""
    try:
        user = await queries.user_by_email(work, normal_email(email))
    except ValueError:
        return
    if user is None or not user.active:
        return
    await queries.lock_user(work, user.id)
    await links.close_of(work, links.PASSWORD_RESET, user.id)
    _, token, expires_at = await make_link(
        work,
        links.PASSWORD_RESET,
        email=user.email,
        life=RESET_LINK_LIFE,
        clock=clock,
        locale=user.locale,
        owner=user.id,
    )
    await post.send(
        work,
        Letter("password_reset", user.email, user.locale, {}, _PAGE + token, user.id, expires_at),
    )
    await _record(work, "user.password_reset_asked", user.id)


async def look_at_reset(work: Work, token: str, clock: Clock) -> User:
    """Whose password the link is for, without using it. Raises LinkInvalid."""
    return await _account_of(work, await look_at_link(work, links.PASSWORD_RESET, token, clock))


async def reset_password(work: Work, *, token: str, password: NewPassword, post: Post, clock: Clock) -> None:
    """Set a new password; every session of the account ends. Of two at once one succeeds.

    Raises LinkInvalid.
    """
    user = await _account_of(work, await use_link(work, links.PASSWORD_RESET, token, clock))
    await set_password(work, user.id, password, actor=None)
    if user.email_verified_at is None:
        await queries.update_user(work, user.id, email_verified_at=clock.now())
    await post.send(work, Letter("password_changed", user.email, user.locale, {}, owner=user.id))
    await _record(work, "user.password_reset", user.id)


async def _account_of(work: Work, link: LinkRow) -> User:
    user = await queries.user(work, link.owner_id) if link.owner_id else None
    # A link sent to an address that the account no longer has is of no use to whoever reads mail there.
    if user is None or not user.active or user.email != link.email:
        raise LinkInvalid()
    return user


async def _record(work: Work, action: str, user_id: UUID) -> None:
    await audit.record(work, actor=None, action=action, target_kind="user", target_id=str(user_id))
