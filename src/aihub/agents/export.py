"""A conversation as a file: Markdown of the present branch, or JSON of the whole tree."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote
from uuid import UUID

import orjson

from aihub.agents.contracts import Attachment, Conversation, Message
from aihub.agents.domain import depth_first


def markdown(conversation: Conversation, messages: Sequence[Message]) -> str:
    """The messages as a document; `messages` is one branch."""
    lines = [f"# {conversation.title or 'Untitled'}", ""]
    if conversation.system_prompt:
        lines += ["> " + line for line in conversation.system_prompt.splitlines()] + [""]
    for message in messages:
        who = "You" if message.role == "user" else f"Assistant ({message.model or 'unknown model'})"
        lines += [f"## {who}", ""]
        lines += [f"- attached: {item.name} ({item.size} bytes)" for item in message.attachments]
        if message.attachments:
            lines.append("")
        lines += [message.text.rstrip(), ""]
        if message.status not in ("complete", "streaming"):
            lines += [f"*This answer is {message.status}.*", ""]
    return "\n".join(lines).rstrip() + "\n"


def tree(
    conversation: Conversation, messages: Sequence[Message], files: Mapping[UUID, Sequence[Attachment]]
) -> bytes:
    """Everything the conversation holds, every branch, attachments with their text."""
    body = {
        "format": "aihub.conversation",
        "version": 1,
        "conversation": {
            "id": conversation.id,
            "title": conversation.title,
            "model": conversation.model,
            "system_prompt": conversation.system_prompt or None,
            "current_message_id": conversation.current_message_id,
            "created_at": conversation.created_at,
            "updated_at": conversation.updated_at,
        },
        "messages": [
            {
                "id": m.id,
                "parent_id": m.parent_id,
                "role": m.role,
                "text": m.text,
                "parts": list(m.parts),
                "attachments": [
                    {"name": a.name, "size": a.size, "text": a.text} for a in files.get(m.id, ())
                ],
                "status": m.status,
                "model": m.model,
                "created_at": m.created_at,
            }
            for m in depth_first(messages)
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)


def disposition(title: str, suffix: str) -> str:
    """A Content-Disposition header that names the file after the conversation, in ASCII and in full."""
    name = re.sub(r"[^\w\- .]+", "", title, flags=re.UNICODE).strip(" .")[:80] or "conversation"
    plain = name.encode("ascii", "ignore").decode().strip() or "conversation"
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{quote(name)}.{suffix}"
