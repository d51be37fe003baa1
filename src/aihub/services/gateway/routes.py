"""Administration of providers and models over HTTP, and the state of the embedded model."""

import time
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from aihub.kernel.auth import Actor, requires
from aihub.kernel.crypto import Crypto
from aihub.kernel.errors import AihubError
from aihub.kernel.runtime import Runtime
from aihub.services.credits.contracts import CreditsIn, CreditsOut
from aihub.services.gateway import service
from aihub.services.gateway.contracts import (
    ModelInfo,
    ModelKind,
    ModelNotFound,
    ModelWish,
    Provider,
    ProviderError,
    ProviderKind,
    ProviderWish,
    Readiness,
)
from aihub.services.gateway.embedded import Embedded
from aihub.services.gateway.embedded_body import EmbeddedBody, embedded_body
from aihub.services.gateway.gateway import Gateway
from aihub.services.gateway.settings import GatewaySettings

router = APIRouter(prefix="/api/v1", tags=["gateway"])

ModelReader = Annotated[Actor, requires("models:read")]
ModelManager = Annotated[Actor, requires("models:manage")]
ProviderReader = Annotated[Actor, requires("providers:read")]
ProviderManager = Annotated[Actor, requires("providers:manage")]
Chatter = Annotated[Actor, requires("chat:use")]

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=128)]
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
ProviderName = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")
]
BaseUrl = Annotated[str, StringConstraints(strip_whitespace=True, min_length=8, max_length=2048)]
ApiKey = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\x21-\x7e]{1,4096}$")]
Length = Annotated[int, Field(ge=1, le=100_000_000)]
Price = Annotated[CreditsIn, Field()]

TEST_SECONDS = 10.0


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


class Changes(Strict):
    """A partial change: the defaults below stand for absent fields only and are never applied."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class ProviderBody(BaseModel):
    id: UUID
    name: str
    kind: ProviderKind
    base_url: str | None
    has_api_key: bool
    allow_private: bool
    enabled: bool
    created_at: datetime


class ProvidersBody(BaseModel):
    items: list[ProviderBody]
    next_cursor: str | None


class NewProvider(Strict):
    name: ProviderName
    kind: Literal["openai", "anthropic"]
    base_url: BaseUrl | None = None
    api_key: ApiKey | None = None
    allow_private: bool = False


class ProviderChanges(Changes):
    """Fields that are left out stay; an `api_key` of null removes the stored one."""

    name: ProviderName = ""
    base_url: BaseUrl = ""
    api_key: ApiKey | None = None
    allow_private: bool = False
    enabled: bool = True


class TestError(BaseModel):
    code: str
    detail: str
    remedy: str


class TestBody(BaseModel):
    ok: bool
    latency_ms: int | None
    models: list[str]
    error: TestError | None


class ModelBody(BaseModel):
    """Prices are credits: per million tokens in and out, and per request."""

    id: UUID
    name: str
    aliases: list[str]
    provider_id: UUID
    provider_name: str
    kind: ModelKind
    upstream_name: str
    context_length: int
    max_output: int | None
    input_price: CreditsOut
    output_price: CreditsOut
    request_price: CreditsOut
    enabled: bool
    restricted: bool
    """Whether it exists only for those who may use every model, or this one."""
    demonstration: bool
    default: bool
    """Whether it answers those who name no model."""
    state: Readiness


class ModelsBody(BaseModel):
    items: list[ModelBody]
    next_cursor: str | None


class NewModel(Strict):
    """Lengths and prices that are left out come from what is known of the model, else from defaults."""

    name: ModelName
    provider_id: UUID
    upstream_name: ModelName
    kind: ModelKind = "chat"
    aliases: Annotated[list[ModelName], Field(max_length=20)] = []
    context_length: Length | None = None
    max_output: Length | None = None
    input_price: Price | None = None
    output_price: Price | None = None
    request_price: Price | None = None
    enabled: bool = True
    restricted: bool = False


class ModelChanges(Changes):
    """Fields that are left out stay."""

    name: ModelName = ""
    upstream_name: ModelName = ""
    kind: ModelKind = "chat"
    aliases: Annotated[list[ModelName], Field(max_length=20)] = []
    context_length: Length = 1
    max_output: Length | None = None
    input_price: Price = 0
    output_price: Price = 0
    request_price: Price = 0
    enabled: bool = True
    restricted: bool = False


@router.get("/providers")
async def list_providers(
    request: Request, actor: ProviderReader, cursor: Cursor = None, limit: Limit = 50
) -> ProvidersBody:
    """Providers by name. A key is never shown, only whether there is one."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        rows = await service.list_providers(work, _settings(runtime), after=cursor, limit=limit + 1)
    more = len(rows) > limit
    items = [_provider(row) for row in rows[:limit]]
    return ProvidersBody(items=items, next_cursor=items[-1].name if more else None)


@router.post("/providers", status_code=201)
async def create_provider(request: Request, body: NewProvider, actor: ProviderManager) -> ProviderBody:
    """Add a provider. Addresses in private networks need `allow_private`."""
    runtime = _runtime(request)
    if body.base_url is not None:
        await service.judge_address(body.base_url, allow_private=body.allow_private)
    wish = ProviderWish(**body.model_dump())
    async with runtime.database.work(actor.scope) as work:
        return _provider(
            await service.add_provider(work, runtime.get(Crypto), _settings(runtime), wish, actor)
        )


