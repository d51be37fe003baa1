"""Every statement on API keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts.keys import Key, KeyLimits
from aihub.services.identity.models.keys import KeyRow

_TOUCH_EVERY = timedelta(minutes=1)

_KEY = (
    KeyRow.id,
    KeyRow.owner_id,
    KeyRow.name,
    KeyRow.prefix,
    KeyRow.scopes,
    KeyRow.expires_at,
    KeyRow.created_at,
    KeyRow.last_used_at,
    KeyRow.revoked_at,
    KeyRow.networks,
    KeyRow.rotated_at,
    KeyRow.previous_prefix,
    KeyRow.previous_until,
    KeyRow.models,
    KeyRow.requests_per_minute,
    KeyRow.tokens_per_minute,
    KeyRow.parallel_requests,
)


def _key(row: Any) -> Key:
    """A row of those columns, and maybe more."""
    limits = KeyLimits(
        frozenset(row.models), row.requests_per_minute, row.tokens_per_minute, row.parallel_requests
    )
    return Key(
        id=row.id,
        owner_id=row.owner_id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(row.scopes),
        expires_at=row.expires_at,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        networks=tuple(row.networks),
        limits=limits,
        rotated_at=row.rotated_at,
        previous_prefix=row.previous_prefix,
        previous_until=row.previous_until,
    )


async def insert_key(
    work: Work,
    owner_id: UUID,
    name: str,
    prefix: str,
    hashed: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
    bounds: dict[str, Any],
) -> Key:
    """A new key. `bounds`: the columns that bound it."""
    rows = await work.session.execute(
        insert(KeyRow)
        .values(
            id=new_id(),
            owner_id=owner_id,
            name=name,
            prefix=prefix,
            hash=hashed,
            scopes=list(scopes),
            expires_at=expires_at,
            **bounds,
        )
        .returning(*_KEY)
    )
    return _key(rows.one())


async def key_by_hash(work: Work, hashed: bytes) -> tuple[Key, datetime | None] | None:
    """The key with this secret, and until when this secret works: None for as long as the key does."""
    statement = select(*_KEY, KeyRow.hash == hashed).where(
        or_(KeyRow.hash == hashed, KeyRow.previous_hash == hashed)
    )
    row = (await work.session.execute(statement)).one_or_none()
    if row is None:
        return None
    found = _key(row)
    return found, None if row[-1] else found.previous_until


async def key(work: Work, owner_id: UUID, key_id: UUID) -> Key | None:
    """This owner's key."""
    statement = select(*_KEY).where(KeyRow.id == key_id, KeyRow.owner_id == owner_id)
    row = (await work.session.execute(statement)).one_or_none()
    return _key(row) if row else None


async def keys(work: Work, owner_id: UUID, after: UUID | None, limit: int) -> list[Key]:
    """The owner's keys, the newest first, from below `after`."""
    statement = select(*_KEY).where(KeyRow.owner_id == owner_id).order_by(KeyRow.id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(KeyRow.id < after)
    return [_key(row) for row in await work.session.execute(statement)]


async def touch_key(work: Work, key_id: UUID, now: datetime) -> None:
    """Note that the key was used, to the minute."""
    last = func.coalesce(KeyRow.last_used_at, KeyRow.created_at)
    await work.session.execute(
        update(KeyRow).where(KeyRow.id == key_id, last < now - _TOUCH_EVERY).values(last_used_at=now)
    )


async def change_key(work: Work, owner_id: UUID, key_id: UUID, values: dict[str, Any]) -> Key | None:
    """The key as it is now, or None when it was revoked or is not this owner's."""
    statement = (
        update(KeyRow)
        .where(KeyRow.id == key_id, KeyRow.owner_id == owner_id, KeyRow.revoked_at.is_(None))
        .values(**values)
        .returning(*_KEY)
    )
    row = (await work.session.execute(statement)).one_or_none()
    return _key(row) if row else None


async def rotate_key(
    work: Work, seen: Key, prefix: str, hashed: bytes, now: datetime, overlap: timedelta
) -> Key | None:
    """Give the key another secret; the one it has works for `overlap` more, any earlier one ends.

    None when the key is not as it was `seen` any more: of two at once one succeeds.
    """
    lasting = overlap > timedelta(0)
    statement = (
        update(KeyRow)
        .where(
            KeyRow.id == seen.id,
            KeyRow.owner_id == seen.owner_id,
            KeyRow.prefix == seen.prefix,
            KeyRow.revoked_at.is_(None),
        )
        .values(
            hash=hashed,
            prefix=prefix,
            rotated_at=now,
            previous_hash=KeyRow.hash if lasting else None,
            previous_prefix=KeyRow.prefix if lasting else None,
            previous_until=now + overlap if lasting else None,
        )
        .returning(*_KEY)
    )
    row = (await work.session.execute(statement)).one_or_none()
    return _key(row) if row else None


async def revoke_key(work: Work, key_id: UUID) -> bool:
    """Whether it was this call that revoked it."""
    statement = (
        update(KeyRow)
        .where(KeyRow.id == key_id, KeyRow.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(KeyRow.id)
    )
    return await work.session.scalar(statement) is not None


async def live_keys(work: Work, owner_id: UUID) -> list[UUID]:
    """The owner's keys that nobody has revoked."""
    rows = await work.session.scalars(
        select(KeyRow.id).where(KeyRow.owner_id == owner_id, KeyRow.revoked_at.is_(None))
    )
    return list(rows)
