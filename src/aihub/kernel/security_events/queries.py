"""Every statement on security events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.kernel.security_events.tally import Sum

_COLUMNS = "id, kind, severity, subject, subject_id, minute, count, first_at, last_at, facts"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened `count` times within a minute."""

    id: UUID
    kind: str
    severity: str
    subject: str
    subject_id: UUID | None
    minute: datetime
    count: int
    first_at: datetime
    last_at: datetime
    facts: dict[str, Any]


async def add(work: Work, sums: Sequence[Sum]) -> None:
    """Add these counts to what is stored, in one statement."""
    await work.session.execute(
        text(
            f"insert into security_events ({_COLUMNS}) "  # noqa: S608
            "select * from unnest(cast(:id as uuid[]), cast(:kind as text[]), cast(:severity as text[]), "
            "cast(:subject as text[]), cast(:subject_id as uuid[]), cast(:minute as timestamptz[]), "
            "cast(:count as bigint[]), cast(:first_at as timestamptz[]), cast(:last_at as timestamptz[]), "
            "cast(:facts as jsonb[])) "
            "on conflict (kind, subject, minute) do update set "
            "count = security_events.count + excluded.count, "
            "first_at = least(security_events.first_at, excluded.first_at), "
            "last_at = greatest(security_events.last_at, excluded.last_at), facts = excluded.facts"
        ),
        {
            "id": [new_id() for _ in sums],
            # In one order everywhere, so that two processes cannot wait for each other.
            **{
                name: [getattr(one, name) for one in sorted(sums, key=lambda one: (one.kind, one.subject))]
                for name in (
                    "kind", "severity", "subject", "subject_id", "minute", "count", "first_at", "last_at",
                )
            },
            "facts": [
                orjson.dumps(one.facts).decode()
                for one in sorted(sums, key=lambda one: (one.kind, one.subject))
            ],
        },
    )  # fmt: skip


async def page(
    work: Work,
    *,
    before: UUID | None,
    limit: int,
    kind: str = "",
    severity: str = "",
    subject: str = "",
    since: datetime | None = None,
) -> Sequence[Event]:
    """Newest first. `kind` may end with `*`; `subject` is a part of it."""
    conditions = ["(cast(:before as uuid) is null or id < :before)"]
    values: dict[str, object] = {"before": before, "limit": limit}
    if kind:
        conditions.append("starts_with(kind, :kind)" if kind.endswith("*") else "kind = :kind")
        values["kind"] = kind.removesuffix("*")
    if severity:
        conditions.append("severity = :severity")
        values["severity"] = severity
    if subject:
        conditions.append("strpos(lower(concat_ws(' ', subject, facts::text)), :subject) > 0")
        values["subject"] = subject.lower()
    if since is not None:
        conditions.append("last_at >= :since")
        values["since"] = since
    rows = await work.session.execute(
        text(
            f"select {_COLUMNS} from security_events where {' and '.join(conditions)} "  # noqa: S608
            "order by id desc limit :limit"
        ),
        values,
    )
    return [Event(*row) for row in rows]


async def counts(work: Work, since: datetime) -> Sequence[tuple[str, str, int]]:
    """How often each kind happened since then, with its severity, the most frequent first."""
    rows = await work.session.execute(
        text(
            "select kind, severity, sum(count)::bigint as count from security_events where last_at >= :since "
            "group by kind, severity order by count desc, kind limit 200"
        ),
        {"since": since},
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def forget_old(work: Work, days: int, most: int) -> None:
    """Delete what is older than `days`, and beyond the newest `most` rows."""
    await work.session.execute(
        text("delete from security_events where last_at < now() - make_interval(days => :days)"),
        {"days": days},
    )
    await work.session.execute(
        text(
            "delete from security_events where id <= "
            "(select id from security_events order by id desc offset :most limit 1)"
        ),
        {"most": most},
    )


async def forget_person(work: Work, person: UUID) -> None:
    await work.session.execute(
        text("delete from security_events where subject_id = :person"), {"person": person}
    )
