"""Asking, asking again, going on: each writes the answer-to-be and its run in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aihub.agents import service
from aihub.agents.contracts import (
    ContextTooLong,
    Conversation,
    ConversationFull,
    Message,
    MessageNotFound,
    NotAQuestionsPlace,
    NothingToContinue,
    Question,
    RunInProgress,
    Started,
)
from aihub.agents.domain import (
    MOST_MESSAGES,
    check_attachments,
    room,
    title_from,
    tokens,
    with_attachments,
)
from aihub.agents.queries import conversations as rows
from aihub.agents.queries import runs as run_rows
from aihub.kernel.auth import Actor
from aihub.kernel.db import Work
from aihub.services.gateway.contracts import ModelInfo, ModelNotFound, WrongModelKind
from aihub.services.gateway.service import Gateway

ANSWER_TOKENS = 512
"""Tokens kept free for the answer when a prompt is measured."""
GENEROUS = 6.0
"""Bytes of a token nobody's text exceeds on average: what does not fit even so is refused at once."""


@dataclass(frozen=True, slots=True)
class Lineup:
    """The chat models somebody may ask at this moment. Read before a transaction, used inside it."""

    by_name: Mapping[str, ModelInfo]
    default: ModelInfo | None

    @classmethod
    async def of(cls, gateway: Gateway, actor: Actor) -> "Lineup":
        try:
            default = await gateway.default_model(actor)
        except ModelNotFound:
            default = None
        return cls((await gateway.seen_by(actor)).by_name, default)

    def choose(self, *names: str | None) -> ModelInfo:
        """The first of these that is named, else the default. Raises ModelNotFound and WrongModelKind."""
        name = next((n for n in names if n), None)
        model = self.by_name.get(name) if name else self.default
        if model is None:
            raise ModelNotFound(
                f"The model '{name}' does not exist or is switched off."
                if name
                else "No chat model is switched on."
            )
        if model.kind != "chat":
            raise WrongModelKind(f"'{name}' is an embedding model.")
        return model


@dataclass(frozen=True, slots=True)
class Plan:
    """What an executor needs to know to write an answer."""

    run_id: UUID
    conversation_id: UUID
    message_id: UUID
    question_id: UUID
    actor: Actor
    model: ModelInfo
    system_prompt: str
    beginning: str = ""
    """What the answer already says, when it is continued."""


async def ask(
    work: Work, actor: Actor, conversation_id: UUID, question: Question, lineup: Lineup, process: str
) -> tuple[Started, Plan]:
    """Write the question and begin its answer.

    Raises ConversationNotFound, RunInProgress, MessageNotFound and NotAQuestionsPlace for the parent,
    ContextTooLong, BadAttachment, ModelNotFound, ConversationFull.
    """
    check_attachments(question.attachments)
    conversation = await _ready(work, actor, conversation_id)
    parent = await _parent(work, actor, conversation, question)
    model = lineup.choose(question.model, conversation.model)
    _check_room(model, conversation, with_attachments(question.text, question.attachments))
    asked = await rows.add_message(
        work,
        actor.user_id,
        conversation_id,
        parent_id=parent,
        role="user",
        body=question.text,
        attachments=question.attachments,
    )
    title = title_from(question.text) if not conversation.title else None
    started, plan = await _answer(work, actor, conversation, asked.id, model, process, title=title)
    return Started(asked, started.assistant_message, started.run), plan


async def regenerate(
    work: Work,
    actor: Actor,
    conversation_id: UUID,
    message_id: UUID,
    model: str | None,
    lineup: Lineup,
    process: str,
) -> tuple[Started, Plan]:
    """Begin another answer beside this one. Raises what `ask` raises."""
    conversation = await _ready(work, actor, conversation_id)
    message = await _message(work, actor, conversation_id, message_id)
    question = message.id if message.role == "user" else message.parent_id
    if question is None:
        raise NotAQuestionsPlace("This answer has no question.")
    chosen = lineup.choose(model, conversation.model)
    return await _answer(work, actor, conversation, question, chosen, process)


async def go_on(
    work: Work, actor: Actor, conversation_id: UUID, message_id: UUID, lineup: Lineup, process: str
) -> tuple[Started, Plan]:
    """Begin an answer that takes up an unfinished one where it broke off.

    The unfinished answer stays as it is. Beside it a new one begins with the same words, so that the
    whole stands in one message and nothing is said twice. One that had not begun is
    simply written. Raises NothingToContinue and what `ask` raises.
    """
    conversation = await _ready(work, actor, conversation_id)
    message = await _message(work, actor, conversation_id, message_id)
    unfinished = message.role == "assistant" and message.status in ("stopped", "interrupted", "failed")
    if not unfinished or message.parent_id is None:
        raise NothingToContinue()
    usable = message.model if message.model in lineup.by_name else None
    chosen = lineup.choose(usable, conversation.model)
    return await _answer(
        work,
        actor,
        conversation,
        message.parent_id,
        chosen,
        process,
        beginning=message.text.strip() and message.text,
    )


async def _ready(work: Work, actor: Actor, conversation_id: UUID) -> Conversation:
    """The conversation, locked, with nothing running in it and room for more."""
    conversation = await service.get(work, actor, conversation_id, lock=True)
    if await run_rows.active(work, conversation_id) is not None:
        raise RunInProgress()
    if await rows.count(work, conversation_id) + 2 > MOST_MESSAGES:
        raise ConversationFull(f"It has {MOST_MESSAGES} messages.")
    return conversation


async def _message(work: Work, actor: Actor, conversation_id: UUID, message_id: UUID) -> Message:
    message = await rows.message(work, actor.user_id, conversation_id, message_id)
    if message is None:
        raise MessageNotFound()
    return message


async def _parent(work: Work, actor: Actor, conversation: Conversation, question: Question) -> UUID | None:
    wanted = conversation.current_message_id if question.parent == "current" else question.parent
    if wanted is None:
        return None
    if (await _message(work, actor, conversation.id, wanted)).role != "assistant":
        raise NotAQuestionsPlace()
    return wanted


def _check_room(model: ModelInfo, conversation: Conversation, text: str) -> None:
    budget = room(model.context_length, ANSWER_TOKENS)
    needed = tokens(text, GENEROUS) + tokens(conversation.system_prompt, GENEROUS)
    if needed > budget:
        raise ContextTooLong(
            f"'{model.name}' reads {model.context_length} tokens; this needs more than {needed}."
        )


async def _answer(
    work: Work,
    actor: Actor,
    conversation: Conversation,
    question_id: UUID,
    model: ModelInfo,
    process: str,
    *,
    beginning: str = "",
    title: str | None = None,
) -> tuple[Started, Plan]:
    run_id = run_rows.next_id()
    message = await rows.add_message(
        work,
        actor.user_id,
        conversation.id,
        parent_id=question_id,
        role="assistant",
        status="streaming",
        model=model.name,
        run_id=run_id,
    )
    run = await run_rows.open_run(work, actor.user_id, conversation.id, run_id, message.id, process)
    values: dict[str, object] = {"current_message_id": message.id}
    if title:
        values["title"] = title
    await rows.touch(work, conversation.id, values)
    plan = Plan(
        run_id=run_id,
        conversation_id=conversation.id,
        message_id=message.id,
        question_id=question_id,
        actor=actor,
        model=model,
        system_prompt=conversation.system_prompt,
        beginning=beginning,
    )
    return Started(None, message, run), plan
