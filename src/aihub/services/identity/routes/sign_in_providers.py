"""Setting up the providers that people sign in with, for administrators."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, requires
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.services.identity.adapters.oidc import OidcProviders
from aihub.services.identity.contracts import Line
from aihub.services.identity.contracts.federation import IdentityProvider
from aihub.services.identity.routes.ways import runtime_of
from aihub.services.identity.service import federation, fresh
from aihub.services.identity.service.federation import ProviderChange

router = APIRouter(prefix="/api/v1", tags=["identity"])

_SCOPE = system("set up sign-in providers")
Keeper = Annotated[Actor, fresh("sso:manage")]
ShortName = Annotated[Line, Field(min_length=1, max_length=40)]
Issuer = Annotated[Line, Field(min_length=1, max_length=500)]
Named = Annotated[Line, Field(min_length=1, max_length=100)]
ClientId = Annotated[Line, Field(min_length=1, max_length=300)]
Secret = Annotated[str, Field(max_length=1000)]
Words = Annotated[list[Annotated[Line, Field(min_length=1, max_length=253)]], Field(max_length=100)]


class GroupBody(BaseModel):
    """The roles that the people of a group get."""

    group: Annotated[Line, Field(min_length=1, max_length=300)]
    roles: Annotated[list[Annotated[Line, Field(max_length=100)]], Field(min_length=1, max_length=50)]


Groups = Annotated[list[GroupBody], Field(max_length=500)]


class SignInProviderBody(BaseModel):
    """A provider. `redirect_path` is what the provider has to know of this hub, after its address."""

    id: UUID
    handle: str
    name: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: list[str]
    enabled: bool
    allow_private: bool
    create_accounts: bool
    trust_addresses: bool
    domains: list[str]
    group_claim: str | None
    groups: list[GroupBody]
    linked: int
    redirect_path: str
    created_at: datetime


class SignInProvidersBody(BaseModel):
    items: list[SignInProviderBody]
    next_cursor: str | None = None


class SignInProviderChange(BaseModel):
    """What is left out stays as it is. An empty `client_secret` or `group_claim` takes it away."""

    name: Named | None = None
    client_id: ClientId | None = None
    client_secret: Secret | None = None
    scopes: Words | None = None
    enabled: bool | None = None
    allow_private: bool | None = None
    create_accounts: bool | None = None
    trust_addresses: bool | None = None
    domains: Words | None = None
    group_claim: Annotated[Line, Field(max_length=200)] | None = None
    groups: Groups | None = None


class SignInProviderRequest(SignInProviderChange):
    handle: ShortName
    issuer: Issuer
    client_id: ClientId


class SignInProviderFacts(BaseModel):
    """What a provider publishes at this moment."""

    authorization_endpoint: str
    keys: int
    algorithms: list[str]


@router.get("/sign-in-providers", dependencies=[requires("sso:read")])
async def list_sign_in_providers(request: Request) -> SignInProvidersBody:
    """Every provider that people may sign in with, without secrets."""
    async with runtime_of(request).database.work(_SCOPE) as work:
        found = await federation.list_providers(work)
    return SignInProvidersBody(items=[provider_body(provider) for provider in found])


@router.post("/sign-in-providers", status_code=201)
async def create_sign_in_provider(
    request: Request, body: SignInProviderRequest, actor: Keeper
) -> SignInProviderBody:
    """Set up a provider. Its short name and issuer stay as they are."""
    runtime = runtime_of(request)
    async with runtime.database.work(_SCOPE) as work:
        made = await federation.create_provider(
            work,
            runtime.get(Crypto),
            actor,
            handle=body.handle,
            issuer=body.issuer,
            change=_change(body),
        )
    return provider_body(made)


@router.patch("/sign-in-providers/{sign_in_provider_id}")
async def change_sign_in_provider(
    request: Request, sign_in_provider_id: UUID, body: SignInProviderChange, actor: Keeper
) -> SignInProviderBody:
    """Change a provider. It needs every permission of the roles that its groups get."""
    runtime = runtime_of(request)
    async with runtime.database.work(_SCOPE) as work:
        changed = await federation.update_provider(
            work, runtime.get(Crypto), actor, sign_in_provider_id, _change(body)
        )
    return provider_body(changed)


@router.delete("/sign-in-providers/{sign_in_provider_id}", status_code=204)
async def delete_sign_in_provider(request: Request, sign_in_provider_id: UUID, actor: Keeper) -> None:
    """Forget a provider. Nobody signs in with it any more, and the roles that it gave are taken."""
    async with runtime_of(request).database.work(_SCOPE) as work:
        await federation.delete_provider(work, actor, sign_in_provider_id)


@router.post(
    "/sign-in-providers/{sign_in_provider_id}/check",
    dependencies=[requires("sso:manage")],
    responses={502: {}},
)
async def check_sign_in_provider(request: Request, sign_in_provider_id: UUID) -> SignInProviderFacts:
    """Read what the provider publishes, now: whether it can be reached and is the one that was set up."""
    runtime = runtime_of(request)
    async with runtime.database.work(_SCOPE) as work:
        provider = await federation.find_provider(work, sign_in_provider_id)
        client = await federation.client_of(work, runtime.get(Crypto), provider)
    facts = await federation.check_provider(runtime.get(OidcProviders), client)
    return SignInProviderFacts(
        authorization_endpoint=facts.authorization_endpoint,
        keys=facts.keys,
        algorithms=list(facts.algorithms),
    )


def provider_body(provider: IdentityProvider) -> SignInProviderBody:
    return SignInProviderBody(
        id=provider.id,
        handle=provider.handle,
        name=provider.name,
        issuer=provider.issuer,
        client_id=provider.client_id,
        has_secret=provider.has_secret,
        scopes=list(provider.scopes),
        enabled=provider.enabled,
        allow_private=provider.allow_private,
        create_accounts=provider.create_accounts,
        trust_addresses=provider.trust_addresses,
        domains=list(provider.domains),
        group_claim=provider.group_claim,
        groups=[GroupBody(group=group, roles=list(roles)) for group, roles in provider.groups.items()],
        linked=provider.linked,
        redirect_path=f"/api/v1/session/oidc/{provider.handle}/callback",
        created_at=provider.created_at,
    )


def _change(body: SignInProviderChange) -> ProviderChange:
    groups = None if body.groups is None else {each.group: each.roles for each in body.groups}
    return ProviderChange(
        name=body.name,
        client_id=body.client_id,
        client_secret=body.client_secret,
        scopes=body.scopes,
        enabled=body.enabled,
        allow_private=body.allow_private,
        create_accounts=body.create_accounts,
        trust_addresses=body.trust_addresses,
        domains=body.domains,
        group_claim=body.group_claim,
        groups=groups,
    )
