"""What may leave the gateway: shapes of models, providers and answers, and the errors of a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aihub.kernel.errors import AihubError, Conflict, InvalidRequest, NotFound, Unavailable
from aihub.services.gateway.domain import Price, Usage

ProviderKind = Literal["openai", "anthropic", "embedded"]
ModelKind = Literal["chat", "embedding"]
Readiness = Literal["ready", "loading", "downloading", "failed", "stopped", "unknown"]
"""`stopped`: a model of this machine that is not the one it runs."""


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A provider as the gateway calls it. `api_key` is in clear and never leaves the process."""

    id: UUID
    name: str
    kind: ProviderKind
    base_url: str | None
    api_key: str | None
    allow_private: bool
    enabled: bool

    def __repr__(self) -> str:
        return f"ProviderInfo({self.name!r}, {self.kind!r}, {self.base_url!r})"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model and where it lives."""

    id: UUID
    name: str
    aliases: tuple[str, ...]
    provider: ProviderInfo
    kind: ModelKind
    upstream_name: str
    context_length: int
    max_output: int | None
    price: Price
    enabled: bool
    created_at: int
    """Unix seconds, as the OpenAI API shows it."""
    restricted: bool = False
    """Whether it exists only for those who may use every model, or this one."""

    @property
    def demonstration(self) -> bool:
        """Whether this is the small model that ships to show that the hub works."""
        return self.provider.kind == "embedded" and self.upstream_name == DEMONSTRATION_MODEL

    @property
    def usable(self) -> bool:
        return self.enabled and self.provider.enabled


USE_MODEL, SHARE_MODEL = "models:use", "models:share"
"""Permissions that can be given on one model. The first says nothing about models that are not restricted."""

DEMONSTRATION_MODEL = "SmolLM2-135M-Instruct"
EMBEDDING_MODEL = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as administrators see it: whether it has a key, never the key."""

    id: UUID
    name: str
    kind: ProviderKind
    base_url: str | None
    has_api_key: bool
    allow_private: bool
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProviderWish:
    """A provider to be added. `base_url` None: the public address of its kind."""

    name: str
    kind: ProviderKind
    base_url: str | None = None
    api_key: str | None = None
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class ModelWish:
    """A model to be added. What is None is filled in from what is known of the model, else from defaults."""

    name: str
    provider_id: UUID
    upstream_name: str
    kind: ModelKind = "chat"
    aliases: tuple[str, ...] = ()
    context_length: int | None = None
    max_output: int | None = None
    input_price: int | None = None
    output_price: int | None = None
    request_price: int | None = None
    enabled: bool = True
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat completion asked for inside the hub; `body` is what POST /v1/chat/completions takes."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a call took and cost (micro-credits)."""

    model: str
    usage: Usage
    charged: int


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer; `body` is an OpenAI chat.completion object."""

    body: dict[str, Any]
    receipt: Receipt


class ModelNotFound(NotFound):
    code = "model.not_found"
    title = "There is no such model"
    remedy = "Use one of the names that GET /v1/models lists."


class WrongModelKind(InvalidRequest):
    code = "model.wrong_kind"
    title = "This model does something else"
    remedy = "Use a chat model for chat completions and an embedding model for embeddings."


class InvalidCall(InvalidRequest):
    code = "gateway.invalid_request"
    status = 400
    title = "The model cannot be called like this"
    remedy = "Correct the field named in the detail."


class NameTaken(Conflict):
    code = "gateway.name_taken"
    title = "This name is in use"
    remedy = "Choose another name; names and aliases of models are unique across all providers."


class BuiltInProvider(Conflict):
    code = "provider.built_in"
    title = "The embedded provider belongs to the hub"
    remedy = "Disable it instead; it can be enabled again at any time."


class AddressRefused(InvalidRequest):
    code = "provider.address_refused"
    title = "The hub does not call this address"
    remedy = (
        "Use the public https address of the provider. For a server in your own network, set "
        "'allow private addresses' on the provider."
    )


class GatewayBusy(Unavailable):
    code = "gateway.busy"
    title = "Too many calls are running"
    remedy = (
        "Wait for the seconds in the Retry-After header. Operators: raise AIHUB_MAX_CALLS or add a process."
    )


class CallRepeated(Conflict):
    code = "gateway.call_repeated"
    title = "A call with this idempotency key was already made"
    remedy = "Use a new Idempotency-Key for a new call; answers are not stored for repetition."


class ProviderError(AihubError):
    """The root of what a provider can do to a call."""

    code = "provider.failed"
    status = 502
    title = "The model's provider failed"
    remedy = "Try again, or choose a model of another provider."


class ProviderRejected(ProviderError):
    code = "provider.rejected"
    status = 400
    title = "The provider did not accept the request"
    remedy = "Correct what the detail names; it is the provider's own message."

    def __init__(self, detail: str, *, param: str | None = None, upstream_code: str | None = None) -> None:
        super().__init__(detail)
        self.param = param
        self.upstream_code = upstream_code


class ContextExceeded(ProviderRejected):
    code = "provider.context_exceeded"
    title = "The prompt is longer than the model's context"
    remedy = "Send a shorter prompt, or choose a model with a longer context."


class ProviderRefusedKey(ProviderError):
    code = "provider.key_refused"
    title = "The provider refused the hub's credentials"
    remedy = "Ask an administrator to check the provider's API key under Models and providers."


class ProviderModelMissing(ProviderError):
    code = "provider.model_missing"
    title = "The provider does not know this model"
    remedy = "Ask an administrator to check the model's upstream name and the provider's base URL."


class ProviderLimited(ProviderError):
    code = "provider.rate_limited"
    status = 429
    title = "The provider limits the hub's requests"
    remedy = "Wait for the seconds in the Retry-After header, or choose a model of another provider."


class ProviderNonsense(ProviderError):
    code = "provider.bad_answer"
    title = "The provider answered something that is not an answer"
    remedy = "Ask an administrator to check that the provider's base URL and kind are right."


class ProviderCut(ProviderError):
    code = "provider.cut"
    title = "The provider ended the answer in the middle"
    remedy = "What arrived is kept and was charged; ask again for the rest."


class ProviderUnreachable(ProviderError):
    code = "provider.unreachable"
    status = 503
    title = "The model's provider cannot be reached"
    remedy = "Try again in a few seconds, or choose a model of another provider."


class ProviderTimeout(ProviderError):
    code = "provider.timeout"
    status = 504
    title = "The model's provider took too long"
    remedy = "Try again, ask for a shorter answer, or choose a faster model."
