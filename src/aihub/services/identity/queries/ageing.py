"""What has been the same for a long time."""

from datetime import datetime

from sqlalchemy import func, or_, select

from aihub.kernel.db import Work
from aihub.services.identity.models import KeyRow, UserRow

_since = func.coalesce(KeyRow.rotated_at, KeyRow.created_at)


async def keys_unchanged_since(work: Work, before: datetime, now: datetime) -> list[tuple[str, str]]:
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
    return [(prefix, email) for prefix, email in await work.session.execute(statement)]
