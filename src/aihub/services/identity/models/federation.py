"""Tables of sign-in through OpenID Connect providers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base

_NOW = func.now()
_PROVIDER = "identity_providers.id"


class IdentityProviderRow(Base):
    __tablename__ = "identity_providers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    allow_private: Mapped[bool] = mapped_column(server_default=text("false"))
    create_accounts: Mapped[bool] = mapped_column(server_default=text("false"))
    trust_addresses: Mapped[bool] = mapped_column(server_default=text("false"))
    domains: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    group_claim: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class ProviderGroupRow(Base):
    __tablename__ = "identity_provider_groups"
    __table_args__ = (Index("idx_identity_provider_groups_role_id", "role_id"),)

    provider_id: Mapped[UUID] = mapped_column(ForeignKey(_PROVIDER, ondelete="CASCADE"), primary_key=True)
    group_name: Mapped[str] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)


class RoleSourceRow(Base):
    """A role that somebody has because a provider says so."""

    __tablename__ = "user_role_sources"
    __table_args__ = (
        ForeignKeyConstraint(
            ["user_id", "role_id"], ["user_roles.user_id", "user_roles.role_id"], ondelete="CASCADE"
        ),
        Index("idx_user_role_sources_provider_id", "provider_id"),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(_PROVIDER, ondelete="CASCADE"), primary_key=True)


class LinkedSignInRow(Base):
    __tablename__ = "linked_sign_ins"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        Index("idx_linked_sign_ins_owner_id", "owner_id"),
        Index("idx_linked_sign_ins_provider_id", "provider_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(_PROVIDER, ondelete="CASCADE"))
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    last_used_at: Mapped[datetime | None]


class FederationAttemptRow(Base):
    """Somebody was sent to a provider; the first answer in the same browser takes the row away."""

    __tablename__ = "federation_attempts"
    __table_args__ = (
        Index("idx_federation_attempts_owner_id", "owner_id"),
        Index("idx_federation_attempts_provider_id", "provider_id"),
        Index("idx_federation_attempts_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(_PROVIDER, ondelete="CASCADE"))
    purpose: Mapped[str]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[UUID | None]
    state_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    redirect_uri: Mapped[str]
    next_path: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class FederationWaitingRow(Base):
    """Somebody came back from a provider and has one more step to take in the same browser."""

    __tablename__ = "federation_waiting"
    __table_args__ = (
        Index("idx_federation_waiting_owner_id", "owner_id"),
        Index("idx_federation_waiting_provider_id", "provider_id"),
        Index("idx_federation_waiting_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[UUID] = mapped_column(ForeignKey(_PROVIDER, ondelete="CASCADE"))
    step: Mapped[str]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    identity: Mapped[dict[str, Any]] = mapped_column(JSONB)
    next_path: Mapped[str]
    expires_at: Mapped[datetime]
