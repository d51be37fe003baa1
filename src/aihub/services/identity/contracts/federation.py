"""Shapes and errors of sign-in through OpenID Connect providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from aihub.kernel.errors import AihubError, Conflict, Forbidden, InvalidRequest, NotAuthenticated, NotFound

Purpose = Literal["sign-in", "link", "proof"]
Step = Literal["link", "code"]


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A provider as administrators set it up, without its secret.

    `groups`: for each group of the provider the roles its people get. `trust_addresses`: an address counts
    as verified when the provider says nothing about that. `domains`: empty means any.
    """

    id: UUID
    handle: str
    name: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: tuple[str, ...]
    enabled: bool
    allow_private: bool
    create_accounts: bool
    trust_addresses: bool
    domains: tuple[str, ...]
    group_claim: str | None
    groups: Mapping[str, tuple[str, ...]]
    linked: int
    """How many accounts can sign in with it."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it was. `email` is one that it vouches for, or None.

    `strong`: more than a password was shown there. `proved_at`: when, where the provider says so.
    """

    subject: str
    email: str | None
    name: str
    groups: frozenset[str]
    strong: bool
    proved_at: datetime | None
    claimed_email: str | None = None
    """The address the provider gave, vouched for or not."""

    def stored(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "email": self.email,
            "name": self.name,
            "groups": sorted(self.groups),
            "strong": self.strong,
            "proved_at": self.proved_at.isoformat() if self.proved_at else None,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Identity":
        at = stored["proved_at"]
        return cls(
            stored["subject"],
            stored["email"],
            stored["name"],
            frozenset(stored["groups"]),
            stored["strong"],
            datetime.fromisoformat(at) if at else None,
            stored["email"],
        )


@dataclass(frozen=True, slots=True)
class LinkedSignIn:
    """An account at a provider that signs in to one here."""

    id: UUID
    owner_id: UUID
    provider_id: UUID
    handle: str
    provider: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody who was sent to a provider and came back."""

    provider_id: UUID
    purpose: Purpose
    owner_id: UUID | None
    session_id: UUID | None
    redirect_uri: str
    next_path: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who came back and has one more step to take."""

    id: UUID
    provider_id: UUID
    provider: str
    step: Step
    owner_id: UUID | None
    identity: Identity
    next_path: str


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What a check of a provider found."""

    authorization_endpoint: str
    keys: int
    algorithms: tuple[str, ...] = field(default_factory=tuple)


class ProviderUnknown(NotFound):
    code = "federation.provider_unknown"
    title = "There is no such way to sign in"
    remedy = "Reload the sign-in page and choose one that it shows."


class AttemptInvalid(Forbidden):
    code = "federation.attempt_invalid"
    title = "This sign-in has run out or was used already"
    remedy = "Begin again on the sign-in page, and finish within ten minutes in the same browser."


class ProviderDenied(NotAuthenticated):
    code = "federation.denied"
    title = "The provider did not sign you in"
    remedy = "Try again. If it stays so, ask whoever runs the provider whether you may use this hub."


class FederationError(AihubError):
    """Any failure on the side of the provider."""

    code = "federation.provider_error"
    status = 502
    title = "The sign-in provider does not work as it should"
    remedy = "Try again in a minute, or sign in another way. An administrator can check the provider."


class FederationUnreachable(FederationError):
    code = "federation.provider_unreachable"
    status = 503
    title = "The sign-in provider cannot be reached"
    remedy = "Try again in a minute, or sign in another way."


class FederationUnfit(FederationError):
    code = "federation.provider_unfit"
    title = "The sign-in provider's answer does not fit"
    remedy = "Tell an administrator: the provider's settings here and there have to be compared."


class IssuerChanged(FederationError):
    code = "federation.issuer_changed"
    title = "The provider calls itself by another name than the one set up here"
    remedy = "Tell an administrator. The issuer has to be exactly the one that the provider publishes."


class TokenRefused(NotAuthenticated):
    code = "federation.token_refused"
    title = "The provider's proof of who you are did not hold"
    remedy = "Begin again. If it stays so, tell an administrator: somebody may be interfering."


class EmailUnverified(Forbidden):
    code = "federation.email_unverified"
    title = "The provider does not vouch for your e-mail address"
    remedy = "Confirm your address at the provider, then sign in again."


class EmailMissing(Forbidden):
    code = "federation.email_missing"
    title = "The provider did not say your e-mail address"
    remedy = "Allow it at the provider, or ask an administrator to request the scope 'email'."


class NoAccount(Forbidden):
    code = "federation.no_account"
    title = "You have no account on this hub yet"
    remedy = "Ask an administrator for an invitation; afterwards you can link this way to sign in."


class DomainRefused(Forbidden):
    code = "federation.domain_refused"
    title = "Accounts are not made for addresses like yours"
    remedy = "Use the address of your organisation, or ask an administrator for an invitation."


class AccountInactive(Forbidden):
    code = "federation.account_inactive"
    title = "Your account on this hub is deactivated"
    remedy = "Ask an administrator to activate it."


class LinkTaken(Conflict):
    code = "federation.link_taken"
    title = "This account at the provider is linked to another account here"
    remedy = "Unlink it there first, or use another account at the provider."


class LastWayIn(Conflict):
    code = "federation.last_way"
    title = "This is your last way to sign in"
    remedy = "Set a password or add a passkey first."


class ProofStale(NotAuthenticated):
    code = "federation.proof_stale"
    title = "The provider did not ask you again"
    remedy = "Use another proof, such as a passkey; or sign out and in again."


class ProofOfAnother(NotAuthenticated):
    code = "federation.proof_of_another"
    title = "The provider signed in somebody else"
    remedy = "Sign in there with the account that is linked to this one."


class HandleTaken(Conflict):
    code = "federation.handle_taken"
    title = "There is already a provider with this short name or issuer"
    remedy = "Choose another short name, or change the provider that is there."


class FederationAddress(InvalidRequest):
    code = "federation.address_refused"
    title = "The hub does not call this address"
    remedy = (
        "Use the public https address of the provider. For one in your own network, allow private addresses."
    )


class InsecureHub(Conflict):
    code = "federation.hub_address"
    title = "Providers cannot send people back to this address"
    remedy = "Open the hub at the address in AIHUB_PUBLIC_URL, or set that to the address you use."
