"""Every statement on the checkpoints that are kept in the database, and on the checks of the log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from aihub.kernel.audit.checkpoints import Checkpoint
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id

_COLUMNS = "id, kind, seq, hash, first, base, at, reason, key, signature"


@dataclass(frozen=True, slots=True)
class Verification:
    """A check of the whole log: how far it is, and once `finished_at` is set, what it found."""

    id: UUID
    started_at: datetime
    finished_at: datetime | None
    up_to: int
    head: int
    rows: int
    ok: bool | None
    problems: list[str]
    warnings: list[str]


async def insert_checkpoint(work: Work, checkpoint: Checkpoint) -> None:
    await work.session.execute(
        text(
            f"insert into audit_checkpoints ({_COLUMNS}) values "  # noqa: S608
            "(:id, :kind, :seq, :hash, :first, :base, :at, :reason, :key, :signature)"
        ),
        asdict(checkpoint),
    )


async def checkpoints(work: Work) -> Sequence[Checkpoint]:
    """All of them, the oldest first."""
    rows = await work.session.execute(
        text(f"select {_COLUMNS} from audit_checkpoints order by at, id")  # noqa: S608
    )
    return [Checkpoint(*row) for row in rows]


async def newest_checkpoint(work: Work) -> Checkpoint | None:
    """The one that was made last."""
    rows = await work.session.execute(
        text(f"select {_COLUMNS} from audit_checkpoints order by at desc, id desc limit 1")  # noqa: S608
    )
    row = rows.one_or_none()
    return None if row is None else Checkpoint(*row)


async def checkpoint_page(work: Work, before: UUID | None, limit: int) -> Sequence[Checkpoint]:
    """Newest first."""
    rows = await work.session.execute(
        text(
            f"select {_COLUMNS} from audit_checkpoints "  # noqa: S608
            "where cast(:before as uuid) is null or id < :before order by id desc limit :limit"
        ),
        {"before": before, "limit": limit},
    )
    return [Checkpoint(*row) for row in rows]


async def begin_verification(work: Work) -> UUID:
    """A new check; those before the last hundred are forgotten."""
    made = new_id()
    await work.session.execute(text("insert into audit_verifications (id) values (:id)"), {"id": made})
    await work.session.execute(
        text(
            "delete from audit_verifications where id not in "
            "(select id from audit_verifications order by started_at desc limit 100)"
        )
    )
    return made


async def running_verification(work: Work) -> UUID | None:
    """The check that is under way; nobody else can begin one until this work ends. One that has not moved
    for an hour was killed."""
    await work.session.execute(text("select pg_advisory_xact_lock(hashtext('aihub.audit_verifications'))"))
    found: UUID | None = await work.session.scalar(
        text(
            "select id from audit_verifications where finished_at is null "
            "and moved_at > now() - interval '1 hour' order by started_at desc limit 1"
        )
    )
    return found


async def note_progress(work: Work, verification: UUID, up_to: int, head: int) -> None:
    await work.session.execute(
        text("update audit_verifications set up_to = :up_to, head = :head, moved_at = now() where id = :id"),
        {"id": verification, "up_to": up_to, "head": head},
    )


async def end_verification(
    work: Work, verification: UUID, *, up_to: int, rows: int, problems: Sequence[str], warnings: Sequence[str]
) -> None:
    await work.session.execute(
        text(
            "update audit_verifications set finished_at = now(), up_to = :up_to, head = :up_to, "
            "rows = :rows, ok = :ok, problems = cast(:problems as jsonb), "
            "warnings = cast(:warnings as jsonb) where id = :id"
        ),
        {
            "id": verification,
            "up_to": up_to,
            "rows": rows,
            "ok": not problems,
            "problems": orjson.dumps(problems).decode(),
            "warnings": orjson.dumps(warnings).decode(),
        },
    )


async def latest_verification(work: Work, *, finished: bool = False) -> Verification | None:
    """The check that began last; with `finished`, the last that came to an end."""
    rows = await work.session.execute(
        text(
            "select id, started_at, finished_at, up_to, head, rows, ok, problems, warnings "
            "from audit_verifications where finished_at is not null or not :finished "
            "order by started_at desc limit 1"
        ),
        {"finished": finished},
    )
    row = rows.one_or_none()
    return None if row is None else _verification(row)


def _verification(row: Row[Any]) -> Verification:
    return Verification(
        row.id,
        row.started_at,
        row.finished_at,
        row.up_to,
        row.head,
        row.rows,
        row.ok,
        row.problems,
        row.warnings,
    )
