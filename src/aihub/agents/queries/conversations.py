"""Statements on conversations, messages and attachments.

Each names the owner it serves, although row-level security would hide the rest: the condition is what
lets an index help, and the check is then made twice.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, or_, select, text, update

from aihub.agents.contracts import Attachment, Conversation, Cost, Fault, Message
from aihub.agents.domain import Cursor
from aihub.agents.models import AttachmentRow, ConversationRow, MessageRow
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        model=row.model,
        system_prompt=row.system_prompt,
        current_message_id=row.current_message_id,
        archived=row.archived,
        share_token=row.share_token,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _message(row: MessageRow, attachments: tuple[Attachment, ...] = ()) -> Message:
    return Message(
        id=row.id,
        parent_id=row.parent_id,
        role=row.role,
        text=row.text,
        parts=row.parts,
        status=row.status,
        error=Fault(**row.error) if row.error else None,
        model=row.model,
        cost=None
        if row.input_tokens is None or row.output_tokens is None
        else Cost(row.input_tokens, row.output_tokens, row.credits or 0),
        facts=row.facts,
        run_id=row.run_id,
        created_at=row.created_at,
        attachments=attachments,
    )


async def add_conversation(
    work: Work, owner: UUID, *, title: str, model: str | None, system_prompt: str
) -> Conversation:
    row = ConversationRow(
        id=new_id(),
        owner_id=owner,
        title=title,
        model=model,
        system_prompt=system_prompt,
    )
    work.session.add(row)
    await work.session.flush()
    await work.session.refresh(row)
    return _conversation(row)


async def conversation(
    work: Work, owner: UUID, conversation_id: UUID, *, deleted: bool = False, lock: bool = False
) -> Conversation | None:
    """One conversation of the owner; with `lock`, nobody else changes it until this work ends."""
    query = select(ConversationRow).where(
        ConversationRow.id == conversation_id, ConversationRow.owner_id == owner
    )
    if not deleted:
        query = query.where(ConversationRow.deleted_at.is_(None))
    if lock:
        query = query.with_for_update()
    row = (await work.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    return None if row is None else _conversation(row)


async def page(
    work: Work, owner: UUID, *, pattern: str | None, archived: bool | None, cursor: Cursor | None, limit: int
) -> list[Conversation]:
    """The owner's conversations, most recently used first; `pattern` is matched with titles and messages."""
    query = select(ConversationRow).where(
        ConversationRow.owner_id == owner, ConversationRow.deleted_at.is_(None)
    )
    if archived is not None:
        query = query.where(ConversationRow.archived.is_(archived))
    if pattern is not None:
        # One pass over what the owner wrote; per conversation it would be as many.
        said = select(MessageRow.conversation_id).where(
            MessageRow.owner_id == owner, MessageRow.text.ilike(pattern, escape="\\")
        )
        query = query.where(
            or_(ConversationRow.title.ilike(pattern, escape="\\"), ConversationRow.id.in_(said))
        )
    if cursor is not None:
        query = query.where(
            func.row(ConversationRow.updated_at, ConversationRow.id) < func.row(cursor.at, cursor.id)
        )
    query = query.order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc()).limit(limit)
    return [_conversation(row) for row in (await work.session.execute(query)).scalars()]


async def change(work: Work, owner: UUID, conversation_id: UUID, values: Mapping[str, Any]) -> None:
    await work.session.execute(
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id, ConversationRow.owner_id == owner)
        .values(**values)
    )


async def touch(work: Work, conversation_id: UUID, values: Mapping[str, Any]) -> None:
    """Change a conversation and move it to the top of the list."""
    await work.session.execute(
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id)
        .values(updated_at=func.now(), **values)
    )


