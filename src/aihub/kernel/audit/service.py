"""The audit log: who did what, append-only, each entry bound to the one before it.

    await audit.record(work, actor=actor, action="key.create", target_kind="key", target_id=str(key.id))

Record it in the transaction of the deed. The entries of a transaction are appended together right
before it commits, because appending takes a lock that every other audited deed waits for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import orjson

from aihub.kernel.audit import queries
from aihub.kernel.audit.chain import START, Entry, entry_hash, head_hash
from aihub.kernel.audit.errors import AuditKeyMissing
from aihub.kernel.audit.masking import clean, masked
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.kernel.errors import InvalidRequest
from aihub.kernel.ids import new_id
from aihub.kernel.telemetry import context

_LONGEST = 500  # characters of a name
_CHUNK = 1_000
_PROBLEMS = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. `rows` were read; `problems` is empty when the log is whole."""

    ok: bool
    rows: int
    head_seq: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as people read it; `details` are words, such as `name: laptop, scopes: ['chat:use']`."""

    id: UUID
    seq: int
    at: datetime
    actor: str
    action: str
    target_kind: str
    target_id: str
    details: str


@dataclass(frozen=True, slots=True)
class Page:
    items: tuple[Line, ...]
    next_cursor: str | None


async def record(
    work: Work,
    *,
    actor: Actor | None,
    action: str,
    target_kind: str,
    target_id: str,
    details: Mapping[str, object] | None = None,
    request_id: str | None = None,
    ip: str | None = None,
) -> UUID:
    """Record an entry and return its id. It is appended when the work commits, and not at all otherwise.

    `actor` None means the hub itself. Values under secret-looking names in `details` are masked. The
    request id and address come from the present request unless given.
    """
    key = _key(work)
    entry = Entry(
        seq=0,
        id=new_id(),
        at=datetime.now(UTC),
        actor_id=actor.user_id if actor else None,
        actor=clean(actor.email, _LONGEST) if actor else "system",
        action=clean(action, _LONGEST),
        target_kind=clean(target_kind, _LONGEST),
        target_id=clean(target_id, _LONGEST),
        request_id=request_id or context.request_id.get(),
        ip=ip or context.client_ip.get(),
        details=orjson.dumps(masked(details or {}), option=orjson.OPT_SORT_KEYS).decode(),
        previous=START,
    )
    pending = work.facts.setdefault("audit", [])
    if not pending:
        work.before_commit(lambda: _append(work, key, pending))
    pending.append(entry)
    return entry.id


async def _append(work: Work, key: bytes, pending: Sequence[Entry]) -> None:
    head = await queries.head(work, lock=True)
    seq, last = head.seq, head.last or START
    chained: list[queries.Stored] = []
    for entry in pending:
        seq += 1
        entry = replace(entry, seq=seq, previous=last)
        last = entry_hash(key, entry)
        chained.append(queries.Stored(entry, last))
    await queries.append(work, chained, seq, head_hash(key, seq, last))


async def verify(work: Work) -> Verdict:
    """Read the whole log and check every entry, their order, and that nothing was cut off the end.

    Needs a system scope. Reads in chunks; at most 100 problems are listed.
    """
    key = _key(work)
    head = await queries.head(work, lock=False)
    found = _Findings()
    seq, last = 0, START
    while chunk := await queries.after(work, seq, _CHUNK):
        for stored in chunk:
            entry = stored.entry
            if entry.seq > head.seq and not found.beyond:
                # Entries committed while we read are not part of this check.
                newer = await queries.head(work, lock=False)
                found.beyond = entry.seq > newer.seq
                head = newer
            found.check(key, stored, seq, last)
            seq, last = entry.seq, stored.hash
    if seq < head.seq:
        found.add(f"entries {seq + 1} to {head.seq} are missing at the end")
    elif found.beyond:
        found.add(f"the log is longer than its seal says ({head.seq})")
    elif head.seq and head.hash != head_hash(key, head.seq, last):
        found.add("the seal of the log's length does not match its last entry")
    elif not head.seq and head.hash != START:
        found.add("the log is empty but its seal is not")
    return Verdict(not found.problems, found.rows, head.seq, tuple(found.problems))


async def page(
    work: Work, *, cursor: str | None, limit: int, action: str | None = None, actor: str | None = None
) -> Page:
    """Entries, newest first. `action` may end with `*`. Raises InvalidRequest for a foreign cursor."""
    if cursor is not None and not (cursor.isdecimal() and len(cursor) < 19):
        raise InvalidRequest("This cursor was not made by this list.")
    before = int(cursor) if cursor else None
    rows = await queries.page(work, before=before, limit=limit + 1, action=action, actor=actor)
    more = len(rows) > limit
    items = tuple(_line(row.entry) for row in rows[:limit])
    return Page(items, str(items[-1].seq) if more else None)


@dataclass(slots=True)
class _Findings:
    rows: int = 0
    beyond: bool = False
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        if len(self.problems) < _PROBLEMS:
            self.problems.append(problem)

    def check(self, key: bytes, stored: queries.Stored, before: int, last: bytes) -> None:
        entry = stored.entry
        self.rows += 1
        if entry.seq != before + 1:
            gap = f"{before + 1}" if entry.seq == before + 2 else f"{before + 1} to {entry.seq - 1}"
            self.add(f"entry {gap} missing before entry {entry.seq}")
        elif entry.previous != last:
            self.add(f"entry {entry.seq} does not follow entry {before}")
        if entry_hash(key, entry) != stored.hash:
            self.add(f"entry {entry.seq} was changed")


def _line(entry: Entry) -> Line:
    details = orjson.loads(entry.details)
    words = ", ".join(f"{name}: {value}" for name, value in details.items())
    return Line(
        id=entry.id,
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        target_kind=entry.target_kind,
        target_id=entry.target_id,
        details=words,
    )


def _key(work: Work) -> bytes:
    if work.audit_key is None:
        raise AuditKeyMissing()
    return work.audit_key
