"""The tables of conversations and runs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Integer
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from aihub.kernel.db import Base


class ConversationRow(Base):
    __tablename__ = "conversations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    title: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str | None]
    system_prompt: Mapped[str] = mapped_column(server_default="")
    current_message_id: Mapped[UUID | None]
    archived: Mapped[bool] = mapped_column(server_default=sql("false"))
    share_token: Mapped[str | None]
    shared_at: Mapped[datetime | None]
    shared_message_id: Mapped[UUID | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))


class MessageRow(Base):
    __tablename__ = "messages"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="cascade"))
    owner_id: Mapped[UUID]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="cascade"))
    role: Mapped[str]
    text: Mapped[str] = mapped_column(server_default="")
    parts: Mapped[list[Any]] = mapped_column(server_default=sql("'[]'"))
    status: Mapped[str] = mapped_column(server_default="complete")
    error: Mapped[dict[str, Any] | None]
    model: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=sql("'{}'"))
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    credits: Mapped[int | None]
    run_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))


class AttachmentRow(Base):
    __tablename__ = "attachments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("messages.id", ondelete="cascade"))
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="cascade"))
    owner_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(Integer())
    name: Mapped[str]
    size: Mapped[int]
    text: Mapped[str]


class RunRow(Base):
    __tablename__ = "runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id", ondelete="cascade"))
    message_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(server_default="running")
    process: Mapped[str]
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    stop_requested: Mapped[bool] = mapped_column(server_default=sql("false"))
    last_event: Mapped[int] = mapped_column(server_default=sql("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    finished_at: Mapped[datetime | None]


class RunEventRow(Base):
    __tablename__ = "run_events"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id", ondelete="cascade"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID]
    data: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
