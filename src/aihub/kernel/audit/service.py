"""The audit log: who did what, append-only, each entry bound to the one before it.

    await audit.record(work, actor=actor, action="key.create", target_kind="key", target_id=str(key.id),
                       after={"name": key.name, "scopes": key.scopes}, subject=key.owner_id)

Record it in the transaction of the deed. The entries of a transaction are appended together right
before it commits, because appending takes a lock that every other audited deed waits for.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from aihub.kernel.audit import queries
from aihub.kernel.audit.chain import (
    SALT_BYTES,
    START,
    VERSION,
    Entry,
    digest,
    entry_hash,
    head_hash,
    instant,
    microseconds,
)
from aihub.kernel.audit.changes import difference, lifted
from aihub.kernel.audit.errors import AuditKeyMissing
from aihub.kernel.audit.filters import Filter
from aihub.kernel.audit.masking import clean, masked
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.kernel.errors import InvalidRequest, NotFound
from aihub.kernel.ids import new_id
from aihub.kernel.telemetry import context

SYSTEM = "system"
ERASED = "audit.erase"
_LONGEST = 500  # characters of a name
_LONGEST_AGENT = 300
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown. `actor` is None once that person was erased, and so are `details` and
    `changes` of a subject who was; `changes` is `{field: [before, after]}`."""

    id: UUID
    seq: int
    at: datetime
    actor_id: UUID | None
    actor: str | None
    action: str
    target_kind: str
    target_id: str
    subject_id: UUID | None
    session_id: UUID | None
    key_id: UUID | None
    request_id: str | None
    ip: str | None
    user_agent: str | None
    details: dict[str, Any] | None
    changes: dict[str, list[Any]] | None


