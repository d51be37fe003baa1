"""The providers and models a hub has from its first start on, and those the environment names."""

from pathlib import Path
from typing import TYPE_CHECKING

from aihub.kernel import audit
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id
from aihub.services.gateway import known_models, own_models, queries
from aihub.services.gateway.adapters.embedded import choice
from aihub.services.gateway.contracts import EMBEDDING_MODEL, ModelKind, ProviderKind
from aihub.services.gateway.domain import Price
from aihub.services.gateway.known_models import Known, about
from aihub.services.gateway.models import Model, Provider
from aihub.services.gateway.settings import ANTHROPIC_URL, OPENAI_URL, GatewaySettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

_FREE_EMBEDDING = Known(512, None, Price())


async def seed_catalogue(work: Work, runtime: "Runtime") -> None:
    """Add what is missing; safe to run at every start of every process.

    Models come with their provider, once: one that was removed stays away. The environment wins over
    what is stored where it says something: its keys, addresses and OPENAI_MODEL.
    """
    settings = runtime.settings[GatewaySettings]
    await _seed_embedded(work, settings, runtime.kernel.home)
    if settings.openai_api_key:
        provider = await _seed_provider(
            work, "openai", settings.openai_base_url, OPENAI_URL, known_models.OPENAI, "chat"
        )
        await _seed_model(work, provider, settings.openai_model, "chat")
        await _seed_model(work, provider, settings.openai_embedding_model, "embedding")
    if settings.anthropic_api_key:
        await _seed_provider(
            work, "anthropic", settings.anthropic_base_url, ANTHROPIC_URL, known_models.ANTHROPIC, "chat"
        )


async def _seed_embedded(work: Work, settings: GatewaySettings, home: Path) -> None:
    provider, fresh = await _provider(work, "embedded", None, allow_private=False)
    if fresh:
        await own_models.enter(work, provider, None, None, chosen=False)
        await _add(work, provider, "all-minilm-l6-v2", [], "embedding", EMBEDDING_MODEL, _FREE_EMBEDDING)
    own = choice.own_file(home, settings.embedded_gguf)
    if own is not None:
        await own_models.enter(work, provider, own, None, chosen=False)


async def _seed_provider(
    work: Work,
    kind: ProviderKind,
    base_url: str,
    public_url: str,
    known: dict[str, Known],
    model_kind: ModelKind,
) -> Provider:
    elsewhere = base_url.rstrip("/") != public_url
    provider, fresh = await _provider(work, kind, base_url.rstrip("/"), allow_private=elsewhere)
    if elsewhere and provider.base_url != base_url.rstrip("/"):
        provider.base_url, provider.allow_private = base_url.rstrip("/"), True
        await queries.store(work, provider)
    if fresh and not elsewhere:
        for name, facts in known.items():
            await _add(work, provider, name, [], model_kind, name, facts)
    return provider


async def _seed_model(work: Work, provider: Provider, name: str, kind: ModelKind) -> None:
    await _add(work, provider, name, [], kind, name, about(name, kind))


async def _provider(
    work: Work, kind: ProviderKind, base_url: str | None, *, allow_private: bool
) -> tuple[Provider, bool]:
    """The provider named like its kind, and whether it was made just now."""
    wish = Provider(id=new_id(), name=kind, kind=kind, base_url=base_url, allow_private=allow_private)
    fresh = await queries.insert_provider_if_absent(work, wish)
    provider = await queries.provider_named(work, kind)
    if provider is None:
        raise RuntimeError(f"the provider {kind} vanished while it was read")
    if fresh:
        await audit.record(
            work,
            actor=None,
            action="provider.create",
            target_kind="provider",
            target_id=str(provider.id),
            details={"name": kind, "kind": kind, "base_url": base_url},
        )
    return provider, fresh


async def _add(
    work: Work,
    provider: Provider,
    name: str,
    aliases: list[str],
    kind: ModelKind,
    upstream_name: str,
    known: Known,
) -> None:
    await queries.lock_names(work)
    taken = set(await queries.names_taken(work, [name, *aliases], None))
    if name in taken:
        return
    row = Model(
        id=new_id(),
        name=name,
        aliases=[alias for alias in aliases if alias not in taken],
        provider_id=provider.id,
        kind=kind,
        upstream_name=upstream_name,
        context_length=known.context_length,
        max_output=known.max_output,
        input_price=known.price.input,
        output_price=known.price.output,
        request_price=known.price.request,
    )
    await queries.add(work, row)
