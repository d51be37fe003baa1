"""How one entry is bound to the one before it. Pure.

Version 1 hashed everything that an entry says. Since version 2 the hash covers two salted digests in the
place of what is personal: `who` (name, address, browser) and `what` (details, changes). When a person is
erased, those texts and their salts go and the digests stay, so the chain holds without them.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import orjson

START = bytes(32)
VERSION = 2
SALT_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit log. `at` is Unix microseconds, None when the database holds no such instant;
    `details` and `changes` are JSON texts as stored; `previous` is the hash before it."""

    seq: int
    chain: int
    id: UUID
    at: int | None
    actor_id: UUID | None
    action: str
    target_kind: str
    target_id: str
    subject_id: UUID | None
    session_id: UUID | None
    key_id: UUID | None
    request_id: str | None
    actor: str | None
    ip: str | None
    user_agent: str | None
    who_salt: bytes | None
    who: bytes | None
    details: str | None
    changes: str | None
    what_salt: bytes | None
    what: bytes | None
    previous: bytes


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """Raises OverflowError for what Python has no date for."""
    return _EPOCH + at * _MICROSECOND


def digest(salt: bytes, *texts: str | None) -> bytes:
    """What the chain knows of personal texts. (The salt is no HMAC key: zeros at its end would not count.)"""
    return sha256(orjson.dumps([salt.hex(), *texts])).digest()


def entry_hash(key: bytes, entry: Entry) -> bytes | None:
    """HMAC-SHA256 over every field, in a form that has only one spelling; None for no entry of ours."""
    if entry.chain == VERSION and entry.who is not None and entry.what is not None:
        return hmac.digest(key, _second(entry), "sha256")
    if entry.chain == 1 and entry.at is not None and not _beyond_the_first(entry):
        try:
            return hmac.digest(key, _first(entry, instant(entry.at)), "sha256")
        except OverflowError:
            return None
    return None


def _second(entry: Entry) -> bytes:
    return orjson.dumps(
        [
            "aihub.audit.2",
            entry.seq,
            entry.id,
            entry.at,
            entry.actor_id,
            entry.action,
            entry.target_kind,
            entry.target_id,
            entry.subject_id,
            entry.session_id,
            entry.key_id,
            entry.request_id,
            (entry.who or b"").hex(),
            (entry.what or b"").hex(),
            entry.previous.hex(),
        ]
    )


def _first(entry: Entry, at: datetime) -> bytes:
    return orjson.dumps(
        [
            "aihub.audit.1",
            entry.seq,
            str(entry.id),
            at.isoformat(timespec="microseconds"),
            str(entry.actor_id) if entry.actor_id else None,
            entry.actor,
            entry.action,
            entry.target_kind,
            entry.target_id,
            entry.request_id,
            entry.ip,
            entry.details,
            entry.previous.hex(),
        ]
    )


def _beyond_the_first(entry: Entry) -> bool:
    """Whether an entry of version 1 says something that its hash does not cover."""
    later = (
        entry.subject_id, entry.session_id, entry.key_id, entry.user_agent, entry.changes,
        entry.who_salt, entry.who, entry.what_salt, entry.what,
    )  # fmt: skip
    return any(value is not None for value in later)


def who_is_whole(entry: Entry) -> bool:
    """Whether name, address and browser are those that were recorded, or were all removed."""
    if entry.who_salt is None:
        return entry.actor is None and entry.ip is None and entry.user_agent is None
    return digest(entry.who_salt, entry.actor, entry.ip, entry.user_agent) == entry.who


def what_is_whole(entry: Entry) -> bool:
    """Whether details and changes are those that were recorded, or were both removed."""
    if entry.what_salt is None:
        return entry.details is None and entry.changes is None
    return digest(entry.what_salt, entry.details, entry.changes) == entry.what


def head_hash(key: bytes, seq: int, last: bytes) -> bytes:
    """Seals how long the log is. It cannot be computed from the rows alone, so cutting off the tail and
    setting the head back is noticed."""
    return hmac.digest(key, orjson.dumps(["aihub.audit.head.1", seq, last.hex()]), "sha256")
