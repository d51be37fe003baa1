"""Erasing an account: asked for, kept after all or carried out, and certified.

Carrying out takes many short transactions. Each erases a step and counts it, so that a process killed
anywhere leaves a deletion that another carries on with; the last transaction forgets the person, destroys
their data key, and writes the certificate and the letter that brings it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work, system
from aihub.kernel.errors import FieldError, NotFound
from aihub.kernel.ids import new_id
from aihub.kernel.jobs import Job, defer
from aihub.kernel.privacy import PersonalData, Subject
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity.contracts import Letter, Post, User
from aihub.services.identity.service import find_user
from aihub.services.identity.service.accounts import may_change
from aihub.services.identity.service.leaving import begin_leaving, keep_account, shut_account
from aihub.services.privacy import domain
from aihub.services.privacy.contracts import (
    ConfirmationWrong,
    Deletion,
    DeletionPending,
    NoCertificate,
    NoDeletion,
    OwnAccount,
    Way,
)
from aihub.services.privacy.domain import GRACE, LETTER_LIFE
from aihub.services.privacy.models import DeletionRow
from aihub.services.privacy.queries import deletions
from aihub.services.privacy.service.certificates import issue, rows_of
from aihub.services.privacy.service.exports import Registry, subject_of

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

_PAGE = "/account/privacy"
_CERTIFICATE = "/certificate#token="


async def request_deletion(
    work: Work, runtime: "Runtime", actor: Actor, confirmation: str, *, job: Job
) -> Deletion:
    """Ask for one's own account to be erased when the grace is over.

    Raises ConfirmationWrong, DeletionPending or LastAdministrator.
    """
    await _confirm(work, actor.user_id, confirmation)
    return await _ask(
        work, runtime, actor.user_id, way="self", reason="", actor=actor, job=job, immediately=False
    )


async def order_deletion(
    work: Work,
    runtime: "Runtime",
    user_id: UUID,
    *,
    actor: Actor | None,
    reason: str,
    job: Job,
    immediately: bool = False,
    confirmation: str = "",
) -> Deletion:
    """Ask for somebody's account to be erased; `actor` None is the operator at the command line.

    `immediately` leaves no grace and needs the account's address typed. Raises NotFound, OwnAccount,
    ConfirmationWrong, BeyondOwnPermissions, DeletionPending or LastAdministrator.
    """
    if actor is not None and actor.user_id == user_id:
        raise OwnAccount()
    if immediately:
        await _confirm(work, user_id, confirmation)
    way: Way = "administrator" if actor else "operator"
    return await _ask(
        work, runtime, user_id, way=way, reason=reason, actor=actor, job=job, immediately=immediately
    )


async def order_from_desk(
    work: Work, runtime: "Runtime", user: User, *, reason: str, immediately: bool, confirmation: str
) -> Deletion:
    """The same by an operator; an immediate one is carried out by the caller, whether the hub runs or not."""
    if immediately:
        await _confirm(work, user.id, confirmation)
    return await _ask(
        work,
        runtime,
        user.id,
        way="operator",
        reason=reason,
        actor=None,
        job=None,
        immediately=immediately,
    )


async def _confirm(work: Work, user_id: UUID, typed: str) -> None:
    user = await find_user(work, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    if typed.strip().lower() != user.email:
        raise ConfirmationWrong(errors=[FieldError("confirmation", "is not the account's address", "wrong")])


async def _ask(
    work: Work,
    runtime: "Runtime",
    user_id: UUID,
    *,
    way: Way,
    reason: str,
    actor: Actor | None,
    job: Job | None,
    immediately: bool,
) -> Deletion:
    now = runtime.clock.now()
    due = now if immediately else now + GRACE
    keep = actor.session_id if actor and way == "self" else None
    user = await begin_leaving(work, user_id, actor=actor, at=due, keep_session=keep)
    deletion_id = new_id()
    made = await deletions.add(
        work,
        id=deletion_id,
        owner_id=user_id,
        requested_by=actor.user_id if actor else None,
        way=way,
        reason=reason,
        requested_at=now,
        due_at=due,
    )
    if not made:
        raise DeletionPending()
    if job is not None:  # else the clock finds it when it is due
        await _order(work, job, deletion_id, at=None if immediately else due)
    if not immediately:
        kind = "deletion_requested" if way == "self" else "deletion_ordered"
        values = {"until": f"{due:%Y-%m-%d %H:%M} UTC"} | ({"reason": reason} if way != "self" else {})
        await runtime.get(Post).send(work, Letter(kind, user.email, user.locale, values, _PAGE, user_id, due))
    details = {"due_at": due.isoformat()} | ({"reason": reason} if reason else {})
    await _record(work, actor, "privacy.deletion_request", user_id, details)
    found = await deletions.one(work, deletion_id)
    if found is None:
        raise NoDeletion()
    return found


async def deletion_of(work: Work, user_id: UUID) -> Deletion | None:
    """The deletion of this account that waits or is under way."""
    return await deletions.open_of(work, user_id)


async def list_deletions(work: Work, after: UUID | None, limit: int) -> tuple[list[Deletion], UUID | None]:
    """A page of deletions, the newest first, and where the next page begins."""
    rows = await deletions.page(work, after, limit + 1)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def cancel_deletion(work: Work, runtime: "Runtime", user_id: UUID, *, actor: Actor | None) -> None:
    """Keep the account after all. Of this and the beginning of erasing exactly one wins.

    Raises NoDeletion, or BeyondOwnPermissions for an account that may do more than the actor's.
    """
    if actor is not None and actor.user_id != user_id:
        await may_change(work, actor, user_id)
    if await deletions.cancel(work, user_id, runtime.clock.now()) is None:
        raise NoDeletion()
    user = await keep_account(work, user_id)
    await runtime.get(Post).send(
        work, Letter("deletion_cancelled", user.email, user.locale, {}, owner=user_id)
    )
    await _record(work, actor, "privacy.deletion_cancel", user_id)


async def certificate_of(work: Work, deletion_id: UUID) -> Mapping[str, Any]:
    """Raises NoCertificate."""
    found = await deletions.certificate(work, deletion_id)
    if found is None:
        raise NoCertificate()
    return found


async def carry_out(runtime: "Runtime", deletion_id: UUID) -> None:
    """Erase the account if it is time. May be killed anywhere and called again, also side by side."""
    async with runtime.database.work(system("begin to erase an account")) as work:
        if await deletions.begin(work, deletion_id, runtime.clock.now()):
            begun = await deletions.lock_erasing(work, deletion_id)
            if begun is not None and begun.owner_id is not None:
                await shut_account(work, begun.owner_id)
                await _record(work, None, "privacy.erasing", begun.owner_id)
    for data in runtime.get(Registry).data:
        while not data.last and await _step(runtime, deletion_id, data):
            pass
    await asyncio.sleep(domain.SETTLING)
    await _finish(runtime, deletion_id)


async def _step(runtime: "Runtime", deletion_id: UUID, data: PersonalData) -> bool:
    """Erase one step of this data, and count it; whether there may be more."""
    async with runtime.database.work(system("erase an account")) as work:
        held = await _held(work, runtime, deletion_id)
        if held is None:
            return False
        return await _erase(work, deletion_id, data, held[2]) > 0


async def _erase(work: Work, deletion_id: UUID, data: PersonalData, subject: Subject) -> int:
    rows = await data.erase(work, subject)
    if rows:
        await deletions.add_erased(work, deletion_id, data.name, rows)
    return rows


async def _held(
    work: Work, runtime: "Runtime", deletion_id: UUID
) -> tuple[DeletionRow, User, Subject] | None:
    """The deletion, locked, while it is under way, and whose it is."""
    deletion = await deletions.lock_erasing(work, deletion_id)
    if deletion is None or deletion.owner_id is None:
        return None
    user = await find_user(work, deletion.owner_id)
    return None if user is None else (deletion, user, subject_of(runtime, user, deletion_id))


async def _finish(runtime: "Runtime", deletion_id: UUID) -> None:
    """The closing transaction: what arrived meanwhile, the person, their key; certificate and letter."""
    registry: Sequence[PersonalData] = runtime.get(Registry).data
    crypto, now = runtime.get(Crypto), runtime.clock.now()
    async with runtime.database.work(system("finish erasing an account")) as work:
        held = await _held(work, runtime, deletion_id)
        if held is None:
            return
        deletion, user, subject = held
        for data in [d for d in registry if not d.last] + [d for d in registry if d.last]:
            while await _erase(work, deletion_id, data, subject):
                pass
        erased = await deletions.erased(work, deletion_id)
        document = await issue(
            work, crypto, deletion, registry, erased, hub=runtime.kernel.base_url(), now=now
        )
        token = new_token("")
        await deletions.add_certificate(work, deletion_id, document, token_hash(token), now)
        await _send_certificate(work, runtime, user, document, token, now)
        await deletions.end(work, deletion_id, now)
        await audit.record(
            work,
            actor=None,
            action="privacy.erased",
            target_kind="deletion",
            target_id=str(deletion_id),
            details={"rows": rows_of(document)},
        )


async def _send_certificate(
    work: Work, runtime: "Runtime", user: User, document: Mapping[str, Any], token: str, now: datetime
) -> None:
    """The last letter: it goes from the outbox too, when it is delivered or after a day."""
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    pseudonym = str(document["pseudonym"])
    letter = Letter(
        "account_erased",
        user.email,
        user.locale,
        {"rows": str(rows_of(document)), "pseudonym": pseudonym},
        _CERTIFICATE + token,
        None,
        now + LETTER_LIFE,
        fleeting=True,
        file=(f"deletion-{pseudonym}.json", text),
    )
    await runtime.get(Post).send(work, letter)


async def sweep(runtime: "Runtime", job: Job) -> None:
    """See to deletions whose time has come or that were left halfway."""
    async with runtime.database.work(system("look for due deletions")) as work:
        for deletion_id in await deletions.due(work, runtime.clock.now()):
            await _order(work, job, deletion_id)


async def _order(work: Work, job: Job, deletion_id: UUID, at: datetime | None = None) -> None:
    # Never two that wait for the same; two at work take turns at every step.
    waiting = f"deletion {deletion_id}{' when due' if at else ''}"
    await defer(work, job, queueing_lock=waiting, at=at, deletion_id=str(deletion_id))


async def _record(
    work: Work,
    actor: Actor | None,
    action: str,
    user_id: UUID,
    details: Mapping[str, object] | None = None,
) -> None:
    await audit.record(
        work, actor=actor, action=action, target_kind="user", target_id=str(user_id), details=details
    )
