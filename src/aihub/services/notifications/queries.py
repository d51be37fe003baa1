"""Every statement on notifications' tables."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from aihub.kernel.db import Work
from aihub.services.notifications.contracts import Posted
from aihub.services.notifications.models import LetterRow

_POSTED = (
    LetterRow.id,
    LetterRow.kind,
    LetterRow.to_address,
    LetterRow.subject,
    LetterRow.status,
    LetterRow.attempts,
    LetterRow.error,
    LetterRow.sealed.is_not(None),
    LetterRow.created_at,
    LetterRow.expires_at,
    LetterRow.sent_at,
)


async def add(work: Work, **values: Any) -> None:
    await work.session.execute(insert(LetterRow).values(**values))


async def letter(work: Work, letter_id: UUID) -> LetterRow | None:
    return await work.session.get(LetterRow, letter_id)


async def posted(work: Work, letter_id: UUID) -> Posted | None:
    row = (await work.session.execute(select(*_POSTED).where(LetterRow.id == letter_id))).one_or_none()
    return Posted(*row) if row else None


async def page(work: Work, status: str | None, after: UUID | None, limit: int) -> Sequence[Posted]:
    """Letters, the newest first, from below `after`."""
    statement = select(*_POSTED).order_by(LetterRow.id.desc()).limit(limit)
    if status is not None:
        statement = statement.where(LetterRow.status == status)
    if after is not None:
        statement = statement.where(LetterRow.id < after)
    return [Posted(*row) for row in await work.session.execute(statement)]


async def note_sent(work: Work, letter_id: UUID, now: datetime) -> None:
    """It is on its way; what it said is forgotten, and of a fleeting one everything."""
    if await _vanish(work, LetterRow.id == letter_id):
        return
    await work.session.execute(
        update(LetterRow)
        .where(LetterRow.id == letter_id)
        .values(status="sent", sent_at=now, sealed=None, error=None, attempts=LetterRow.attempts + 1)
    )


async def note_failure(work: Work, letter_id: UUID, error: str, *, final: bool) -> None:
    if final and await _vanish(work, LetterRow.id == letter_id):
        return
    await work.session.execute(
        update(LetterRow)
        .where(LetterRow.id == letter_id, LetterRow.status == "waiting")
        .values(status="failed" if final else "waiting", error=error[:500], attempts=LetterRow.attempts + 1)
    )


async def put_back(work: Work, letter_id: UUID) -> bool:
    """A failed letter waits again. False when it did not fail."""
    statement = (
        update(LetterRow)
        .where(LetterRow.id == letter_id, LetterRow.status == "failed", LetterRow.sealed.is_not(None))
        .values(status="waiting")
        .returning(LetterRow.id)
    )
    return await work.session.scalar(statement) is not None


async def waiting_since(work: Work, before: datetime, limit: int) -> Sequence[UUID]:
    """Letters that have waited since before then, the oldest first."""
    statement = (
        select(LetterRow.id)
        .where(LetterRow.status == "waiting", LetterRow.created_at < before)
        .order_by(LetterRow.created_at)
        .limit(limit)
    )
    return (await work.session.scalars(statement)).all()


async def expire(work: Work, now: datetime) -> None:
    """Forget what letters say whose links no longer work, and of fleeting ones everything."""
    await _vanish(work, LetterRow.expires_at < now)
    await work.session.execute(
        update(LetterRow)
        .where(LetterRow.expires_at < now, LetterRow.sealed.is_not(None))
        .values(sealed=None, status="expired")
    )


async def forget(work: Work, before: datetime) -> None:
    """Delete letters that were dealt with before then, and those that nobody fetched for a year."""
    await work.session.execute(
        delete(LetterRow).where(LetterRow.created_at < before, LetterRow.status.in_(("sent", "expired")))
    )
    await work.session.execute(
        delete(LetterRow).where(LetterRow.created_at < func.now() - timedelta(days=365))
    )


async def _vanish(work: Work, which: ColumnElement[bool]) -> bool:
    """Delete those that are fleeting; whether there was one."""
    statement = delete(LetterRow).where(which, LetterRow.fleeting).returning(LetterRow.id)
    return bool((await work.session.execute(statement)).all())
