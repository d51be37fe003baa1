"""Every statement on the audit log itself."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from aihub.kernel.audit.chain import Entry, instant
from aihub.kernel.audit.filters import Filter
from aihub.kernel.db import Work

_FIELDS = tuple(Entry.__dataclass_fields__)
_INSERTED = ", ".join((*_FIELDS, "hash"))
_VALUES = ", ".join(f":{name}" for name in (*_FIELDS, "hash"))
# As a number, because PostgreSQL holds instants (infinity, the year 100000) for which Python has no date.
_AT = "case when isfinite(at) then (extract(epoch from at) * 1000000)::numeric(40, 0)::text end as at"
_SELECTED = ", ".join(_AT if name == "at" else name for name in (*_FIELDS, "hash"))


@dataclass(frozen=True, slots=True)
class Head:
    """How long the log is, its seal, and the hash of its last row (None when that row is missing); `erased`
    are those of the people asked for who were erased before."""

    seq: int
    hash: bytes
    last: bytes | None
    erased: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    entry: Entry
    hash: bytes


async def head(work: Work, *, lock: bool, people: Collection[UUID] = ()) -> Head:
    """The head row; with `lock` nobody else can append, nor erase anybody, until this work ends."""
    if lock:
        # Apart from the reading below, which must see what was committed while we waited here.
        await work.session.execute(text("select 1 from audit_head for update"))
    rows = await work.session.execute(
        text(
            "select h.seq, h.hash, (select l.hash from audit_log l where l.seq = h.seq) as last, "
            "array(select cast(l.target_id as uuid) from audit_log l where l.action = 'audit.erase' "
            "and l.target_id = any(cast(:people as text[]))) as erased from audit_head h"
        ),
        {"people": [str(person) for person in people]},
    )
    row = rows.one()
    return Head(row.seq, row.hash, row.last, frozenset(row.erased))


async def append(work: Work, rows: Sequence[Stored], seq: int, head_hash: bytes) -> None:
    """Insert the entries and move the head, which must be locked, to `seq`."""
    await work.session.execute(
        text(f"insert into audit_log ({_INSERTED}) values ({_VALUES})"),  # noqa: S608
        [{**asdict(row.entry), "at": instant(row.entry.at or 0), "hash": row.hash} for row in rows],
    )
    await work.session.execute(
        text("update audit_head set seq = :seq, hash = :hash"), {"seq": seq, "hash": head_hash}
    )


async def after(work: Work, seq: int, limit: int) -> Sequence[Stored]:
    """The next rows in order of seq."""
    rows = await work.session.execute(
        text(f"select {_SELECTED} from audit_log where seq > :seq order by seq limit :limit"),  # noqa: S608
        {"seq": seq, "limit": limit},
    )
    return [_stored(row) for row in rows]


async def page(
    work: Work, *, before: int | None, limit: int, chosen: Filter, about: UUID | None = None
) -> Sequence[Stored]:
    """Newest first. `about`: only what this person did, and what was done to them."""
    conditions, values = chosen.conditions()
    if before is not None:
        conditions.append("seq < :before")
        values["before"] = before
    if about is not None:
        conditions.append("(actor_id = :about or subject_id = :about)")
        values["about"] = about
    rows = await work.session.execute(
        text(
            f"select {_SELECTED} from audit_log where {' and '.join(conditions) or 'true'} "  # noqa: S608
            "order by seq desc limit :limit"
        ),
        {**values, "limit": limit},
    )
    return [_stored(row) for row in rows]


async def one(work: Work, entry_id: UUID) -> Stored | None:
    rows = await work.session.execute(
        text(f"select {_SELECTED} from audit_log where id = :id"),  # noqa: S608
        {"id": entry_id},
    )
    row = rows.one_or_none()
    return None if row is None else _stored(row)


async def actions(work: Work) -> Sequence[str]:
    """Every action that occurs, by skipping from one to the next in the index."""
    rows = await work.session.execute(
        text(
            "with recursive seen as ("
            "(select action from audit_log order by action limit 1) union all "
            "select (select l.action from audit_log l where l.action > s.action order by l.action limit 1) "
            "from seen s where s.action is not null) "
            "select action from seen where action is not null limit 500"
        )
    )
    return list(rows.scalars())


async def hashes(work: Work, seqs: Sequence[int]) -> dict[int, bytes]:
    """The hashes of those of these entries that are there."""
    rows = await work.session.execute(
        text("select seq, hash from audit_log where seq = any(:seqs)"), {"seqs": list(seqs)}
    )
    return {row.seq: row.hash for row in rows}


async def first_seq(work: Work) -> int:
    """The number of the oldest entry that is there; 1 for an empty log."""
    return int(await work.session.scalar(text("select coalesce(min(seq), 1) from audit_log")) or 1)


async def last_before(work: Work, days: int) -> int:
    """The number of the newest entry that is at least `days` old, and 0 when there is none."""
    found = await work.session.scalar(
        text("select max(seq) from audit_log where at < now() - make_interval(days => :days)"), {"days": days}
    )
    return int(found or 0)


async def erase(work: Work, person: UUID) -> int:
    """Remove what is personal from the person's entries; how many were touched."""
    return int(await work.session.scalar(text("select audit_erase(:person)"), {"person": person}) or 0)


async def prune(work: Work, upto: int) -> int:
    """Remove the entries up to this one, for which a signed anchor must be stored; how many."""
    return int(await work.session.scalar(text("select audit_prune(:upto)"), {"upto": upto}) or 0)


def _stored(row: Row[Any]) -> Stored:
    fields: list[Any] = list(row)
    hashed = fields.pop()
    fields[3] = None if fields[3] is None else int(fields[3])
    return Stored(Entry(*fields), hashed)
