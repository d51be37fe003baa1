"""Every statement on accounts that are about to be erased."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update

from aihub.kernel.db import Work
from aihub.services.identity.models import UserRow


async def leaving_at(work: Work, user_id: UUID) -> datetime | None:
    return await work.session.scalar(select(UserRow.leaving_at).where(UserRow.id == user_id))


async def set_leaving(work: Work, user_id: UUID, at: datetime | None) -> None:
    await work.session.execute(update(UserRow).where(UserRow.id == user_id).values(leaving_at=at))


async def delete_user(work: Work, user_id: UUID) -> int:
    statement = delete(UserRow).where(UserRow.id == user_id).returning(UserRow.id)
    return len((await work.session.execute(statement)).all())
