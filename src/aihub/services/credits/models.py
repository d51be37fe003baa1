"""The ledger's tables. Amounts are micro-credits; the checks on them are in the migration."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class LedgerAccount(Base):
    """A user's account, or the account of one key that has credits of its own.

    It outlives both: what was paid stays on the books, under a pseudonym once its owner is erased.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        Index("idx_ledger_accounts_user", "owner_id", unique=True, postgresql_where=text("key_id is null")),
        Index(
            "idx_ledger_accounts_closed",
            "id",
            postgresql_where=text("closed_at is not null and balance > 0"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    key_id: Mapped[UUID | None] = mapped_column(unique=True)
    balance: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]


class LedgerHold(Base):
    """Credits set aside for a call that has not been billed yet."""

    __tablename__ = "ledger_holds"
    __table_args__ = (
        Index(
            "idx_ledger_holds_key",
            "account_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("status in ('active', 'settled')"),
        ),
        Index("idx_ledger_holds_active", "expires_at", postgresql_where=text("status = 'active'")),
        Index("idx_ledger_holds_account_id", "account_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id", ondelete="CASCADE"))
    owner_id: Mapped[UUID]
    amount: Mapped[int]
    charged: Mapped[int | None]
    status: Mapped[str] = mapped_column(server_default="active")
    idempotency_key: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    key_id: Mapped[UUID | None]
    budgeted: Mapped[bool] = mapped_column(server_default=text("false"))


class KeyBudget(Base):
    """What a key may spend in a period. `spent` counts since `period_start`, `held` what open holds of the
    key have set aside. Without an amount it is no limit."""

    __tablename__ = "key_budgets"
    __table_args__ = (Index("idx_key_budgets_owner_id", "owner_id"),)

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    amount: Mapped[int | None]
    period: Mapped[str]
    period_start: Mapped[datetime]
    spent: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[int] = mapped_column(server_default="0")


class LedgerEntry(Base):
    """A movement of money. The database refuses to change one."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("account_id", "idempotency_key"),
        Index("idx_ledger_entries_account", "account_id", "id"),
        Index("idx_ledger_entries_owner_created", "owner_id", "created_at"),
        Index("idx_ledger_entries_hold", "hold_id", postgresql_where=text("hold_id is not null")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id", ondelete="CASCADE"))
    owner_id: Mapped[UUID]
    kind: Mapped[str]
    amount: Mapped[int]
    balance_after: Mapped[int]
    hold_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_holds.id"))
    idempotency_key: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
