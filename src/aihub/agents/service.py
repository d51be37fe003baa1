"""What is decided about conversations: who has which, what stands in them, who may see them by link."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import func

from aihub.agents.contracts import (
    Attachment,
    BadCursor,
    Conversation,
    ConversationNotFound,
    Message,
    MessageNotFound,
    Run,
    RunNotFound,
    Shared,
    SharedNotFound,
)
from aihub.agents.domain import Cursor, branch, fitting, like, newest_leaf
from aihub.agents.queries import conversations as rows
from aihub.agents.queries import runs as run_rows
from aihub.agents.runs.assembly import Assembly
from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.kernel.tokens import new_token
from aihub.services.identity.service import access_of

KEPT_DELETED = timedelta(days=30)
KEPT_EVENTS = timedelta(days=1)
_BATCH = 200
SHOWN_AT_ONCE = 100
SHOWN_BYTES = 2 * 1024 * 1024
"""How many messages, and how many bytes of their text, strangers get in one page."""


async def create(
    work: Work, actor: Actor, *, title: str, model: str | None, system_prompt: str
) -> Conversation:
    """An empty conversation. Without a title, the first question gives it one."""
    return await rows.add_conversation(
        work, actor.user_id, title=title, model=model, system_prompt=system_prompt
    )


async def page(
    work: Work, actor: Actor, *, search: str, archived: bool | None, cursor: str | None, limit: int
) -> tuple[list[Conversation], str | None]:
    """Conversations, most recently used first, and where the next page begins. Raises BadCursor."""
    found = await rows.page(
        work,
        actor.user_id,
        pattern=like(search) if search else None,
        archived=archived,
        cursor=Cursor.parse(cursor) if cursor else None,
        limit=limit + 1,
    )
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return found[:limit], str(Cursor(last.updated_at, last.id)) if last else None


async def get(work: Work, actor: Actor, conversation_id: UUID, *, lock: bool = False) -> Conversation:
    """Raises ConversationNotFound, also for what belongs to somebody else."""
    found = await rows.conversation(work, actor.user_id, conversation_id, lock=lock)
    if found is None:
        raise ConversationNotFound()
    return found


async def read(
    work: Work, actor: Actor, conversation_id: UUID
) -> tuple[Conversation, list[Message], Run | None]:
    """The conversation with its whole tree. An answer being written is shown as far as
    `Run.last_event`, so that a reader can go on with the events after it. Raises ConversationNotFound."""
    conversation = await get(work, actor, conversation_id)
    run = await run_rows.active(work, conversation_id)
    messages = await rows.messages(work, actor.user_id, conversation_id)
    if run is not None:
        so_far = await _so_far(work, run)
        messages = [
            replace(m, text=so_far.text, parts=so_far.finished_parts())
            if m.id == run.message_id and m.status == "streaming"
            else m
            for m in messages
        ]
        if not any(m.id == run.message_id and m.status == "streaming" for m in messages):
            run = None  # it ended between the two statements
    return conversation, messages, run


async def _so_far(work: Work, run: Run) -> Assembly:
    stored = await run_rows.events(work, run.id, 0, run.last_event, upto=run.last_event)
    return Assembly(orjson.loads(event.data) for event in stored)


async def change(
    work: Work, actor: Actor, conversation_id: UUID, changes: Mapping[str, object]
) -> Conversation:
    """Apply changes of title, model, system_prompt, archived or current_message_id.

    The current message becomes the newest answer below the one that is named.
    Raises ConversationNotFound and MessageNotFound.
    """
    await get(work, actor, conversation_id, lock=True)
    values = dict(changes)
    if values.get("system_prompt", "") is None:
        values["system_prompt"] = ""
    wanted = values.get("current_message_id")
    if isinstance(wanted, UUID):
        messages = await rows.messages(work, actor.user_id, conversation_id)
        if all(m.id != wanted for m in messages):
            raise MessageNotFound()
        values["current_message_id"] = newest_leaf(messages, wanted)
    if values:
        await rows.change(work, actor.user_id, conversation_id, values)
    return await get(work, actor, conversation_id)


async def remove(work: Work, actor: Actor, conversation_id: UUID) -> None:
    """Delete softly: it can be restored for 30 days; its link stops working at once, and an answer being
    written is stopped. Raises ConversationNotFound.
    """
    await get(work, actor, conversation_id, lock=True)
    await rows.change(work, actor.user_id, conversation_id, {"deleted_at": func.now()})
    run = await run_rows.active(work, conversation_id)
    if run is not None:
        await request_stop(work, run)


async def restore(work: Work, actor: Actor, conversation_id: UUID) -> Conversation:
    """Take back a deletion; nothing happens to what is not deleted. Raises ConversationNotFound."""
    found = await rows.conversation(work, actor.user_id, conversation_id, deleted=True, lock=True)
    if found is None:
        raise ConversationNotFound()
    await rows.change(work, actor.user_id, conversation_id, {"deleted_at": None})
    return found


async def share(work: Work, actor: Actor, conversation_id: UUID) -> str:
    """The token of the link that shows the present branch to everybody who has it.

    Sharing again keeps the link and moves it to what is current now. Raises ConversationNotFound.
    """
    conversation = await get(work, actor, conversation_id, lock=True)
    token = conversation.share_token or new_token("shr_", 24)
    values = {
        "share_token": token,
        "shared_at": func.now(),
        "shared_message_id": conversation.current_message_id,
    }
    await rows.change(work, actor.user_id, conversation_id, values)
    await _record(work, actor, "conversation.share", conversation_id)
    return token


async def unshare(work: Work, actor: Actor, conversation_id: UUID) -> None:
    """The link never works again. Raises ConversationNotFound."""
    await get(work, actor, conversation_id, lock=True)
    values = {"share_token": None, "shared_at": None, "shared_message_id": None}
    await rows.change(work, actor.user_id, conversation_id, values)
    await _record(work, actor, "conversation.unshare", conversation_id)


async def _record(work: Work, actor: Actor, action: str, conversation_id: UUID) -> None:
    """What opens a conversation to strangers, or closes it, is in the audit trail; what it says is not."""
    await audit.record(
        work, actor=actor, action=action, target_kind="conversation", target_id=str(conversation_id)
    )


async def sharer(work: Work, token: str) -> UUID:
    """Whose conversation a link shows, for anybody: it needs a system scope.

    Raises SharedNotFound, also when the account was deactivated.
    """
    owner = await rows.sharer(work, token)
    access = await access_of(work, owner) if owner else None
    if owner is None or access is None or not access.active:
        raise SharedNotFound()
    return owner


async def read_shared(work: Work, owner: UUID, token: str, cursor: UUID | None) -> Shared:
    """A page of the branch behind a link of this owner. Raises SharedNotFound and BadCursor."""
    found = await rows.shared(work, owner, token)
    if found is None:
        raise SharedNotFound()
    conversation_id, title, leaf, shared_at = found
    line = await rows.shown(work, conversation_id, leaf)
    if cursor is not None and cursor not in line:
        raise BadCursor()
    begin = 0 if cursor is None else line.index(cursor)
    candidates = line[begin : begin + SHOWN_AT_ONCE]
    sizes = await rows.sizes(work, candidates)
    here = candidates[: fitting([sizes.get(each, 0) for each in candidates], SHOWN_BYTES)]
    known = {m.id: m for m in await rows.messages(work, owner, conversation_id, only=here)}
    end = begin + len(here)
    return Shared(
        title,
        tuple(replace(known[each], cost=None, run_id=None, error=None, facts={}) for each in here),
        shared_at,
        line[end] if end < len(line) else None,
    )


async def run_of(work: Work, actor: Actor, run_id: UUID) -> Run:
    """Raises RunNotFound, also for what belongs to somebody else."""
    found = await run_rows.run(work, actor.user_id, run_id)
    if found is None:
        raise RunNotFound()
    return found


async def stop(work: Work, actor: Actor, run_id: UUID) -> Run:
    """Ask a run to stop, wherever it runs; a run that has ended stays as it is. Raises RunNotFound."""
    run = await run_of(work, actor, run_id)
    await request_stop(work, run)
    return run


async def request_stop(work: Work, run: Run) -> None:
    if run.status == "running":
        await run_rows.request_stop(work, run.id)
        await work.notify(run_rows.CHANNEL, f"stop {run.id}")


async def purge(work: Work) -> tuple[int, int]:
    """Erase what was deleted 30 days ago, and the events of answers that are long complete.

    Gives how many conversations and how many runs' events went; call again while there are any.
    """
    conversations = await rows.purge_deleted(work, KEPT_DELETED, _BATCH)
    return conversations, await run_rows.purge_events(work, KEPT_EVENTS, _BATCH)


def branch_of(messages: Sequence[Message], conversation: Conversation) -> list[Message]:
    """The messages of the present branch, from the first to the current one."""
    return branch(messages, conversation.current_message_id)


async def files(work: Work, messages: Sequence[Message]) -> dict[UUID, list[Attachment]]:
    """The attachments of these messages with their text."""
    return await rows.attachments_of(work, [m.id for m in messages if m.attachments])
