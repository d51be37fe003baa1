"""Every statement on exports."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.services.privacy.contracts import DataExport
from aihub.services.privacy.models import ExportRow

_OPEN = ExportRow.status.in_(("waiting", "running"))
_EXPORT = (
    ExportRow.id,
    ExportRow.owner_id,
    ExportRow.status,
    ExportRow.rows_done,
    ExportRow.rows_total,
    ExportRow.size,
    ExportRow.error,
    ExportRow.created_at,
    ExportRow.finished_at,
    ExportRow.expires_at,
    func.coalesce(ExportRow.requested_by != ExportRow.owner_id, True),
)


def _export(row: Sequence[Any]) -> DataExport:
    return DataExport(*row)


async def add(
    work: Work,
    export_id: UUID,
    owner_id: UUID,
    *,
    requested_by: UUID | None,
    reason: str,
    secret: str,
    now: datetime,
) -> UUID:
    """The id of the owner's export that is under way: this one, or the one there was."""
    statement = (
        insert(ExportRow)
        .values(
            id=export_id,
            owner_id=owner_id,
            requested_by=requested_by,
            reason=reason,
            secret=secret,
            created_at=now,
            heartbeat_at=now,
        )
        .on_conflict_do_nothing(index_elements=[ExportRow.owner_id], index_where=_OPEN)
        .returning(ExportRow.id)
    )
    made = await work.session.scalar(statement)
    if made is not None:
        return made
    there = await work.session.scalar(select(ExportRow.id).where(ExportRow.owner_id == owner_id, _OPEN))
    # It ended in between: then this one is the one.
    return there or await add(
        work, export_id, owner_id, requested_by=requested_by, reason=reason, secret=secret, now=now
    )


async def one(work: Work, export_id: UUID, owner_id: UUID | None = None) -> DataExport | None:
    """The export; with `owner_id` only if it is that person's."""
    statement = select(*_EXPORT).where(ExportRow.id == export_id)
    if owner_id is not None:
        statement = statement.where(ExportRow.owner_id == owner_id)
    row = (await work.session.execute(statement)).one_or_none()
    return _export(row) if row else None


async def of(work: Work, owner_id: UUID) -> list[DataExport]:
    """The owner's exports, the newest first."""
    statement = select(*_EXPORT).where(ExportRow.owner_id == owner_id).order_by(ExportRow.id.desc()).limit(20)
    return [_export(row) for row in await work.session.execute(statement)]


async def secret_of(work: Work, export_id: UUID) -> str | None:
    return await work.session.scalar(select(ExportRow.secret).where(ExportRow.id == export_id))


async def begin(work: Work, export_id: UUID, secret: str, total: int, now: datetime) -> bool:
    """Writing begins, or begins again. False when the export is not under way any more."""
    statement = (
        update(ExportRow)
        .where(ExportRow.id == export_id, _OPEN)
        .values(status="running", secret=secret, rows_done=0, rows_total=total, heartbeat_at=now)
        .returning(ExportRow.id)
    )
    return await work.session.scalar(statement) is not None


async def progress(work: Work, export_id: UUID, secret: str, done: int, now: datetime) -> bool:
    """Note how far it is. False when somebody else writes it now, or nobody shall."""
    statement = (
        update(ExportRow)
        .where(ExportRow.id == export_id, ExportRow.secret == secret, ExportRow.status == "running")
        .values(rows_done=done, heartbeat_at=now)
        .returning(ExportRow.id)
    )
    return await work.session.scalar(statement) is not None


async def finish(
    work: Work, export_id: UUID, secret: str, *, rows: int, size: int, now: datetime, life: timedelta
) -> bool:
    """The file is complete. False when it is not wanted any more."""
    statement = (
        update(ExportRow)
        .where(ExportRow.id == export_id, ExportRow.secret == secret, ExportRow.status == "running")
        .values(
            status="ready", rows_done=rows, rows_total=rows, size=size, finished_at=now, expires_at=now + life
        )
        .returning(ExportRow.id)
    )
    return await work.session.scalar(statement) is not None


async def fail(work: Work, export_id: UUID, error: str, now: datetime) -> None:
    await work.session.execute(
        update(ExportRow)
        .where(ExportRow.id == export_id, _OPEN)
        .values(status="failed", error=error, finished_at=now)
    )


async def remove(work: Work, export_id: UUID, owner_id: UUID) -> bool:
    """Whether it was this call that removed it."""
    statement = (
        delete(ExportRow)
        .where(ExportRow.id == export_id, ExportRow.owner_id == owner_id)
        .returning(ExportRow.id)
    )
    return await work.session.scalar(statement) is not None


async def ids_of(work: Work, owner_id: UUID) -> Sequence[UUID]:
    return (await work.session.scalars(select(ExportRow.id).where(ExportRow.owner_id == owner_id))).all()


async def remove_past(work: Work, now: datetime, failed_before: datetime) -> Sequence[UUID]:
    """Delete exports whose time is over; their ids."""
    statement = (
        delete(ExportRow)
        .where(
            or_(
                ExportRow.expires_at <= now,
                (ExportRow.status == "failed") & (ExportRow.finished_at < failed_before),
            )
        )
        .returning(ExportRow.id)
    )
    return (await work.session.scalars(statement)).all()


async def silent_since(work: Work, before: datetime) -> Sequence[UUID]:
    """Exports that should be written and of which nothing was heard since then."""
    statement = select(ExportRow.id).where(_OPEN, ExportRow.heartbeat_at < before)
    return (await work.session.scalars(statement)).all()


async def known(work: Work, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are there."""
    return set(await work.session.scalars(select(ExportRow.id).where(ExportRow.id.in_(ids))))