@dataclass(frozen=True, slots=True)
class Page:
    items: tuple[Line, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Deed:
    """What listeners in the same process are told of an entry: that it happened, not what it says."""

    id: UUID
    action: str
    target_kind: str
    target_id: str
    actor_id: UUID | None
    subject_id: UUID | None
    changes: frozenset[str]


LISTENERS = "audit_listeners"
"""Where a process keeps `(work, deed) -> None` callables, called with every recorded entry."""


def present() -> datetime:
    """The instant an entry is given."""
    return datetime.now(UTC)


async def record(
    work: Work,
    *,
    actor: Actor | None,
    action: str,
    target_kind: str,
    target_id: str,
    details: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    subject: UUID | None = None,
    request_id: str | None = None,
    ip: str | None = None,
) -> UUID:
    """Record an entry and return its id. It is appended when the work commits, and not at all otherwise.

    `actor` None means the hub itself. `before` and `after` are the state around the deed; what differs is
    kept. `subject` is the person whom the deed concerns: they see it under "My activity", and details and
    changes go when they are erased. Unless given it is the user of a target of kind `user`, or who stands as
    `owner` or `owner_id` in the details.

    Values under secret-looking names are masked. The request id, address and browser come from the present
    request, the session or key from the actor.
    """
    key = _key(work)
    rest, changed = lifted(details or {})
    changed |= difference(before, after)
    entry = _entry(
        actor,
        action,
        target_kind,
        target_id,
        subject or _subject(target_kind, target_id, details or {}),
        rest,
        changed,
        request_id=request_id or context.request_id.get(),
        ip=ip or context.client_ip.get(),
        user_agent=_agent(context.user_agent.get()),
    )
    pending = work.facts.setdefault("audit", [])
    if not pending:
        work.before_commit(lambda: _append(work, key, pending))
    pending.append(entry)
    for told in work.process.get(LISTENERS, ()):
        told(
            work,
            Deed(
                entry.id,
                entry.action,
                entry.target_kind,
                entry.target_id,
                entry.actor_id,
                entry.subject_id,
                frozenset(changed),
            ),
        )
    return entry.id


async def erase(work: Work, person: UUID, *, actor: Actor | None = None, reason: str = "") -> int:
    """Remove the name, addresses and browsers of a person, and details and changes of what concerns them.
    How many entries were touched.

    That it was done is an entry itself, without which a check of the log reports the gaps. What remains says
    that somebody with this id did this then. An entry of a deed that was still under way is erased as it is
    appended: until this work ends nobody can append. Needs a system scope.
    """
    await queries.head(work, lock=True)
    touched = await queries.erase(work, person)
    await record(
        work,
        actor=actor,
        action=ERASED,
        target_kind="user",
        target_id=str(person),
        details={"entries": touched, **({"reason": reason} if reason else {})},
    )
    return touched


async def page(
    work: Work,
    *,
    cursor: str | None,
    limit: int,
    action: str | None = None,
    actor: str | None = None,
    chosen: Filter | None = None,
    about: UUID | None = None,
) -> Page:
    """Entries, newest first. `action` and `actor` are short for a filter with those alone; `about` leaves
    only what this person did and what was done to them. Raises InvalidRequest for a foreign cursor."""
    if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        raise InvalidRequest("This cursor was not made by this list.")
    chosen = chosen or Filter(action=action or "", actor=actor or "")
    before = int(cursor) if cursor else None
    rows = await queries.page(work, before=before, limit=limit + 1, chosen=chosen, about=about)
    more = len(rows) > limit
    items = tuple(line(row.entry) for row in rows[:limit])
    return Page(items, str(items[-1].seq) if more else None)


async def find(work: Work, entry_id: UUID) -> Line:
    """One entry. Raises NotFound."""
    stored = await queries.one(work, entry_id)
    if stored is None:
        raise NotFound("There is no such entry.")
    return line(stored.entry)


async def actions(work: Work) -> Sequence[str]:
    """Every action that the log holds, in order."""
    return await queries.actions(work)


def line(entry: Entry) -> Line:
    """An entry as it is shown."""
    return Line(
        id=entry.id,
        seq=entry.seq,
        at=_shown(entry.at),
        actor_id=entry.actor_id,
        actor=entry.actor,
        action=entry.action,
        target_kind=entry.target_kind,
        target_id=entry.target_id,
        subject_id=entry.subject_id,
        session_id=entry.session_id,
        key_id=entry.key_id,
        request_id=entry.request_id,
        ip=entry.ip,
        user_agent=entry.user_agent,
        details=_parsed(entry.details),
        changes=_pairs(_parsed(entry.changes)),
    )


async def _append(work: Work, key: bytes, pending: Sequence[Entry]) -> None:
    deeds = [entry for entry in pending if entry.action != ERASED]
    named = {person for entry in deeds for person in (entry.actor_id, entry.subject_id) if person}
    head = await queries.head(work, lock=True, people=named)
    head = await _chain(work, key, head, pending)
    for person in sorted(head.erased):
        # Erased while this deed was under way: it says no more about them than older ones do.
        touched = await queries.erase(work, person)
        said = _entry(None, ERASED, "user", str(person), person, {"entries": touched}, {})
        head = await _chain(work, key, head, [said])


async def _chain(work: Work, key: bytes, head: queries.Head, pending: Sequence[Entry]) -> queries.Head:
    """Append these behind the head, which must be locked; the new head."""
    seq, last = head.seq, head.last or START
    chained: list[queries.Stored] = []
    for entry in pending:
        seq += 1
        entry = replace(entry, seq=seq, previous=last)
        last = entry_hash(key, entry) or START
        chained.append(queries.Stored(entry, last))
    sealed = head_hash(key, seq, last)
    await queries.append(work, chained, seq, sealed)
    return replace(head, seq=seq, hash=sealed, last=last)


def _entry(
    actor: Actor | None,
    action: str,
    target_kind: str,
    target_id: str,
    subject: UUID | None,
    details: Mapping[str, object],
    changed: Mapping[str, object],
    *,
    request_id: str | None = None,
    ip: str | None = None,
    user_agent: str | None = None,
) -> Entry:
    """A new entry, not yet bound to the one before it."""
    entry = Entry(
        seq=0,
        chain=VERSION,
        id=new_id(),
        at=microseconds(present()),
        actor_id=actor.user_id if actor else None,
        action=clean(action, _LONGEST),
        target_kind=clean(target_kind, _LONGEST),
        target_id=clean(target_id, _LONGEST),
        subject_id=subject,
        session_id=actor.session_id if actor else None,
        key_id=actor.key_id if actor else None,
        request_id=request_id,
        actor=clean(actor.email, _LONGEST) if actor else SYSTEM,
        ip=ip,
        user_agent=user_agent,
        who_salt=os.urandom(SALT_BYTES),
        who=None,
        details=orjson.dumps(masked(details), option=orjson.OPT_SORT_KEYS).decode(),
        changes=orjson.dumps(changed).decode() if changed else None,
        what_salt=os.urandom(SALT_BYTES),
        what=None,
        previous=START,
    )
    return replace(
        entry,
        who=digest(entry.who_salt or b"", entry.actor, entry.ip, entry.user_agent),
        what=digest(entry.what_salt or b"", entry.details, entry.changes),
    )


def _subject(target_kind: str, target_id: str, details: Mapping[str, object]) -> UUID | None:
    named = target_id if target_kind == "user" else details.get("owner_id") or details.get("owner")
    if isinstance(named, UUID):
        return named
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None


def _agent(text: str | None) -> str | None:
    return clean(text, _LONGEST_AGENT) if text else None


def _shown(at: int | None) -> datetime:
    """A row that was tampered with is still shown."""
    try:
        return _NEVER if at is None else instant(at)
    except OverflowError:
        return _NEVER


def _parsed(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"unreadable": text}
    return value if isinstance(value, dict) else {"unreadable": text}


def _pairs(changes: dict[str, Any] | None) -> dict[str, list[Any]] | None:
    if changes is None:
        return None
    return {name: pair if isinstance(pair, list) else [None, pair] for name, pair in changes.items()}


def _key(work: Work) -> bytes:
    if work.audit_key is None:
        raise AuditKeyMissing()
    return work.audit_key
