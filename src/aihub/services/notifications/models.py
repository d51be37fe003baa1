"""Notifications' tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class LetterRow(Base):
    """A letter. `sealed` holds its text until it is sent or of no use any more."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("idx_outbox_owner_id", "owner_id"),
        Index("idx_outbox_waiting", "created_at", postgresql_where=text("status = 'waiting'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str]
    to_address: Mapped[str]
    locale: Mapped[str]
    subject: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    message_id: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    fleeting: Mapped[bool] = mapped_column(server_default=text("false"))