async def purge_deleted(work: Work, older_than: timedelta, limit: int) -> int:
    """Erase conversations deleted longer ago than that, with all they contain; how many went."""
    doomed = (
        select(ConversationRow.id)
        .where(ConversationRow.deleted_at < func.now() - older_than)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = await work.session.execute(
        delete(ConversationRow).where(ConversationRow.id.in_(doomed)).returning(ConversationRow.id)
    )
    return len(gone.all())


async def messages(
    work: Work, owner: UUID, conversation_id: UUID, only: Sequence[UUID] | None = None
) -> list[Message]:
    """The whole tree, oldest first, or some messages of it; attachments without their text."""
    attached = select(AttachmentRow.message_id, AttachmentRow.name, AttachmentRow.size).where(
        AttachmentRow.conversation_id == conversation_id, AttachmentRow.owner_id == owner
    )
    said = select(MessageRow).where(
        MessageRow.conversation_id == conversation_id, MessageRow.owner_id == owner
    )
    if only is not None:
        attached = attached.where(AttachmentRow.message_id.in_(only))
        said = said.where(MessageRow.id.in_(only))
    files: dict[UUID, list[Attachment]] = {}
    attached = attached.order_by(AttachmentRow.message_id, AttachmentRow.position)
    for message_id, name, size in await work.session.execute(attached):
        files.setdefault(message_id, []).append(Attachment(name, size))
    said = said.order_by(MessageRow.created_at, MessageRow.id).execution_options(populate_existing=True)
    rows = await work.session.execute(said)
    return [_message(row, tuple(files.get(row.id, ()))) for row in rows.scalars()]


async def message(work: Work, owner: UUID, conversation_id: UUID, message_id: UUID) -> Message | None:
    query = select(MessageRow).where(
        MessageRow.id == message_id,
        MessageRow.conversation_id == conversation_id,
        MessageRow.owner_id == owner,
    )
    row = (await work.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
    return None if row is None else _message(row)


async def count(work: Work, conversation_id: UUID) -> int:
    query = select(func.count()).where(MessageRow.conversation_id == conversation_id)
    return (await work.session.execute(query)).scalar_one()


_BRANCH = text("""
with recursive up as (
  select m.id, m.parent_id, m.role, m.text, 1 as depth from messages m
  where m.id = :leaf and m.conversation_id = :conversation
  union all
  select m.id, m.parent_id, m.role, m.text, up.depth + 1 from messages m
  join up on m.id = up.parent_id where m.conversation_id = :conversation
)
select id, role, text from up order by depth desc
""")


async def branch_texts(work: Work, conversation_id: UUID, leaf: UUID) -> list[tuple[UUID, str, str]]:
    """Id, role and text of the messages from the root to `leaf`."""
    rows = await work.session.execute(_BRANCH, {"leaf": leaf, "conversation": conversation_id})
    return [(row.id, row.role, row.text) for row in rows]


async def attachments_of(work: Work, message_ids: Sequence[UUID]) -> dict[UUID, list[Attachment]]:
    """Attachments with their text, by message."""
    found: dict[UUID, list[Attachment]] = {}
    rows = await work.session.execute(
        select(AttachmentRow)
        .where(AttachmentRow.message_id.in_(message_ids))
        .order_by(AttachmentRow.message_id, AttachmentRow.position)
    )
    for row in rows.scalars():
        found.setdefault(row.message_id, []).append(Attachment(row.name, row.size, row.text))
    return found


async def add_message(
    work: Work,
    owner: UUID,
    conversation_id: UUID,
    *,
    parent_id: UUID | None,
    role: str,
    body: str = "",
    status: str = "complete",
    model: str | None = None,
    run_id: UUID | None = None,
    attachments: Sequence[Attachment] = (),
) -> Message:
    row = MessageRow(
        id=new_id(),
        conversation_id=conversation_id,
        owner_id=owner,
        parent_id=parent_id,
        role=role,
        text=body,
        parts=[{"type": "text", "text": body, "state": "done"}] if body else [],
        status=status,
        model=model,
        run_id=run_id,
        # Two messages of one transaction differ in time, so that the tree keeps its order.
        created_at=func.clock_timestamp(),
    )
    work.session.add(row)
    await work.session.flush()
    await work.session.refresh(row)
    if attachments:
        await work.session.execute(
            insert(AttachmentRow),
            [
                {
                    "id": new_id(),
                    "message_id": row.id,
                    "conversation_id": conversation_id,
                    "owner_id": owner,
                    "position": position,
                    "name": item.name,
                    "size": item.size,
                    "text": item.text,
                }
                for position, item in enumerate(attachments)
            ],
        )
    return _message(row, tuple(Attachment(a.name, a.size) for a in attachments))


async def set_answer(
    work: Work,
    message_id: UUID,
    *,
    body: str,
    parts: Sequence[dict[str, Any]],
    status: str,
    error: Fault | None,
    facts: Mapping[str, Any],
    cost: Cost | None,
) -> None:
    """Give a streaming message its final form."""
    values: dict[str, Any] = {
        "text": body,
        "parts": list(parts),
        "status": status,
        "error": error.as_json() if error else None,
        "facts": dict(facts),
    }
    if cost is not None:
        values |= {
            "input_tokens": cost.input_tokens,
            "output_tokens": cost.output_tokens,
            "credits": cost.credits,
        }
    await work.session.execute(
        update(MessageRow)
        .where(MessageRow.id == message_id, MessageRow.status == "streaming")
        .values(**values)
    )


async def sharer(work: Work, token: str) -> UUID | None:
    """Whose conversation a link shows. Needs a system scope."""
    query = select(ConversationRow.owner_id).where(
        ConversationRow.share_token == token, ConversationRow.deleted_at.is_(None)
    )
    return (await work.session.execute(query)).scalar_one_or_none()


async def shared(work: Work, owner: UUID, token: str) -> tuple[UUID, str, UUID | None, datetime] | None:
    """Id, title, last message and time of the owner's conversation behind a link."""
    row = (
        await work.session.execute(
            select(
                ConversationRow.id,
                ConversationRow.title,
                ConversationRow.shared_message_id,
                ConversationRow.shared_at,
            ).where(
                ConversationRow.share_token == token,
                ConversationRow.owner_id == owner,
                ConversationRow.deleted_at.is_(None),
            )
        )
    ).one_or_none()
    if row is None or row.shared_at is None:
        return None
    return row.id, row.title, row.shared_message_id, row.shared_at


_SHOWN = text("""
with recursive up as (
  select m.id, m.parent_id, m.status, 1 as depth from messages m
  where m.id = :leaf and m.conversation_id = :conversation
  union all
  select m.id, m.parent_id, m.status, up.depth + 1 from messages m
  join up on m.id = up.parent_id where m.conversation_id = :conversation
)
select id from up where status <> 'streaming' order by depth desc
""")


async def shown(work: Work, conversation_id: UUID, leaf: UUID | None) -> list[UUID]:
    """The finished messages from the root to `leaf`, without reading what they say."""
    rows = await work.session.execute(_SHOWN, {"leaf": leaf, "conversation": conversation_id})
    return list(rows.scalars())


async def sizes(work: Work, message_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many bytes of text these messages have."""
    rows = await work.session.execute(
        select(MessageRow.id, func.octet_length(MessageRow.text)).where(MessageRow.id.in_(message_ids))
    )
    return {row[0]: row[1] for row in rows}
