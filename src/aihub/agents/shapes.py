"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from aihub.agents.contracts import Attachment, Conversation, Cost, Fault, Message, Run, Shared, Started
from aihub.agents.domain import attachment
from aihub.services.credits.contracts import CreditsOut

LARGEST_TEXT = 1_000_000
LARGEST_SYSTEM_PROMPT = 100_000


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL characters cannot be stored")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("write something")
    return text


Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_storable)]
GivenTitle = Annotated[Title, Field(min_length=1)]
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
SystemPrompt = Annotated[str, Field(max_length=LARGEST_SYSTEM_PROMPT), AfterValidator(_storable)]
Text = Annotated[
    str, Field(min_length=1, max_length=LARGEST_TEXT), AfterValidator(_storable), AfterValidator(_not_blank)
]


class Wish(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class NewConversation(Wish):
    title: Title = ""
    model: ModelName | None = None
    system_prompt: SystemPrompt | None = None


class ConversationChange(Wish):
    """Fields that are left out stay as they are. A `model` or `system_prompt` of null takes it away."""

    title: GivenTitle | None = None
    model: ModelName | None = None
    system_prompt: SystemPrompt | None = None
    current_message_id: UUID | None = None
    archived: bool | None = None

    @field_validator("title", "current_message_id", "archived", mode="before")
    @classmethod
    def _something(cls, value: object) -> object:
        if value is None:
            raise ValueError("leave it out, or give a value")
        return value

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class AttachmentIn(Wish):
    name: Annotated[str, Field(min_length=1, max_length=1000)]
    text: Annotated[str, Field(max_length=LARGEST_TEXT * 2)]

    def attachment(self) -> Attachment:
        return attachment(self.name, self.text)


class NewMessage(Wish):
    """`parent_id`: the answer this follows; null for a new beginning; left out for the current one."""

    text: Text
    parent_id: UUID | None = None
    attachments: Annotated[list[AttachmentIn], Field(max_length=100)] = []
    model: ModelName | None = None


class Again(Wish):
    model: ModelName | None = None


class Nothing(Wish):
    """An empty body."""


class QueryFacts(Wish):
    """What a client says about itself. It is accepted and never believed."""

    user_agent: Annotated[str | None, Field(alias="userAgent", max_length=1000)] = None
    ip: Annotated[str | None, Field(max_length=200)] = None
    session_id: Annotated[str | None, Field(alias="sessionId", max_length=200)] = None


class Query(Wish):
    query: Annotated[
        str, Field(min_length=1, max_length=1000), AfterValidator(_storable), AfterValidator(_not_blank)
    ]
    streaming: bool = False
    metadata: QueryFacts | None = None


class ConversationBody(BaseModel):
    id: UUID
    title: str
    model: str | None
    system_prompt: str | None
    current_message_id: UUID | None
    archived: bool
    share_url: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, it: Conversation, base_url: str) -> "ConversationBody":
        return cls(
            id=it.id,
            title=it.title,
            model=it.model,
            system_prompt=it.system_prompt or None,
            current_message_id=it.current_message_id,
            archived=it.archived,
            share_url=share_url(base_url, it.share_token) if it.share_token else None,
            created_at=it.created_at,
            updated_at=it.updated_at,
        )


def share_url(base_url: str, token: str) -> str:
    return f"{base_url}/s/{token}"


class AttachmentBody(BaseModel):
    name: str
    size: int


class FaultBody(BaseModel):
    code: str
    title: str
    remedy: str

    @classmethod
    def of(cls, it: Fault | None) -> "FaultBody | None":
        return None if it is None else cls(code=it.code, title=it.title, remedy=it.remedy)


class UsageBody(BaseModel):
    """What an answer took."""

    input_tokens: int
    output_tokens: int
    credits: CreditsOut

    @classmethod
    def of(cls, it: Cost | None) -> "UsageBody | None":
        if it is None:
            return None
        return cls(input_tokens=it.input_tokens, output_tokens=it.output_tokens, credits=it.credits)


class MessageBody(BaseModel):
    """`parts` are those of a Vercel AI UI message; `metadata` tells, for instance, how many older messages
    did not fit into the model's context (`left_out`)."""

    id: UUID
    parent_id: UUID | None
    role: Literal["user", "assistant"]
    text: str
    parts: list[dict[str, Any]]
    attachments: list[AttachmentBody]
    status: Literal["complete", "streaming", "stopped", "interrupted", "failed"]
    error: FaultBody | None
    model: str | None
    usage: UsageBody | None
    metadata: dict[str, Any]
    run_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, it: Message) -> "MessageBody":
        return cls.model_validate(
            {
                "id": it.id,
                "parent_id": it.parent_id,
                "role": it.role,
                "text": it.text,
                "parts": list(it.parts),
                "attachments": [AttachmentBody(name=a.name, size=a.size) for a in it.attachments],
                "status": it.status,
                "error": FaultBody.of(it.error),
                "model": it.model,
                "usage": UsageBody.of(it.cost),
                "metadata": it.facts,
                "run_id": it.run_id,
                "created_at": it.created_at,
            }
        )


class RunBody(BaseModel):
    id: UUID
    conversation_id: UUID
    message_id: UUID
    status: Literal["running", "complete", "stopped", "interrupted", "failed"]
    last_event: int

    @classmethod
    def of(cls, it: Run) -> "RunBody":
        return cls.model_validate(
            {
                "id": it.id,
                "conversation_id": it.conversation_id,
                "message_id": it.message_id,
                "status": it.status,
                "last_event": it.last_event,
            }
        )


class ConversationsBody(BaseModel):
    items: list[ConversationBody]
    next_cursor: str | None


class DetailBody(BaseModel):
    conversation: ConversationBody
    messages: list[MessageBody]
    active_run: RunBody | None


class AskedBody(BaseModel):
    user_message: MessageBody
    assistant_message: MessageBody
    run: RunBody

    @classmethod
    def of(cls, it: Started) -> "AskedBody":
        assert it.user_message is not None  # noqa: S101 - asking writes both
        return cls(
            user_message=MessageBody.of(it.user_message),
            assistant_message=MessageBody.of(it.assistant_message),
            run=RunBody.of(it.run),
        )


class AgainBody(BaseModel):
    assistant_message: MessageBody
    run: RunBody

    @classmethod
    def of(cls, it: Started) -> "AgainBody":
        return cls(assistant_message=MessageBody.of(it.assistant_message), run=RunBody.of(it.run))


class LinkBody(BaseModel):
    url: str
    token: str


class SharedBody(BaseModel):
    title: str
    messages: list[MessageBody]
    shared_at: datetime
    next_cursor: UUID | None

    @classmethod
    def of(cls, it: Shared) -> "SharedBody":
        return cls(
            title=it.title,
            messages=[MessageBody.of(m) for m in it.messages],
            shared_at=it.shared_at,
            next_cursor=it.following,
        )


class QueryAnswer(BaseModel):
    message: str
    model: str
    usage: UsageBody | None
