"""The tables of privacy rights."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class ExportRow(Base):
    """An export of somebody's data; the file lies under AIHUB_HOME."""

    __tablename__ = "data_exports"
    __table_args__ = (
        Index(
            "idx_data_exports_one",
            "owner_id",
            unique=True,
            postgresql_where=text("status in ('waiting', 'running')"),
        ),
        Index("idx_data_exports_owner_id", "owner_id", "created_at"),
        Index("idx_data_exports_requested_by", "requested_by"),
        Index("idx_data_exports_expires_at", "expires_at", postgresql_where=text("expires_at is not null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    reason: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="waiting")
    secret: Mapped[str]
    rows_done: Mapped[int] = mapped_column(server_default=text("0"))
    rows_total: Mapped[int] = mapped_column(server_default=text("0"))
    size: Mapped[int | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class DeletionRow(Base):
    """A deletion that was asked for; without an owner once it is done."""

    __tablename__ = "deletions"
    __table_args__ = (
        Index(
            "idx_deletions_one",
            "owner_id",
            unique=True,
            postgresql_where=text("stage in ('waiting', 'erasing')"),
        ),
        Index("idx_deletions_owner_id", "owner_id", "requested_at"),
        Index("idx_deletions_requested_by", "requested_by"),
        Index("idx_deletions_due_at", "due_at", postgresql_where=text("stage in ('waiting', 'erasing')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    way: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    stage: Mapped[str] = mapped_column(server_default="waiting")
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    due_at: Mapped[datetime]
    begun_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    erased: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class CertificateRow(Base):
    """What was erased and what was kept, signed. Nothing in it points at a person."""

    __tablename__ = "deletion_certificates"

    id: Mapped[UUID] = mapped_column(ForeignKey("deletions.id", ondelete="CASCADE"), primary_key=True)
    document: Mapped[dict[str, Any]]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    issued_at: Mapped[datetime]
