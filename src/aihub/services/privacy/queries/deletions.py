"""Every statement on deletions and their certificates."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.services.privacy.contracts import Deletion
from aihub.services.privacy.models import CertificateRow, DeletionRow

_OPEN = DeletionRow.stage.in_(("waiting", "erasing"))
_DELETION = (
    DeletionRow.id,
    DeletionRow.owner_id,
    DeletionRow.way,
    DeletionRow.reason,
    DeletionRow.stage,
    DeletionRow.requested_at,
    DeletionRow.due_at,
    DeletionRow.ended_at,
)
_COUNT = text("""
update deletions set erased = jsonb_set(erased, array[cast(:name as text)],
  to_jsonb(coalesce((erased ->> :name)::bigint, 0) + cast(:rows as bigint))) where id = :id
""")


def _deletion(row: Sequence[Any]) -> Deletion:
    return Deletion(*row)


async def add(work: Work, **values: Any) -> bool:
    """False when the person has a deletion already."""
    statement = (
        insert(DeletionRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=[DeletionRow.owner_id], index_where=_OPEN)
        .returning(DeletionRow.id)
    )
    return await work.session.scalar(statement) is not None


async def open_of(work: Work, owner_id: UUID) -> Deletion | None:
    """The person's deletion that waits or is under way."""
    statement = select(*_DELETION).where(DeletionRow.owner_id == owner_id, _OPEN)
    row = (await work.session.execute(statement)).one_or_none()
    return _deletion(row) if row else None


async def one(work: Work, deletion_id: UUID) -> Deletion | None:
    row = (await work.session.execute(select(*_DELETION).where(DeletionRow.id == deletion_id))).one_or_none()
    return _deletion(row) if row else None


async def page(work: Work, after: UUID | None, limit: int) -> list[Deletion]:
    """All of them, the newest first, from below `after`."""
    statement = select(*_DELETION).order_by(DeletionRow.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(DeletionRow.id < after)
    return [_deletion(row) for row in await work.session.execute(statement)]


async def cancel(work: Work, owner_id: UUID, now: datetime) -> UUID | None:
    """Cancel the deletion that waits: its id, or None when there is none or erasing has begun."""
    statement = (
        update(DeletionRow)
        .where(DeletionRow.owner_id == owner_id, DeletionRow.stage == "waiting")
        .values(stage="cancelled", ended_at=now)
        .returning(DeletionRow.id)
    )
    return await work.session.scalar(statement)


async def begin(work: Work, deletion_id: UUID, now: datetime) -> bool:
    """Begin to erase, once it is due. False when it is not, was cancelled, or has begun before."""
    statement = (
        update(DeletionRow)
        .where(DeletionRow.id == deletion_id, DeletionRow.stage == "waiting", DeletionRow.due_at <= now)
        .values(stage="erasing", begun_at=now)
        .returning(DeletionRow.id)
    )
    return await work.session.scalar(statement) is not None


async def lock_erasing(work: Work, deletion_id: UUID) -> DeletionRow | None:
    """The deletion if erasing is under way; nobody else carries it out until this work ends."""
    statement = (
        select(DeletionRow)
        .where(DeletionRow.id == deletion_id, DeletionRow.stage == "erasing")
        .with_for_update()
    )
    return (await work.session.scalars(statement)).one_or_none()


async def add_erased(work: Work, deletion_id: UUID, name: str, rows: int) -> None:
    """Count what was erased, in the transaction that erased it."""
    await work.session.execute(_COUNT, {"id": deletion_id, "name": name, "rows": rows})


async def erased(work: Work, deletion_id: UUID) -> Mapping[str, int]:
    found = await work.session.scalar(select(DeletionRow.erased).where(DeletionRow.id == deletion_id))
    return {name: int(rows) for name, rows in (found or {}).items()}


async def end(work: Work, deletion_id: UUID, now: datetime) -> None:
    """It is done: nothing in it names anybody any more."""
    await work.session.execute(
        update(DeletionRow)
        .where(DeletionRow.id == deletion_id)
        .values(stage="done", owner_id=None, reason="", ended_at=now)
    )


async def due(work: Work, now: datetime) -> Sequence[UUID]:
    """Deletions to be carried out, or to be carried on with."""
    statement = select(DeletionRow.id).where(_OPEN, DeletionRow.due_at <= now).order_by(DeletionRow.due_at)
    return (await work.session.scalars(statement.limit(100))).all()


async def add_certificate(
    work: Work, deletion_id: UUID, document: Mapping[str, Any], token_hash: bytes, now: datetime
) -> None:
    await work.session.execute(
        insert(CertificateRow).values(
            id=deletion_id, document=dict(document), token_hash=token_hash, issued_at=now
        )
    )


async def certificate(work: Work, deletion_id: UUID) -> Mapping[str, Any] | None:
    return await work.session.scalar(select(CertificateRow.document).where(CertificateRow.id == deletion_id))


async def certificate_by_token(work: Work, token_hash: bytes) -> Mapping[str, Any] | None:
    return await work.session.scalar(
        select(CertificateRow.document).where(CertificateRow.token_hash == token_hash)
    )
