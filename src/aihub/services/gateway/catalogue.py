"""Providers and models as the gateway calls them: read once, kept in memory, dropped when they change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from aihub.kernel.auth import Actor
from aihub.kernel.cache import Cache
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, Work, system
from aihub.services.gateway import queries
from aihub.services.gateway.contracts import (
    USE_MODEL,
    ModelInfo,
    ModelKind,
    ModelNotFound,
    ProviderInfo,
    ProviderKind,
    WrongModelKind,
)
from aihub.services.gateway.domain import Price
from aihub.services.gateway.models import Model, Provider
from aihub.services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every provider and model at one moment; `by_name` has aliases too, and only what can be used."""

    providers: Mapping[UUID, ProviderInfo]
    models: tuple[ModelInfo, ...]
    by_name: Mapping[str, ModelInfo]
    restricted: tuple[ModelInfo, ...] = ()

    def seen_by(self, actor: Actor) -> "Snapshot":
        """What there is for this caller: a restricted model exists for those to whom it was given."""
        hidden = {model.id for model in self.restricted if not actor.may(USE_MODEL, model.id)}
        if not hidden:
            return self
        return Snapshot(
            self.providers,
            tuple(model for model in self.models if model.id not in hidden),
            {name: model for name, model in self.by_name.items() if model.id not in hidden},
        )

    def find(self, name: str, kind: ModelKind) -> ModelInfo:
        """The model of this name or alias. Raises ModelNotFound or WrongModelKind."""
        model = self.by_name.get(name)
        if model is None:
            raise ModelNotFound(f"The model '{name}' does not exist or is switched off.")
        if model.kind != kind:
            words = {"chat": "a chat model", "embedding": "an embedding model"}
            raise WrongModelKind(f"'{name}' is {words[model.kind]}.")
        return model


class Catalogue:
    """The present snapshot. Provider keys are in it in clear, so it stays in this process."""

    def __init__(self, database: Database, cache: Cache, crypto: Crypto, settings: GatewaySettings) -> None:
        self._database = database
        self._cache = cache
        self._crypto = crypto
        self._settings = settings

    async def snapshot(self) -> Snapshot:
        """What holds now, in every process within moments of a change."""
        return await self._cache.get("local", "catalogue", self._load)

    async def _load(self) -> Snapshot:
        async with self._database.work(system("read the catalogue")) as work:
            providers = {
                row.id: await provider_info(work, row, self._crypto, self._settings)
                for row in await queries.providers(work)
            }
            models = tuple(model_info(row, providers[row.provider_id]) for row in await queries.models(work))
        usable = [m for m in models if m.usable]
        by_name = {alias: m for m in usable for alias in m.aliases} | {m.name: m for m in usable}
        return Snapshot(providers, models, by_name, tuple(m for m in models if m.restricted))


async def provider_info(work: Work, row: Provider, crypto: Crypto, settings: GatewaySettings) -> ProviderInfo:
    """The row with its key in clear; a key in the environment wins over the stored one."""
    key = environment_key(row, settings)
    if key is None and row.api_key_sealed is not None:
        key = (await crypto.open(work, row.api_key_sealed, context=seal_context(row.id))).decode()
    return replace(without_key(row), api_key=key)


def without_key(row: Provider) -> ProviderInfo:
    """The row for showing, not for calling."""
    return ProviderInfo(
        id=row.id,
        name=row.name,
        kind=cast(ProviderKind, row.kind),
        base_url=row.base_url,
        api_key=None,
        allow_private=row.allow_private,
        enabled=row.enabled,
    )


def model_info(row: Model, provider: ProviderInfo) -> ModelInfo:
    return ModelInfo(
        id=row.id,
        name=row.name,
        aliases=tuple(row.aliases),
        provider=provider,
        kind=cast(ModelKind, row.kind),
        upstream_name=row.upstream_name,
        context_length=row.context_length,
        max_output=row.max_output,
        price=Price(row.input_price, row.output_price, row.request_price),
        enabled=row.enabled,
        created_at=int(row.created_at.timestamp()),
        restricted=row.restricted,
    )


def environment_key(row: Provider, settings: GatewaySettings) -> str | None:
    """The key the environment gives this provider: only under the name and at the address it is meant for."""
    named = {
        "openai": (settings.openai_base_url, settings.openai_api_key),
        "anthropic": (settings.anthropic_base_url, settings.anthropic_api_key),
    }
    base_url, key = named.get(row.name, ("", None))
    return key if row.kind == row.name and row.base_url == base_url.rstrip("/") else None


def seal_context(provider_id: UUID) -> str:
    return f"providers.api_key:{provider_id}"
