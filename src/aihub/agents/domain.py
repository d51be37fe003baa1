"""The pure rules of conversations: the tree of messages, titles, attachments, what fits into a context."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from aihub.agents.contracts import Attachment, BadAttachment, BadCursor

TITLE_LENGTH = 80
MOST_MESSAGES = 2000
MOST_ATTACHMENTS = 10
ATTACHMENT_BYTES = 1024 * 1024
NAME_LENGTH = 120


class Node(Protocol):
    """What the rules of the tree need of a message."""

    @property
    def id(self) -> UUID: ...
    @property
    def parent_id(self) -> UUID | None: ...
    @property
    def created_at(self) -> datetime: ...


N = TypeVar("N", bound=Node)


def branch(messages: Iterable[N], leaf: UUID | None) -> list[N]:
    """The messages from the root down to `leaf`; empty without one."""
    known = {m.id: m for m in messages}
    path: list[N] = []
    at = leaf
    while at is not None and at in known:
        path.append(known.pop(at))
        at = path[-1].parent_id
    return path[::-1]


def newest_leaf(messages: Iterable[N], start: UUID) -> UUID:
    """The leaf one reaches from `start` by always taking the newest child."""
    newest: dict[UUID | None, N] = {}
    for message in messages:
        rival = newest.get(message.parent_id)
        if rival is None or (rival.created_at, rival.id) < (message.created_at, message.id):
            newest[message.parent_id] = message
    at = start
    seen = {at}
    while (child := newest.get(at)) is not None and child.id not in seen:
        at = child.id
        seen.add(at)
    return at


def depth_first(messages: Sequence[N]) -> list[N]:
    """Every message after its parent, siblings by age."""
    children: dict[UUID | None, list[N]] = {}
    for message in sorted(messages, key=lambda m: (m.created_at, m.id), reverse=True):
        children.setdefault(message.parent_id, []).append(message)
    stack = list(children.get(None, ()))
    out: list[N] = []
    while stack:
        message = stack.pop()
        out.append(message)
        stack.extend(children.get(message.id, ()))
    return out


_MARKUP = re.compile(r"^[\s#>*\-`_]+|[*`_]+")


def title_from(text: str) -> str:
    """A title for a conversation that begins with `text`: its first words, without markup."""
    line = next((stripped for raw in text.splitlines() if (stripped := _MARKUP.sub("", raw).strip())), "")
    line = "".join(c for c in " ".join(line.split()) if c.isprintable())
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[:TITLE_LENGTH].rsplit(" ", 1)[0] if " " in line[: TITLE_LENGTH + 1] else line[:TITLE_LENGTH]
    return cut.rstrip(" ,;:.-") + "…"


def attachment(name: str, text: str) -> Attachment:
    """A text file as it is kept: a plain name without folders, and text that can be stored.

    Raises BadAttachment.
    """
    if "\0" in text:
        raise BadAttachment(f"'{file_name(name)}' is not a text file.")
    return Attachment(file_name(name), len(text.encode("utf-8")), text)


def file_name(name: str) -> str:
    """`name` without folders, control characters and leading dots."""
    plain = re.split(r"[/\\]", name)[-1]
    plain = "".join(c for c in plain if c.isprintable() and c not in '<>:"|?*').strip().lstrip(".")
    if len(plain) > NAME_LENGTH:
        stem, dot, suffix = plain.rpartition(".")
        kept = dot + suffix if dot and len(suffix) <= 10 else ""
        plain = (stem if kept else plain)[: NAME_LENGTH - len(kept)] + kept
    return plain or "attachment.txt"


def check_attachments(attachments: Sequence[Attachment]) -> None:
    """Raises BadAttachment when there are too many or they are too large together."""
    if len(attachments) > MOST_ATTACHMENTS:
        raise BadAttachment(f"At most {MOST_ATTACHMENTS} files can be attached.")
    total = sum(a.size for a in attachments)
    if total > ATTACHMENT_BYTES:
        raise BadAttachment(f"The files have {total} bytes together; {ATTACHMENT_BYTES} are allowed.")


def with_attachments(text: str, attachments: Sequence[Attachment]) -> str:
    """The question as the model reads it: each file in a block whose end its content cannot forge."""
    blocks = []
    for item in attachments:
        mark = hashlib.sha256(item.text.encode("utf-8")).hexdigest()[:16]
        blocks.append(
            f"--- begin of file {item.name} ({mark}) ---\n{item.text}\n--- end of file ({mark}) ---"
        )
    return "\n\n".join([*blocks, text]) if blocks else text


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt. `role` is `user` or `assistant`."""

    role: str
    text: str


_TOKENS_PER_TURN = 8


def tokens(text: str, bytes_per_token: float) -> int:
    """About how many tokens a text has, when a token takes that many bytes of UTF-8."""
    return _TOKENS_PER_TURN + int(len(text.encode("utf-8")) / bytes_per_token) + 1


def room(context_length: int, answer: int) -> int:
    """Tokens a prompt may have so that the answer fits behind it."""
    return max(context_length - min(answer, context_length // 4), 1)


def first_kept(sizes: Sequence[int], questions: Sequence[bool], budget: int) -> int:
    """The index of the oldest message that is kept so that the newest ones fit into `budget` tokens.

    `questions` says where a turn of the user begins: only there may the cut be, so that the order of
    speakers stays what models expect. What follows the last question is always kept.
    """
    last = max((i for i, q in enumerate(questions) if q), default=0)
    total = sum(sizes[last:])
    first = last
    for index in range(last - 1, -1, -1):
        total += sizes[index]
        if total > budget:
            break
        if questions[index]:
            first = index
    return first


def fitting(sizes: Iterable[int], most: int) -> int:
    """How many of these fit into `most` together, counted from the first, which always does."""
    total, number = 0, 0
    for size in sizes:
        total += size
        if number and total > most:
            break
        number += 1
    return number


def alternating(turns: Iterable[Turn]) -> list[Turn]:
    """Turns without empty ones, neighbours of the same speaker joined."""
    out: list[Turn] = []
    for turn in turns:
        if not turn.text.strip():
            continue
        if out and out[-1].role == turn.role:
            out[-1] = Turn(turn.role, out[-1].text + "\n\n" + turn.text)
        else:
            out.append(turn)
    return out


def like(search: str) -> str:
    """A pattern that finds `search` as it is written, for ILIKE with the escape character backslash."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", search) + "%"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list that is ordered by time and id, newest first."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        raw = f"{self.at.isoformat()} {self.id}".encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises BadCursor."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
            at, _, id_ = raw.partition(" ")
            cursor = cls(datetime.fromisoformat(at), UUID(id_))
        except (ValueError, binascii.Error) as exc:
            raise BadCursor() from exc
        if cursor.at.tzinfo is None:
            raise BadCursor()
        return cursor