@router.patch("/providers/{provider_id}")
async def change_provider(
    request: Request, provider_id: UUID, body: ProviderChanges, actor: ProviderManager
) -> ProviderBody:
    """Change a provider. A new `base_url` needs the API key again."""
    runtime = _runtime(request)
    changes = body.model_dump(exclude_unset=True)
    async with runtime.database.work(actor.scope) as work:
        before = await service.read_provider(work, _settings(runtime), provider_id)
    base_url = changes.get("base_url", before.base_url)
    if base_url is not None and {"base_url", "allow_private"} & changes.keys():
        allowed = changes.get("allow_private", before.allow_private)
        await service.judge_address(base_url, allow_private=allowed)
    async with runtime.database.work(actor.scope) as work:
        changed = await service.change_provider(
            work, runtime.get(Crypto), _settings(runtime), provider_id, changes, actor
        )
    return _provider(changed)


@router.delete("/providers/{provider_id}", status_code=204)
async def delete_provider(request: Request, provider_id: UUID, actor: ProviderManager) -> None:
    """Remove a provider and its models."""
    async with _runtime(request).database.work(actor.scope) as work:
        await service.remove_provider(work, provider_id, actor)


@router.post("/providers/{provider_id}/test", name="test_provider")
async def try_provider(request: Request, provider_id: UUID, actor: ProviderManager) -> TestBody:
    """Ask the provider for its list of models: shows whether address and key are right, and costs nothing."""
    runtime = _runtime(request)
    gateway = runtime.get(Gateway)
    async with runtime.database.work(actor.scope) as work:
        provider = await service.provider_to_test(work, runtime.get(Crypto), _settings(runtime), provider_id)
    started = time.perf_counter()
    error: AihubError | None = None
    models: list[str] = []
    try:
        if provider.kind == "embedded":
            models = [(await runtime.get(Embedded).endpoint("chat")).model_name]
        else:
            models = await gateway.upstreams.at(provider).models(TEST_SECONDS)
    except AihubError as exc:
        error = exc
    if provider.kind != "embedded" and (error is None or isinstance(error, ProviderError)):
        gateway.outcomes.note_end(provider, error)
    return TestBody(
        ok=error is None,
        latency_ms=round((time.perf_counter() - started) * 1000),
        models=models,
        error=TestError(code=error.code, detail=error.detail or error.title, remedy=error.hint)
        if error
        else None,
    )


@router.get("/models")
async def list_models(
    request: Request, actor: ModelReader, cursor: Cursor = None, limit: Limit = 50
) -> ModelsBody:
    """Models by name, with prices and state. Restricted ones are there for those who may use, share or
    change them."""
    runtime = _runtime(request)
    async with runtime.database.work(actor.scope) as work:
        rows = await service.list_models(work, after=cursor, limit=limit + 1)
    items = [await _model(runtime, actor, row) for row in rows[:limit] if service.is_seen_by(row, actor)]
    return ModelsBody(items=items, next_cursor=rows[limit - 1].name if len(rows) > limit else None)


@router.post("/models", status_code=201)
async def create_model(request: Request, body: NewModel, actor: ModelManager) -> ModelBody:
    """Add a model of a provider under a name of its own."""
    runtime = _runtime(request)
    wish = ModelWish(**{**body.model_dump(), "aliases": tuple(body.aliases)})
    async with runtime.database.work(actor.scope) as work:
        added = await service.add_model(work, wish, actor)
    return await _model(runtime, actor, added)


@router.patch("/models/{model_id}")
async def change_model(
    request: Request, model_id: UUID, body: ModelChanges, actor: ModelManager
) -> ModelBody:
    """Change a model. New prices hold for calls that begin afterwards."""
    runtime = _runtime(request)
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    async with runtime.database.work(actor.scope) as work:
        changed = await service.change_model(work, model_id, changes, actor)
    return await _model(runtime, actor, changed)


@router.delete("/models/{model_id}", status_code=204)
async def delete_model(request: Request, model_id: UUID, actor: ModelManager) -> None:
    """Remove a model. What it cost stays in the ledger."""
    async with _runtime(request).database.work(actor.scope) as work:
        await service.remove_model(work, model_id, actor)


@router.get("/embedded")
async def read_embedded(request: Request, _actor: Chatter) -> EmbeddedBody:
    """The state of the chat model that runs on this machine."""
    return embedded_body(await _runtime(request).get(Embedded).state())


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _settings(runtime: Runtime) -> GatewaySettings:
    return runtime.settings[GatewaySettings]


def _provider(provider: Provider) -> ProviderBody:
    return ProviderBody(
        id=provider.id,
        name=provider.name,
        kind=provider.kind,
        base_url=provider.base_url,
        has_api_key=provider.has_api_key,
        allow_private=provider.allow_private,
        enabled=provider.enabled,
        created_at=provider.created_at,
    )


async def _is_default(runtime: Runtime, actor: Actor, model: ModelInfo) -> bool:
    try:
        return (await runtime.get(Gateway).default_model(actor)).id == model.id
    except ModelNotFound:
        return False


async def _model(runtime: Runtime, actor: Actor, model: ModelInfo) -> ModelBody:
    provider = model.provider
    if provider.kind == "embedded":
        state = await runtime.get(Embedded).readiness(model.kind, model.upstream_name)
    else:
        state = runtime.get(Gateway).outcomes.of(provider)
    return ModelBody(
        id=model.id,
        name=model.name,
        aliases=list(model.aliases),
        provider_id=provider.id,
        provider_name=provider.name,
        kind=model.kind,
        upstream_name=model.upstream_name,
        context_length=model.context_length,
        max_output=model.max_output,
        input_price=model.price.input,
        output_price=model.price.output,
        request_price=model.price.request,
        enabled=model.enabled,
        restricted=model.restricted,
        demonstration=model.demonstration,
        default=await _is_default(runtime, actor, model),
        state=state,
    )
