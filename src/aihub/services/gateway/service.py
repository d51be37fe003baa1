"""What is decided about providers and models. Calls are made through `Gateway`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, InvalidRequest, NotFound
from aihub.kernel.ids import new_id
from aihub.services.gateway import known_models, models, queries
from aihub.services.gateway.adapters import addresses
from aihub.services.gateway.adapters.addresses import Resolver
from aihub.services.gateway.adapters.embedded.endpoint import discover
from aihub.services.gateway.catalogue import (
    environment_key,
    model_info,
    provider_info,
    seal_context,
    without_key,
)
from aihub.services.gateway.contracts import (
    SHARE_MODEL,
    USE_MODEL,
    BuiltInProvider,
    ModelInfo,
    ModelWish,
    NameTaken,
    Provider,
    ProviderInfo,
    ProviderKind,
    ProviderUnreachable,
    ProviderWish,
)
from aihub.services.gateway.domain import name_problem
from aihub.services.gateway.flight import Flight
from aihub.services.gateway.gateway import Gateway
from aihub.services.gateway.seeds import seed_catalogue
from aihub.services.gateway.settings import ANTHROPIC_URL, OPENAI_URL, GatewaySettings

__all__ = [
    "ANTHROPIC_URL",
    "OPENAI_URL",
    "Flight",
    "Gateway",
    "GatewaySettings",
    "add_model",
    "add_provider",
    "change_model",
    "change_provider",
    "discover",
    "find_model",
    "is_seen_by",
    "judge_address",
    "list_models",
    "list_providers",
    "provider_to_test",
    "read_provider",
    "remove_model",
    "remove_provider",
    "seed_catalogue",
]

_PUBLIC: dict[ProviderKind, str] = {"openai": OPENAI_URL, "anthropic": ANTHROPIC_URL}


async def judge_address(
    base_url: str, *, allow_private: bool, resolver: Resolver = addresses.resolve
) -> None:
    """Refuse an address the hub must not call, before it is stored; it is judged again at every call.

    Looks names up, so it is called outside of a unit of work. A name that has no address now may get
    one. Raises AddressRefused.
    """
    try:
        await addresses.check(base_url, allow_private=allow_private, resolver=resolver)
    except ProviderUnreachable:
        return


async def list_providers(
    work: Work, settings: GatewaySettings, *, after: str | None, limit: int
) -> Sequence[Provider]:
    """Providers by name, those after `after`."""
    return [_seen(row, settings) for row in await queries.providers(work, after=after, limit=limit)]


async def read_provider(work: Work, settings: GatewaySettings, provider_id: UUID) -> Provider:
    """Raises NotFound."""
    return _seen(_found(await queries.provider(work, provider_id)), settings)


async def provider_to_test(
    work: Work, crypto: Crypto, settings: GatewaySettings, provider_id: UUID
) -> ProviderInfo:
    """The provider with its key in clear. Raises NotFound."""
    return await provider_info(work, _found(await queries.provider(work, provider_id)), crypto, settings)


async def add_provider(
    work: Work, crypto: Crypto, settings: GatewaySettings, wish: ProviderWish, actor: Actor | None
) -> Provider:
    """Add a provider whose address was judged. Raises NameTaken and InvalidRequest."""
    if wish.kind == "embedded":
        raise InvalidRequest(errors=[FieldError("kind", "there is one embedded provider, and it exists")])
    await _require_free_provider_name(work, wish.name)
    row = models.Provider(
        id=new_id(),
        name=wish.name,
        kind=wish.kind,
        base_url=(wish.base_url or _PUBLIC[wish.kind]).rstrip("/"),
        allow_private=wish.allow_private,
    )
    if wish.api_key:
        row.api_key_sealed = await _sealed(work, crypto, row.id, wish.api_key)
    await queries.add(work, row)
    await _record(work, actor, "provider.create", row, {"kind": row.kind, "base_url": row.base_url})
    return _seen(row, settings)


async def change_provider(
    work: Work,
    crypto: Crypto,
    settings: GatewaySettings,
    provider_id: UUID,
    changes: Mapping[str, Any],
    actor: Actor | None,
) -> Provider:
    """Change name, base_url, api_key (None removes it), allow_private or enabled.

    A new address needs the key again: a stored key is never sent where its owner did not send it.
    Raises NotFound, NameTaken, BuiltInProvider and InvalidRequest.
    """
    row = _found(await queries.provider_to_change(work, provider_id))
    if row.kind == "embedded" and not set(changes) <= {"enabled"}:
        raise BuiltInProvider("Only 'enabled' can be changed.")
    before = _state(row)
    if changes.get("name", row.name) != row.name:
        await _require_free_provider_name(work, changes["name"])
        row.name = changes["name"]
    if "base_url" in changes:
        moved = changes["base_url"].rstrip("/") != row.base_url
        if moved and row.api_key_sealed is not None and "api_key" not in changes:
            raise InvalidRequest(errors=[FieldError("api_key", "a new address needs the API key again")])
        row.base_url = changes["base_url"].rstrip("/")
    if "api_key" in changes:
        key = changes["api_key"]
        row.api_key_sealed = await _sealed(work, crypto, row.id, key) if key else None
    row.allow_private = changes.get("allow_private", row.allow_private)
    row.enabled = changes.get("enabled", row.enabled)
    await queries.store(work, row)
    await _record(work, actor, "provider.change", row, {}, before, _state(row))
    return _seen(row, settings)


async def remove_provider(work: Work, provider_id: UUID, actor: Actor | None) -> None:
    """Remove a provider and its models. Raises NotFound and BuiltInProvider."""
    row = _found(await queries.provider_to_change(work, provider_id))
    if row.kind == "embedded":
        raise BuiltInProvider()
    count = await queries.count_models(work, row.id)
    await queries.delete(work, row)
    await _record(work, actor, "provider.remove", row, {"models": count})


async def list_models(work: Work, *, after: str | None, limit: int) -> Sequence[ModelInfo]:
    """Models by name, those after `after`, with their providers."""
    return await _with_providers(work, await queries.models(work, after=after, limit=limit))


async def find_model(work: Work, text: str) -> ModelInfo | None:
    """The model with this id, name or alias, whether it can be used or not."""
    try:
        row = await queries.model(work, UUID(text))
    except ValueError:
        row = await queries.model_called(work, text)
    return (await _with_providers(work, [row]))[0] if row is not None else None


def is_seen_by(model: ModelInfo, actor: Actor) -> bool:
    """Whether a list of models shows it: a restricted one to those who may use, share or change it."""
    return not model.restricted or any(
        actor.may(permission, model.id) for permission in (USE_MODEL, SHARE_MODEL, "models:manage")
    )


async def add_model(work: Work, wish: ModelWish, actor: Actor | None) -> ModelInfo:
    """Add a model. Raises NameTaken and InvalidRequest."""
    provider = await queries.provider(work, wish.provider_id)
    if provider is None:
        raise InvalidRequest(errors=[FieldError("provider_id", "there is no such provider")])
    await _require_free_names(work, wish.name, wish.aliases, None)
    known = known_models.about(wish.upstream_name, wish.kind)
    row = models.Model(
        id=new_id(),
        name=wish.name,
        aliases=list(wish.aliases),
        provider_id=wish.provider_id,
        kind=wish.kind,
        upstream_name=wish.upstream_name,
        context_length=_or(wish.context_length, known.context_length),
        max_output=_or(wish.max_output, known.max_output),
        input_price=_or(wish.input_price, known.price.input),
        output_price=_or(wish.output_price, known.price.output),
        request_price=_or(wish.request_price, known.price.request),
        enabled=wish.enabled,
        restricted=wish.restricted,
    )
    await queries.add(work, row)
    details = {"provider": provider.name, "upstream_name": row.upstream_name, **_prices(row)}
    await _record(work, actor, "model.create", row, details)
    return (await _with_providers(work, [row]))[0]


async def change_model(
    work: Work, model_id: UUID, changes: Mapping[str, Any], actor: Actor | None
) -> ModelInfo:
    """Change any field of a model but its provider. Raises NotFound and NameTaken."""
    row = await queries.model_to_change(work, model_id)
    if row is None:
        raise NotFound("There is no such model.")
    name, aliases = changes.get("name", row.name), changes.get("aliases", row.aliases)
    if (name, list(aliases)) != (row.name, row.aliases):
        await _require_free_names(work, name, aliases, row.id)
    before = {field: getattr(row, field) for field in changes} | _prices(row)
    for field, value in changes.items():
        setattr(row, field, list(value) if field == "aliases" else value)
    await queries.store(work, row)
    after = {field: getattr(row, field) for field in changes} | _prices(row)
    await _record(work, actor, "model.change", row, {}, before, after)
    return (await _with_providers(work, [row]))[0]


async def remove_model(work: Work, model_id: UUID, actor: Actor | None) -> None:
    """Remove a model. Raises NotFound."""
    row = await queries.model_to_change(work, model_id)
    if row is None:
        raise NotFound("There is no such model.")
    await queries.delete(work, row)
    await _record(work, actor, "model.remove", row, {})


async def _require_free_provider_name(work: Work, name: str) -> None:
    await queries.lock_names(work)
    if await queries.provider_named(work, name) is not None:
        raise NameTaken(f"There is a provider named '{name}'.")


async def _require_free_names(work: Work, name: str, aliases: Sequence[str], besides: UUID | None) -> None:
    names = [name, *aliases]
    errors = [
        FieldError("name" if index == 0 else f"aliases.{index - 1}", problem)
        for index, text in enumerate(names)
        if (problem := name_problem(text))
    ]
    if len(set(names)) != len(names):
        errors.append(FieldError("aliases", "each name once"))
    if errors:
        raise InvalidRequest(errors=errors)
    await queries.lock_names(work)
    if taken := await queries.names_taken(work, names, besides):
        raise NameTaken(f"Another model is called {', '.join(taken)}.")


async def _with_providers(work: Work, rows: Sequence[models.Model]) -> list[ModelInfo]:
    providers = await queries.providers_by_id(work, [row.provider_id for row in rows])
    return [model_info(row, without_key(providers[row.provider_id])) for row in rows]


async def _sealed(work: Work, crypto: Crypto, provider_id: UUID, key: str) -> bytes:
    return await crypto.seal(work, key.encode(), context=seal_context(provider_id))


async def _record(
    work: Work,
    actor: Actor | None,
    action: str,
    row: models.Provider | models.Model,
    details: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    kind = action.partition(".")[0]
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind=kind,
        target_id=str(row.id),
        details={"name": row.name, **details},
        before=before,
        after=after,
    )


def _state(row: models.Provider) -> dict[str, object]:
    """What the audit trail compares; the key shows as changed and never as itself."""
    return {
        "name": row.name,
        "base_url": row.base_url,
        "api_key": row.api_key_sealed,
        "allow_private": row.allow_private,
        "enabled": row.enabled,
    }


def _seen(row: models.Provider, settings: GatewaySettings) -> Provider:
    return Provider(
        id=row.id,
        name=row.name,
        kind=cast(ProviderKind, row.kind),
        base_url=row.base_url,
        has_api_key=row.api_key_sealed is not None or environment_key(row, settings) is not None,
        allow_private=row.allow_private,
        enabled=row.enabled,
        created_at=row.created_at,
    )


def _prices(row: models.Model) -> dict[str, str]:
    names = ("input_price", "output_price", "request_price")
    return {name: f"{Decimal(getattr(row, name)).scaleb(-6):f} credits" for name in names}


def _found(row: models.Provider | None) -> models.Provider:
    if row is None:
        raise NotFound("There is no such provider.")
    return row


def _or(given: int | None, default: int | None) -> Any:
    return default if given is None else given
