"""Setting up providers of sign-in."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.errors import FieldError, InvalidRequest, NotFound
from aihub.kernel.ids import new_id
from aihub.kernel.settings import SettingsError
from aihub.services.identity import queries
from aihub.services.identity.adapters.oidc import Client, OidcProviders, algorithms_of
from aihub.services.identity.contracts import LastAdministrator
from aihub.services.identity.contracts.federation import HandleTaken, IdentityProvider, ProviderFacts
from aihub.services.identity.domain import SUPER_ADMIN
from aihub.services.identity.queries import federation
from aihub.services.identity.service.accounts import known_roles, may_assign
from aihub.services.identity.service.federation.roles import give_back_roles
from aihub.services.identity.settings import IdentitySettings

DEFAULT_SCOPES = ("openid", "profile", "email")
SEEDED = "sso"
"""The short name of the provider that the environment describes."""

_HANDLE = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}", re.ASCII)
_DOMAIN = re.compile(r"(?=.{1,253}$)[^\s@/:]+(\.[^\s@/:]+)+")


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """What shall be different; None leaves a thing as it is. An empty secret takes the secret away."""

    name: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scopes: Collection[str] | None = None
    enabled: bool | None = None
    allow_private: bool | None = None
    create_accounts: bool | None = None
    trust_addresses: bool | None = None
    domains: Collection[str] | None = None
    group_claim: str | None = None
    groups: Mapping[str, Collection[str]] | None = None


async def list_providers(work: Work) -> list[IdentityProvider]:
    """Every provider, by name."""
    return await federation.providers(work)


async def find_provider(work: Work, provider_id: UUID) -> IdentityProvider:
    """Raises NotFound."""
    found = await federation.provider(work, provider_id)
    if found is None:
        raise NotFound("There is no such provider.")
    return found


async def create_provider(
    work: Work, crypto: Crypto, actor: Actor, *, handle: str, issuer: str, change: ProviderChange
) -> IdentityProvider:
    """Set up a provider. Its handle and issuer stay as they are from now on.

    Raises InvalidRequest, HandleTaken, or BeyondOwnPermissions for roles that the actor cannot give.
    """
    if not _HANDLE.fullmatch(handle):
        raise _invalid("handle", "has 1 to 40 small letters, digits and hyphens, none of them at its ends")
    _check_issuer(issuer, allow_private=bool(change.allow_private))
    values = _values(replace(change, scopes=DEFAULT_SCOPES if change.scopes is None else change.scopes))
    if not values.get("client_id"):
        raise _invalid("client_id", "is needed")
    await _may_map(work, actor, change.groups or {})
    if any(known.issuer == issuer for known in await federation.providers(work)):
        raise HandleTaken(errors=[FieldError("issuer", "is set up already", "taken")])
    provider_id = new_id()
    values.setdefault("name", handle)
    if not await federation.insert_provider(work, provider_id, handle=handle, issuer=issuer, **values):
        raise HandleTaken(errors=[FieldError("handle", "is taken", "taken")])
    await _keep_secret(work, crypto, provider_id, change.client_secret)
    await federation.set_groups(work, provider_id, change.groups or {})
    details = {"handle": handle, "issuer": issuer} | _told(values, change)
    await _record(work, actor, "identity_provider.create", provider_id, details)
    return await find_provider(work, provider_id)


async def update_provider(
    work: Work, crypto: Crypto, actor: Actor, provider_id: UUID, change: ProviderChange
) -> IdentityProvider:
    """Change a provider. It holds for the next sign-in, in every process.

    Whoever changes one must be able to give every role that it gives, before and after: who decides what
    a group is decides who gets its roles. Raises NotFound, InvalidRequest or BeyondOwnPermissions.
    """
    if not await federation.lock_provider(work, provider_id):
        raise NotFound("There is no such provider.")
    before = await find_provider(work, provider_id)
    await _may_map(work, actor, before.groups)
    if change.groups is not None:
        await _may_map(work, actor, change.groups)
    values = _values(change)
    private = before.allow_private if change.allow_private is None else change.allow_private
    _check_issuer(before.issuer, allow_private=private, field_name="allow_private")
    if values:
        await federation.update_provider(work, provider_id, **values)
    await _keep_secret(work, crypto, provider_id, change.client_secret)
    if change.groups is not None:
        await federation.set_groups(work, provider_id, change.groups)
    told = {"handle": before.handle} | _told(values, change)
    await _record(work, actor, "identity_provider.update", provider_id, told)
    return await find_provider(work, provider_id)


async def delete_provider(work: Work, actor: Actor, provider_id: UUID) -> None:
    """Forget a provider with its links, and take the roles that it gave.

    Raises NotFound, BeyondOwnPermissions, or LastAdministrator when no super_admin would be left.
    """
    await queries.lock_administrators(work)
    if not await federation.lock_provider(work, provider_id):
        raise NotFound("There is no such provider.")
    provider = await find_provider(work, provider_id)
    await _may_map(work, actor, provider.groups)
    administered = await queries.administrator_exists(work)
    taken = await give_back_roles(work, provider)
    if administered and not await queries.administrator_exists(work):
        raise LastAdministrator(f"The last {SUPER_ADMIN} is one because this provider says so.")
    await federation.delete_provider(work, provider_id)
    details = {"handle": provider.handle, "issuer": provider.issuer, "links": provider.linked, "roles": taken}
    await _record(work, actor, "identity_provider.delete", provider_id, details)


async def client_of(work: Work, crypto: Crypto, provider: IdentityProvider) -> Client:
    """How the hub speaks with this provider."""
    sealed = await federation.sealed_secret(work, provider.id)
    secret = None
    if sealed is not None:
        secret = (await crypto.open(work, sealed, context=_place(provider.id))).decode()
    return Client(provider.issuer, provider.client_id, secret, provider.scopes, provider.allow_private)


async def check_provider(providers: OidcProviders, client: Client) -> ProviderFacts:
    """Read what the provider publishes, now. Raises FederationError or FederationAddress."""
    fresh = OidcProviders(providers.resolver)
    metadata = await fresh.metadata(client)
    keys = await fresh.keys(client)
    return ProviderFacts(metadata.authorization_endpoint, len(keys), algorithms_of(keys))


async def seed_provider(work: Work, crypto: Crypto, settings: IdentitySettings) -> None:
    """Set up the provider that the environment describes; safe at every start of every process.

    The environment wins over what is stored of its issuer, client id and secret; the rest is for
    administrators. New people get accounts unless one of them says otherwise. Raises SettingsError.
    """
    issuer, client_id = settings.oidc_issuer, settings.oidc_client_id
    if not issuer and not client_id:
        return
    if not issuer or not client_id:
        raise SettingsError("OIDC_ISSUER and OIDC_CLIENT_ID are needed together.")
    try:
        _check_issuer(issuer, allow_private=True)
    except InvalidRequest as exc:
        raise SettingsError(f"OIDC_ISSUER {exc.errors[0].message}.") from exc
    before = await federation.provider_by_handle(work, SEEDED)
    if before is None:
        await federation.insert_provider(
            work,
            new_id(),
            handle=SEEDED,
            name="Single sign-on",
            issuer=issuer,
            client_id=client_id,
            scopes=list(DEFAULT_SCOPES),
            # Whoever sets the environment may call every address from here anyway.
            allow_private=True,
            create_accounts=True,
        )
    provider = await federation.provider_by_handle(work, SEEDED)
    if provider is None:
        raise RuntimeError("the provider of the environment vanished while it was read")
    client = await client_of(work, crypto, provider)
    values = {"issuer": issuer, "client_id": client_id}
    changed = (provider.issuer, provider.client_id) != (issuer, client_id)
    if changed:
        await federation.update_provider(work, provider.id, **values)
    if client.client_secret != settings.oidc_client_secret:
        await _keep_secret(work, crypto, provider.id, settings.oidc_client_secret or "")
        changed = True
    if changed:
        action = "identity_provider.create" if before is None else "identity_provider.update"
        await _record(work, None, action, provider.id, {"handle": SEEDED, **values})


def _values(change: ProviderChange) -> dict[str, Any]:
    """The columns to write. Raises InvalidRequest."""
    plain = ("name", "client_id", "enabled", "allow_private", "create_accounts", "trust_addresses")
    values = {name: getattr(change, name) for name in plain if getattr(change, name) is not None}
    if change.scopes is not None:
        if wrong := sorted(scope for scope in change.scopes if not _SCOPE.fullmatch(scope)):
            raise _invalid("scopes", f"no scope: {wrong[0][:40]}")
        values["scopes"] = list(dict.fromkeys(("openid", *change.scopes)))
    if change.domains is not None:
        domains = [domain.strip().lower().removeprefix("@") for domain in change.domains]
        if wrong := [domain for domain in domains if not _DOMAIN.fullmatch(domain)]:
            raise _invalid("domains", f"no domain: {wrong[0][:40]}")
        values["domains"] = sorted(set(domains))
    if change.group_claim is not None:
        values["group_claim"] = change.group_claim.strip() or None
    return values


def _check_issuer(issuer: str, *, allow_private: bool, field_name: str = "issuer") -> None:
    try:
        parts = urlsplit(issuer)
        fits = bool(parts.hostname) and not (
            parts.query or parts.fragment or parts.username or parts.password
        )
    except ValueError:
        raise _invalid(field_name, "is not a URL") from None
    if not fits or parts.scheme not in ("http", "https"):
        raise _invalid(field_name, "is an address such as https://login.example.org/realms/team")
    if parts.scheme == "http" and not allow_private:
        raise _invalid(field_name, "an http address can only be used while private addresses are allowed")


async def _may_map(work: Work, actor: Actor, groups: Mapping[str, Collection[str]]) -> None:
    """Raises InvalidRequest for an unknown role, and BeyondOwnPermissions."""
    names = {name for given in groups.values() for name in given}
    if names:
        may_assign(actor, await known_roles(work, names))


async def _keep_secret(work: Work, crypto: Crypto, provider_id: UUID, secret: str | None) -> None:
    if secret is None:
        return
    sealed = await crypto.seal(work, secret.encode(), context=_place(provider_id)) if secret else None
    await federation.update_provider(work, provider_id, client_secret=sealed)


def _place(provider_id: UUID) -> str:
    return f"identity_provider:{provider_id}"


def _told(values: Mapping[str, Any], change: ProviderChange) -> dict[str, object]:
    told: dict[str, object] = dict(values)
    if change.client_secret is not None:
        told["client_secret"] = "set" if change.client_secret else "removed"
    if change.groups is not None:
        told["groups"] = {group: sorted(names) for group, names in change.groups.items()}
    return told


async def _record(
    work: Work, actor: Actor | None, action: str, provider_id: UUID, details: dict[str, object]
) -> None:
    await audit.record(
        work,
        actor=actor,
        action=action,
        target_kind="identity_provider",
        target_id=str(provider_id),
        details=details,
    )


def _invalid(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(name, message)])
