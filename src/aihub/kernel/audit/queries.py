"""Every statement on the audit log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from aihub.kernel.audit.chain import Entry
from aihub.kernel.db import Work

_COLUMNS = (
    "seq, id, at, actor_id, actor, action, target_kind, target_id, request_id, ip, details, previous, hash"
)


@dataclass(frozen=True, slots=True)
class Head:
    """How long the log is, its seal, and the hash of its last row (None when that row is missing)."""

    seq: int
    hash: bytes
    last: bytes | None


@dataclass(frozen=True, slots=True)
class Stored:
    entry: Entry
    hash: bytes


async def head(work: Work, *, lock: bool) -> Head:
    """The head row; with `lock` nobody else can append until this work ends."""
    if lock:
        # Apart from the reading below, which must see what was committed while we waited here.
        await work.session.execute(text("select 1 from audit_head for update"))
    rows = await work.session.execute(
        text(
            "select h.seq, h.hash, (select l.hash from audit_log l where l.seq = h.seq) as last "
            "from audit_head h"
        )
    )
    row = rows.one()
    return Head(row.seq, row.hash, row.last)


async def append(work: Work, rows: Sequence[Stored], seq: int, head_hash: bytes) -> None:
    """Insert the entries and move the head, which must be locked, to `seq`."""
    await work.session.execute(
        text(
            f"insert into audit_log ({_COLUMNS}) values (:seq, :id, :at, :actor_id, :actor, :action, "  # noqa: S608
            ":target_kind, :target_id, :request_id, :ip, :details, :previous, :hash)"
        ),
        [{**asdict(row.entry), "hash": row.hash} for row in rows],
    )
    await work.session.execute(
        text("update audit_head set seq = :seq, hash = :hash"), {"seq": seq, "hash": head_hash}
    )


async def after(work: Work, seq: int, limit: int) -> Sequence[Stored]:
    """The next rows in order of seq."""
    rows = await work.session.execute(
        text(f"select {_COLUMNS} from audit_log where seq > :seq order by seq limit :limit"),  # noqa: S608
        {"seq": seq, "limit": limit},
    )
    return [_stored(row) for row in rows]


async def page(
    work: Work, *, before: int | None, limit: int, action: str | None, actor: str | None
) -> Sequence[Stored]:
    """Newest first. `action` may end with `*`; `actor` is a user id or a part of the name."""
    conditions = ["(cast(:before as bigint) is null or seq < :before)"]
    values: dict[str, object] = {"before": before, "limit": limit}
    if action:
        conditions.append("starts_with(action, :action)" if action.endswith("*") else "action = :action")
        values["action"] = action.removesuffix("*")
    if actor:
        try:
            values["actor_id"] = UUID(actor)
            conditions.append("actor_id = :actor_id")
        except ValueError:
            values["actor"] = actor.lower()
            conditions.append("strpos(lower(actor), :actor) > 0")
    rows = await work.session.execute(
        text(
            f"select {_COLUMNS} from audit_log where {' and '.join(conditions)} "  # noqa: S608
            "order by seq desc limit :limit"
        ),
        values,
    )
    return [_stored(row) for row in rows]


def _stored(row: Row[Any]) -> Stored:
    return Stored(
        Entry(
            seq=row.seq,
            id=row.id,
            at=row.at,
            actor_id=row.actor_id,
            actor=row.actor,
            action=row.action,
            target_kind=row.target_kind,
            target_id=row.target_id,
            request_id=row.request_id,
            ip=row.ip,
            details=row.details,
            previous=row.previous,
        ),
        row.hash,
    )
