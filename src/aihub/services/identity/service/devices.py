"""The browsers somebody is signed in with: seeing them, and ending their sessions."""

from datetime import datetime
from uuid import UUID

from aihub.kernel import audit, security_events
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import NotFound
from aihub.services.identity import queries
from aihub.services.identity.contracts import Device, Letter, Post, Session, User
from aihub.services.identity.domain import SESSION_IDLE, browser_in_words, network_of
from aihub.services.identity.service.accounts import may_change
from aihub.services.identity.service.sessions import Caller


async def list_devices(work: Work, user_id: UUID, now: datetime) -> list[Device]:
    """The user's live sessions, the last used first."""
    return await queries.live_sessions(work, user_id, now - SESSION_IDLE, now)


async def end_device(work: Work, actor: Actor, session_id: UUID) -> None:
    """End one of the actor's own sessions, in every process. Raises NotFound."""
    session = await queries.session(work, session_id)
    if session is None or session.owner_id != actor.user_id:
        raise NotFound("You have no such session.")
    if await queries.revoke_sessions(work, session_id=session_id):
        await audit.record(
            work, actor=actor, action="session.end", target_kind="session", target_id=str(session_id)
        )


async def end_other_devices(work: Work, actor: Actor) -> int:
    """End the actor's sessions but the present one; how many."""
    ended = await queries.revoke_sessions(work, owner_id=actor.user_id, keep=actor.session_id)
    await _note(work, actor, actor.user_id, ended)
    return ended


async def force_sign_out(work: Work, actor: Actor, user_id: UUID) -> int:
    """End all sessions of somebody; how many.

    Raises NotFound, or BeyondOwnPermissions for an account that may do more than the actor's.
    """
    if await queries.user(work, user_id) is None:
        raise NotFound("There is no such user.")
    await may_change(work, actor, user_id)
    ended = await queries.revoke_sessions(work, owner_id=user_id)
    await _note(work, actor, user_id, ended)
    return ended


async def end_everybodys_sessions(work: Work, actor: Actor | None, reason: str = "") -> int:
    """End every session of everybody, that of the actor too; how many. Keys go on working."""
    ended = await queries.revoke_sessions(work, everybodys=True)
    await audit.record(
        work,
        actor=actor,
        action="session.end_everybodys",
        target_kind="hub",
        target_id="sessions",
        details={"sessions_ended": ended, "reason": reason},
    )
    return ended


async def tell_of_new_device(
    work: Work, user: User, session: Session, caller: Caller, *, post: Post, clock: Clock
) -> None:
    """Write to somebody who signs in with a browser, or from a network, that they have not used lately.

    The first sign-in of an account is no news.
    """
    past = await queries.past_sign_ins(work, user.id, session.id)
    here = (network_of(caller.ip), browser_in_words(caller.user_agent))
    if not past or here in {(network_of(ip), browser_in_words(agent)) for ip, agent in past}:
        return
    browser, system = here[1]
    security_events.event(work, "device.new", "info", f"user:{user.id}", person=user.id)
    await post.send(
        work,
        Letter(
            "new_device",
            user.email,
            user.locale,
            {
                "browser": session.client or " · ".join(name for name in (browser, system) if name) or "?",
                "address": caller.ip or "?",
                "time": f"{clock.now():%Y-%m-%d %H:%M} UTC",
            },
            owner=user.id,
        ),
    )


async def _note(work: Work, actor: Actor, user_id: UUID, ended: int) -> None:
    if ended:
        await audit.record(
            work,
            actor=actor,
            action="session.end_all",
            target_kind="user",
            target_id=str(user_id),
            details={"sessions_ended": ended},
        )
