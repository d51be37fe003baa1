"""What the model gets to read: the branch down to the question, as much of it as fits."""

from collections.abc import Sequence
from typing import Any

import orjson

from aihub.agents.asking import ANSWER_TOKENS, GENEROUS, Plan
from aihub.agents.contracts import ContextTooLong
from aihub.agents.domain import Turn, alternating, first_kept, room, tokens, with_attachments
from aihub.agents.queries import conversations as rows
from aihub.kernel.db import Work

BYTES_PER_TOKEN = (3.0, 2.0, 1.0)
"""How many bytes a token is taken to have: first what holds for most texts, then ever more careful."""
GO_ON = (
    "Your last answer was cut off. Continue it exactly where it ends, in the same language and form. "
    "Do not repeat anything, do not begin anew and do not comment on the interruption."
)


async def turns_of(work: Work, plan: Plan) -> list[Turn]:
    """The branch of a plan as the model reads it, whatever its length."""
    path = await rows.branch_texts(work, plan.conversation_id, plan.question_id)
    files = await rows.attachments_of(work, [message_id for message_id, _, _ in path])
    return alternating(Turn(role, with_attachments(text, files.get(id_, ()))) for id_, role, text in path)


def going_on(beginning: str, *, prefill: bool) -> list[dict[str, Any]]:
    """The messages after which a model writes what follows `beginning`.

    With `prefill` the provider takes a last message of the assistant as the beginning of its answer. The
    others are asked to go on, in words.
    """
    said = [{"role": "assistant", "content": beginning}]
    return said if prefill else [*said, {"role": "user", "content": GO_ON}]


def fitting(
    messages: Sequence[dict[str, Any]], context_length: int, bytes_per_token: float
) -> tuple[list[dict[str, Any]], int]:
    """The messages of a chat completion without the oldest ones that do not fit, and how many those are.

    The system prompt and everything from the last question on stay. Raises ContextTooLong when these alone
    are too long even by the most generous measure.
    """
    head = 0
    while head < len(messages) and messages[head]["role"] == "system":
        head += 1
    system, rest = list(messages[:head]), list(messages[head:])
    budget = room(context_length, ANSWER_TOKENS)
    needed = sum(_size(m, GENEROUS) for m in (*system, *rest[_last_question(rest) :]))
    if needed > budget:
        raise ContextTooLong(
            f"The model reads {context_length} tokens; the question needs more than {needed}."
        )
    taken = sum(_size(m, bytes_per_token) for m in system)
    first = first_kept(
        [_size(m, bytes_per_token) for m in rest], [m["role"] == "user" for m in rest], budget - taken
    )
    return system + rest[first:], first


def _last_question(messages: Sequence[dict[str, Any]]) -> int:
    return max((i for i, m in enumerate(messages) if m["role"] == "user"), default=0)


def _size(message: dict[str, Any], bytes_per_token: float) -> int:
    calls = message.get("tool_calls")
    text = (message.get("content") or "") + (orjson.dumps(calls).decode() if calls else "")
    return tokens(text, bytes_per_token)
