"""Identity's tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base
from aihub.services.identity.models.access import ResourceGrantRow as ResourceGrantRow
from aihub.services.identity.models.keys import KeyRow as KeyRow
from aihub.services.identity.models.tokens import RefreshTokenRow as RefreshTokenRow
from aihub.services.identity.models.tokens import SigningKeyRow as SigningKeyRow

_NOW = func.now()


class UserRow(Base):
    __tablename__ = "users"
    __table_args__ = (
        Index("idx_users_email", text("lower(email)"), unique=True),
        Index(
            "idx_users_phone", "phone_number", unique=True, postgresql_where=text("phone_number is not null")
        ),
        Index("idx_users_leaving_at", "leaving_at", postgresql_where=text("leaving_at is not null")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    phone_number: Mapped[str | None]
    name: Mapped[str] = mapped_column(server_default="")
    password_hash: Mapped[str | None]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    locale: Mapped[str] = mapped_column(server_default="en")
    theme: Mapped[str] = mapped_column(server_default="system")
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    last_sign_in_at: Mapped[datetime | None]
    email_verified_at: Mapped[datetime | None]
    leaving_at: Mapped[datetime | None]


class RoleRow(Base):
    __tablename__ = "roles"
    __table_args__ = (Index("idx_roles_parent_id", "parent_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    is_system: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("roles.id", ondelete="RESTRICT"))


class PermissionRow(Base):
    __tablename__ = "permissions"
    __table_args__ = (UniqueConstraint("resource", "action"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    resource: Mapped[str]
    action: Mapped[str]
    title: Mapped[str]


class RolePermissionRow(Base):
    __tablename__ = "role_permissions"

    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(
        ForeignKey("permissions.id", ondelete="CASCADE"), primary_key=True
    )
    granted_at: Mapped[datetime] = mapped_column(server_default=_NOW)


class RoleDefaultRow(Base):
    """What has once been granted to a built-in role, so that an operator's removal is not undone."""

    __tablename__ = "role_defaults"

    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(
        ForeignKey("permissions.id", ondelete="CASCADE"), primary_key=True
    )


class UserRoleRow(Base):
    __tablename__ = "user_roles"
    __table_args__ = (
        Index("idx_user_roles_role_id", "role_id"),
        Index("idx_user_roles_expires_at", "expires_at", postgresql_where=text("expires_at is not null")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="RESTRICT"), primary_key=True)
    assigned_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    assigned_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    expiry_noted: Mapped[bool] = mapped_column(server_default=text("false"))


class SessionRow(Base):
    __tablename__ = "sessions"
    __table_args__ = (Index("idx_sessions_owner_id", "owner_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    last_seen_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    expires_at: Mapped[datetime]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    revoked_at: Mapped[datetime | None]
    proved_at: Mapped[datetime | None]
    second_factor: Mapped[bool] = mapped_column(server_default=text("false"))
    client: Mapped[str | None]


class PasskeyRow(Base):
    __tablename__ = "passkeys"
    __table_args__ = (Index("idx_passkeys_owner_id", "owner_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    rp_id: Mapped[str]
    name: Mapped[str]
    synced: Mapped[bool]
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    last_used_at: Mapped[datetime | None]


class ChallengeRow(Base):
    """What a browser must sign next. Without an owner: somebody who has yet to sign in."""

    __tablename__ = "auth_challenges"
    __table_args__ = (
        Index("idx_auth_challenges_owner_id", "owner_id"),
        Index("idx_auth_challenges_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    rp_id: Mapped[str]
    origin: Mapped[str]
    expires_at: Mapped[datetime]


class TotpSecretRow(Base):
    """`pending` becomes `secret` once a code has shown that the person's device holds it."""

    __tablename__ = "totp_secrets"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending: Mapped[bytes | None] = mapped_column(LargeBinary)
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class RecoveryCodeRow(Base):
    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("owner_id", "code_hash"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    used_at: Mapped[datetime | None]


class SetupLinkRow(Base):
    __tablename__ = "setup_links"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LinkRow(Base):
    """A link that was sent by e-mail and works once: an invitation, a new password, an address."""

    __tablename__ = "one_time_links"
    __table_args__ = (
        Index("idx_one_time_links_owner_id", "owner_id"),
        Index("idx_one_time_links_created_by", "created_by"),
        Index(
            "idx_one_time_links_invitation",
            "email",
            unique=True,
            postgresql_where=text("kind = 'invitation' and used_at is null and revoked_at is null"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    email: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    locale: Mapped[str] = mapped_column(server_default="en")
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignInAttemptRow(Base):
    """A guess at a password: counted from the moment it is made, forgotten when it was right."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("idx_sign_in_attempts_account", "account_hash", "at"),
        Index("idx_sign_in_attempts_ip", "ip_prefix", "at"),
        Index("idx_sign_in_attempts_known", "known", "at", postgresql_where=text("known is not null")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_hash: Mapped[bytes] = mapped_column(LargeBinary)
    ip_prefix: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=_NOW)
    failed: Mapped[bool] = mapped_column(server_default=text("false"))
    known: Mapped[bytes | None] = mapped_column(LargeBinary)
