"""How one entry is bound to the one before it. Pure."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson

START = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the audit log. `details` is the JSON text as stored; `previous` the hash before it."""

    seq: int
    id: UUID
    at: datetime
    actor_id: UUID | None
    actor: str
    action: str
    target_kind: str
    target_id: str
    request_id: str | None
    ip: str | None
    details: str
    previous: bytes


def entry_hash(key: bytes, entry: Entry) -> bytes:
    """HMAC-SHA256 over every field, in a form that has only one spelling."""
    return hmac.digest(
        key,
        orjson.dumps(
            [
                "aihub.audit.1",
                entry.seq,
                str(entry.id),
                entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
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
        ),
        "sha256",
    )


def head_hash(key: bytes, seq: int, last: bytes) -> bytes:
    """Seals how long the log is. It cannot be computed from the rows alone, so cutting off the tail and
    setting the head back is noticed."""
    return hmac.digest(key, orjson.dumps(["aihub.audit.head.1", seq, last.hex()]), "sha256")
