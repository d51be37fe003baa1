"""The gateway's tables. Prices are micro-credits: per million tokens in and out, and per request."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class Provider(Base):
    """Where models are: an OpenAI- or Anthropic-compatible address, or this machine."""

    __tablename__ = "providers"
    __table_args__ = (
        CheckConstraint("kind in ('openai', 'anthropic', 'embedded')"),
        CheckConstraint("kind = 'embedded' or base_url is not null"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    base_url: Mapped[str | None]
    api_key_sealed: Mapped[bytes | None]
    allow_private: Mapped[bool] = mapped_column(server_default="false")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Model(Base):
    """A model under the name callers use."""

    __tablename__ = "models"
    __table_args__ = (
        CheckConstraint("kind in ('chat', 'embedding')"),
        CheckConstraint("context_length > 0"),
        CheckConstraint("max_output > 0"),
        CheckConstraint("input_price >= 0"),
        CheckConstraint("output_price >= 0"),
        CheckConstraint("request_price >= 0"),
        Index("idx_models_provider_id", "provider_id"),
        Index("idx_models_aliases", "aliases", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    aliases: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    provider_id: Mapped[UUID] = mapped_column(ForeignKey("providers.id", ondelete="CASCADE"))
    kind: Mapped[str]
    upstream_name: Mapped[str]
    context_length: Mapped[int] = mapped_column(Integer())
    max_output: Mapped[int | None] = mapped_column(Integer())
    input_price: Mapped[int]
    output_price: Mapped[int]
    request_price: Mapped[int] = mapped_column(server_default="0")
    enabled: Mapped[bool] = mapped_column(server_default="true")
    restricted: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
