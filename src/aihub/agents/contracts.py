"""What may leave the module: shapes of conversations, messages and runs, and their errors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aihub.kernel.errors import AihubError, BadRequest, Conflict, InvalidRequest, NotFound

AnswerRole = Literal["user", "assistant"]
MessageStatus = Literal["complete", "streaming", "stopped", "interrupted", "failed"]
RunStatus = Literal["running", "complete", "stopped", "interrupted", "failed"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that came with a question. `size` is in bytes of UTF-8."""

    name: str
    size: int
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an answer is not complete, in words for people."""

    code: str
    title: str
    remedy: str

    @classmethod
    def of(cls, error: AihubError) -> "Fault":
        title = error.title if error.detail is None else f"{error.title}: {error.detail}"
        return cls(error.code, title, error.hint)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "title": self.title, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer took: tokens, and micro-credits."""

    input_tokens: int
    output_tokens: int
    credits: int


@dataclass(frozen=True, slots=True)
class Conversation:
    id: UUID
    title: str
    model: str | None
    system_prompt: str
    current_message_id: UUID | None
    archived: bool
    share_token: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One node of a conversation's tree. `parts` are those of the Vercel AI UI message."""

    id: UUID
    parent_id: UUID | None
    role: str
    text: str
    parts: Sequence[dict[str, Any]]
    status: str
    error: Fault | None
    model: str | None
    cost: Cost | None
    facts: dict[str, Any]
    run_id: UUID | None
    created_at: datetime
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The work on one answer. `last_event` is the number of the last stored event."""

    id: UUID
    conversation_id: UUID
    message_id: UUID
    status: str
    last_event: int


@dataclass(frozen=True, slots=True)
class Started:
    """What a question set in motion."""

    user_message: Message | None
    assistant_message: Message
    run: Run


@dataclass(frozen=True, slots=True)
class Shared:
    """A conversation as its link shows it: one branch, without what it cost and who wrote it.

    `following` is the message with which the next page begins.
    """

    title: str
    messages: tuple[Message, ...]
    shared_at: datetime
    following: UUID | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A message about to be written. `parent` is an answer's id, None for a new beginning, or `current`."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    model: str | None = None
    parent: UUID | Literal["current"] | None = "current"


class ConversationNotFound(NotFound):
    code = "conversation.not_found"
    title = "There is no such conversation"


class MessageNotFound(NotFound):
    code = "message.not_found"
    title = "There is no such message in this conversation"


class RunNotFound(NotFound):
    code = "run.not_found"
    title = "There is no such run"


class SharedNotFound(NotFound):
    code = "conversation.not_shared"
    title = "This link does not lead to a conversation"
    remedy = "Ask the person who sent it; they may have withdrawn it or deleted the conversation."


class RunInProgress(Conflict):
    code = "conversation.answer_in_progress"
    title = "An answer is being written in this conversation"
    remedy = "Wait until it is complete, or stop it; another conversation can be used meanwhile."


class NothingToContinue(Conflict):
    code = "message.nothing_to_continue"
    title = "This message has no unfinished answer to continue"
    remedy = "Continue an answer that was stopped or interrupted or has failed; otherwise ask again."


class NotAQuestionsPlace(InvalidRequest):
    code = "message.wrong_parent"
    title = "A question cannot stand there"
    remedy = "Give the id of an answer as parent_id, null for a new beginning, or leave it out."


class ConversationFull(Conflict):
    code = "conversation.full"
    title = "This conversation has as many messages as one can hold"
    remedy = "Start a new conversation; export this one if you need its text elsewhere."


class ContextTooLong(InvalidRequest):
    code = "conversation.context_too_long"
    title = "The question is longer than the model can read"
    remedy = (
        "Shorten the question, its attachments or the system prompt, or choose a model with a longer context."
    )


class BadAttachment(InvalidRequest):
    code = "message.bad_attachment"
    title = "An attachment cannot be used"
    remedy = "Attach up to 10 text files in UTF-8 with at most 1 MB together."


class BadCursor(BadRequest):
    code = "request.bad_cursor"
    title = "The cursor is not one of ours"
    remedy = "Use next_cursor of the previous page as it is, or leave the cursor out to begin again."


class RunsUnavailable(AihubError):
    code = "run.not_here"
    status = 503
    title = "This process does not answer questions"
    remedy = "Send the request to a process that serves conversations."


class AnswerInterrupted(AihubError):
    code = "run.interrupted"
    status = 503
    title = "The answer was interrupted because the hub stopped"
    remedy = "Nothing that was shown is lost. Choose 'continue' to have the rest written."


class AnswerStopped(AihubError):
    code = "run.stopped"
    status = 409
    title = "The answer was stopped"
    remedy = "Choose 'continue' to have the rest written, or ask again."


class EmptyAnswer(AihubError):
    code = "run.empty_answer"
    status = 502
    title = "The model answered nothing"
    remedy = "Ask again, rephrase the question, or choose another model."


class AnswerBroken(AihubError):
    code = "run.broken"
    status = 502
    title = "The model's answer could not be understood"
    remedy = "Ask again, or choose another model."
