"""Every statement on links that work once: those sent by e-mail, and the one on the console."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from aihub.kernel.db import Work
from aihub.services.identity.contracts import Invitation
from aihub.services.identity.models import LinkRow, SetupLinkRow, UserRow

INVITATION, PASSWORD_RESET, EMAIL_VERIFICATION = "invitation", "password_reset", "email_verification"

# An advisory lock: any constant that is ours alone.
_INVITING = 7_302_640_204

_OPEN = (LinkRow.used_at.is_(None), LinkRow.revoked_at.is_(None))


async def add(work: Work, **values: Any) -> None:
    await work.session.execute(insert(LinkRow).values(**values))


async def by_token(work: Work, kind: str, token_hash: bytes, now: datetime) -> LinkRow | None:
    """A link that still works."""
    statement = select(LinkRow).where(
        LinkRow.kind == kind, LinkRow.token_hash == token_hash, LinkRow.expires_at > now, *_OPEN
    )
    return await work.session.scalar(statement)


async def use(work: Work, kind: str, token_hash: bytes, now: datetime) -> LinkRow | None:
    """The link, if it works and it was this call that used it: of two at once the second gets None."""
    statement = (
        update(LinkRow)
        .where(LinkRow.kind == kind, LinkRow.token_hash == token_hash, LinkRow.expires_at > now, *_OPEN)
        .values(used_at=now)
        .returning(LinkRow)
    )
    return await work.session.scalar(statement)


async def close_of(work: Work, kind: str, owner_id: UUID) -> None:
    """No link of this kind made so far for this account works any more."""
    await work.session.execute(
        update(LinkRow)
        .where(LinkRow.kind == kind, LinkRow.owner_id == owner_id, *_OPEN)
        .values(revoked_at=func.now())
    )


async def close_invitations_to(work: Work, email: str) -> None:
    """No invitation of this address works any more."""
    await work.session.execute(
        update(LinkRow)
        .where(LinkRow.kind == INVITATION, LinkRow.email == email, *_OPEN)
        .values(revoked_at=func.now())
    )


async def revoke_invitation(work: Work, invitation_id: UUID) -> bool:
    """Whether it was open until this call."""
    statement = (
        update(LinkRow)
        .where(LinkRow.id == invitation_id, LinkRow.kind == INVITATION, *_OPEN)
        .values(revoked_at=func.now())
        .returning(LinkRow.id)
    )
    return await work.session.scalar(statement) is not None


_INVITATION = (
    LinkRow.id,
    LinkRow.email,
    LinkRow.name,
    LinkRow.roles,
    LinkRow.locale,
    LinkRow.created_at,
    LinkRow.expires_at,
    LinkRow.created_by,
    UserRow.email,
)


def _invitation(row: Sequence[Any]) -> Invitation:
    link_id, email, name, roles, *others = row
    return Invitation(link_id, email, name, tuple(roles), *others)


async def lock_invitations(work: Work) -> None:
    """Until this work ends, nobody else invites."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_INVITING)))


async def invitation(work: Work, invitation_id: UUID) -> Invitation | None:
    """An open invitation, expired or not."""
    statement = (
        select(*_INVITATION)
        .outerjoin(UserRow, UserRow.id == LinkRow.created_by)
        .where(LinkRow.id == invitation_id, LinkRow.kind == INVITATION, *_OPEN)
    )
    row = (await work.session.execute(statement)).one_or_none()
    return _invitation(row) if row else None


async def invitations(work: Work, after: UUID | None, limit: int) -> list[Invitation]:
    """Invitations that nobody accepted or revoked, the newest first, from below `after`."""
    statement = (
        select(*_INVITATION)
        .outerjoin(UserRow, UserRow.id == LinkRow.created_by)
        .where(LinkRow.kind == INVITATION, *_OPEN)
        .order_by(LinkRow.id.desc())
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(LinkRow.id < after)
    return [_invitation(row) for row in await work.session.execute(statement)]


async def set_address(work: Work, user_id: UUID, email: str, now: datetime) -> bool:
    """Give the account a verified address. False when another account has it."""
    statement = update(UserRow).where(UserRow.id == user_id)
    try:
        async with work.session.begin_nested():
            await work.session.execute(
                statement.values(email=email, email_verified_at=now, updated_at=func.now())
            )
    except IntegrityError:
        return False
    return True


async def insert_setup_link(work: Work, token_hash: bytes, expires_at: datetime) -> None:
    await work.session.execute(insert(SetupLinkRow).values(token_hash=token_hash, expires_at=expires_at))


async def setup_link_valid(work: Work, token_hash: bytes, now: datetime) -> bool:
    statement = select(SetupLinkRow.token_hash).where(
        SetupLinkRow.token_hash == token_hash,
        SetupLinkRow.used_at.is_(None),
        SetupLinkRow.expires_at > now,
    )
    return await work.session.scalar(statement) is not None


async def close_setup_links(work: Work) -> None:
    """No link printed so far works any more."""
    await work.session.execute(
        update(SetupLinkRow).where(SetupLinkRow.used_at.is_(None)).values(used_at=func.now())
    )


async def forget_old(work: Work, before: datetime) -> None:
    """Delete links that ended before then."""
    await work.session.execute(delete(LinkRow).where(LinkRow.expires_at < before))
    await work.session.execute(delete(SetupLinkRow).where(SetupLinkRow.expires_at < before))
