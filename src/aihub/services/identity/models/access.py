"""The table of permissions on single things."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class ResourceGrantRow(Base):
    """A permission on one thing, for a person (its owner) or for everybody with a role."""

    __tablename__ = "resource_grants"
    __table_args__ = (
        CheckConstraint("num_nonnulls(owner_id, role_id) = 1", name="ck_resource_grants_one_grantee"),
        Index(
            "idx_resource_grants_owner",
            "owner_id",
            "permission_id",
            "resource_id",
            unique=True,
            postgresql_where=text("owner_id is not null"),
        ),
        Index(
            "idx_resource_grants_role",
            "role_id",
            "permission_id",
            "resource_id",
            unique=True,
            postgresql_where=text("role_id is not null"),
        ),
        Index("idx_resource_grants_resource", "permission_id", "resource_id"),
        Index(
            "idx_resource_grants_expires_at", "expires_at", postgresql_where=text("expires_at is not null")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role_id: Mapped[UUID | None] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"))
    permission_id: Mapped[UUID] = mapped_column(ForeignKey("permissions.id", ondelete="CASCADE"))
    resource_id: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    granted_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    expiry_noted: Mapped[bool] = mapped_column(server_default=text("false"))
