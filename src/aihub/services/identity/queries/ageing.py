"""What has been the same for a long time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select

from aihub.kernel.db import Work
from aihub.services.identity.models import KeyRow, UserRow

_since = func.coalesce(KeyRow.rotated_at, KeyRow.created_at)


async def keys_unchanged_since(work: Work, before: datetime, now: datetime) -> Sequence[Row[Any]]:
    """Prefix and owner's address of keys that work and have had their secret since before then."""
    statement = (
        select(KeyRow.prefix, UserRow.email)
        .join(UserRow, UserRow.id == KeyRow.owner_id)
        .where(
            _since < before,
            KeyRow.revoked_at.is_(None),
            UserRow.active,
            or_(KeyRow.expires_at.is_(None), KeyRow.expires_at > now),
        )
        .order_by(_since)
    )
    return (await work.session.execute(statement)).all()
