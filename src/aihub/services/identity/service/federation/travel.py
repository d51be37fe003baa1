"""To a provider and back: what leaves in the address, and what may come back with it."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, system
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.tokens import new_token, token_hash
from aihub.services.identity.adapters.oidc import Client, OidcProviders
from aihub.services.identity.adapters.oidc_token import Expected, moment
from aihub.services.identity.contracts.federation import (
    Attempt,
    AttemptInvalid,
    FederationAddress,
    FederationError,
    FederationUnfit,
    Identity,
    IdentityProvider,
    InsecureHub,
    ProviderDenied,
    ProviderUnknown,
    Purpose,
)
from aihub.services.identity.domain import is_local, normal_email
from aihub.services.identity.queries import federation
from aihub.services.identity.service.federation.providers import client_of

log = get_logger("aihub.identity")

ATTEMPT_LIFE = timedelta(minutes=10)
_SCOPE = system("sign in with a provider")

# What providers say of a sign-in that took more than a password: RFC 8176, OpenID EAP and usual acr values.
_STRONG_AMR = frozenset({"mfa", "hwk"})
_STRONG_ACR = frozenset(
    {
        "phr",
        "phrh",
        "https://refeds.org/profile/mfa",
        "http://schemas.openid.net/pape/policies/2007/06/multi-factor",
    }
)
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_MOST_GROUPS = 2_000
_LONGEST_PATH = 1_000


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser has to go, and the secret that it keeps meanwhile."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Travel:
    """What every step needs."""

    database: Database
    crypto: Crypto
    providers: OidcProviders
    clock: Clock

    async def depart(
        self,
        handle: str,
        purpose: Purpose,
        *,
        home: str,
        browser: str | None,
        next_path: str = "/",
        actor: Actor | None = None,
    ) -> Departure:
        """Send a browser to a provider.

        `home` is the address that it sees the hub at, `browser` the secret it has from an earlier attempt.
        Raises ProviderUnknown, FederationError or FederationAddress.
        """
        provider, client = await self._enabled(handle)
        state = new_token("")
        redirect_uri = f"{home}/api/v1/session/oidc/{provider.handle}/callback"
        challenge = _text(hashlib.sha256(self._verifier(state).encode()).digest())
        again = {"prompt": "login", "max_age": "0"} if purpose == "proof" else {}
        try:
            url = await self.providers.authorization_url(
                client,
                redirect_uri=redirect_uri,
                state=state,
                nonce=self._nonce(state),
                code_challenge=challenge,
                code_challenge_method="S256",
                **again,
            )
        except (FederationAddress, FederationError) as exc:
            # What is wrong in there is for the log: whoever asks has not signed in yet.
            log.warning("auth.federation_failed", provider=handle, code=exc.code, detail=exc.detail)
            raise (type(exc) if isinstance(exc, FederationError) else FederationUnfit)() from exc
        kept = browser if browser and _BROWSER.fullmatch(browser) else new_token("")
        now = self.clock.now()
        async with self.database.work(_SCOPE) as work:
            await federation.forget_ended(work, now)
            await federation.insert_attempt(
                work,
                provider_id=provider.id,
                purpose=purpose,
                owner_id=actor.user_id if actor else None,
                session_id=actor.session_id if actor else None,
                state_hash=token_hash(state),
                browser_hash=token_hash(kept),
                redirect_uri=redirect_uri,
                next_path=local_path(next_path),
                created_at=now,
                expires_at=now + ATTEMPT_LIFE,
            )
        return Departure(url, kept)

    async def take(self, handle: str, state: str | None, browser: str | None) -> Attempt:
        """The attempt that this answer belongs to; it is used up. Raises AttemptInvalid."""
        if not state or not browser:
            raise AttemptInvalid()
        async with self.database.work(_SCOPE) as work:
            attempt = await federation.take_attempt(
                work, handle, token_hash(state), token_hash(browser), self.clock.now()
            )
        if attempt is None:
            raise AttemptInvalid()
        return attempt

    async def arrive(
        self, handle: str, attempt: Attempt, answer: Mapping[str, str]
    ) -> tuple[IdentityProvider, Identity]:
        """Who the provider says it was.

        Raises ProviderUnknown, ProviderDenied, AttemptInvalid, TokenRefused or FederationError.
        """
        provider, client = await self._enabled(handle)
        try:
            return provider, await self._identity(provider, client, attempt, answer)
        except FederationAddress as exc:
            raise FederationUnfit(exc.detail) from exc

    async def _identity(
        self, provider: IdentityProvider, client: Client, attempt: Attempt, answer: Mapping[str, str]
    ) -> Identity:
        state, code = answer["state"], answer.get("code")
        await self.providers.check_answer(client, answer.get("iss"))
        if code is None:
            said = answer.get("error", "")
            log.info("auth.provider_denied", provider=provider.handle, said=said[:60])
            raise ProviderDenied(
                "You stopped at the provider, or it does not let you in." if said == "access_denied" else None
            )
        now = self.clock.now()
        expected = Expected(client.issuer, client.client_id, self._nonce(state), None, now)
        claims, access_token = await self.providers.claims(
            client,
            expected,
            code=code,
            verifier=self._verifier(state),
            redirect_uri=attempt.redirect_uri,
        )
        lacks = "email" not in claims or (provider.group_claim and _at(claims, provider.group_claim) is None)
        more = {}
        if lacks and access_token is not None:
            more = dict(await self.providers.userinfo(client, access_token, claims["sub"]))
        return identity_of(provider, claims, more)

    async def _enabled(self, handle: str) -> tuple[IdentityProvider, Client]:
        async with self.database.work(_SCOPE) as work:
            provider = await federation.provider_by_handle(work, handle)
            if provider is None or not provider.enabled:
                raise ProviderUnknown()
            return provider, await client_of(work, self.crypto, provider)

    # Both follow from the state and a key of the hub, so that neither has to be kept.
    def _verifier(self, state: str) -> str:
        return _text(self.crypto.sign("oidc verifier", state.encode()))

    def _nonce(self, state: str) -> str:
        return _text(self.crypto.sign("oidc nonce", state.encode()))


def home_of(origin: str, host: str, public_url: str | None) -> str:
    """The address at which this browser sees the hub, where providers may send it back to.

    That is AIHUB_PUBLIC_URL, or this machine by whatever name. Raises InsecureHub for another.
    """
    parts = urlsplit(origin)
    if is_local(parts.hostname or "") and parts.netloc.lower() == host.lower():
        return f"{parts.scheme}://{parts.netloc}".lower()
    if public_url:
        return public_url.rstrip("/")
    if parts.scheme == "https" and parts.netloc.lower() == host.lower():
        return f"https://{parts.netloc}".lower()
    raise InsecureHub(f"{parts.netloc or 'This address'} is not one that a provider may send people to.")


def local_path(text: str) -> str:
    """A page of this hub to go on to, or the first one: never another site."""
    fits = len(text) <= _LONGEST_PATH and re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", text)
    return text if fits and "\\" not in text else "/"


def identity_of(provider: IdentityProvider, claims: Mapping[str, Any], more: Mapping[str, Any]) -> Identity:
    """What the provider says, in our words. `more` is its userinfo."""
    source = claims if "email" in claims else more
    email = _email(source.get("email"))
    said = source.get("email_verified")
    # Some providers write the truth as a text.
    verified = said is True or said == "true" or (said is None and provider.trust_addresses)
    name = claims.get("name", more.get("name"))
    amr, acr = claims.get("amr"), claims.get("acr")
    strong = (isinstance(amr, list) and not _STRONG_AMR.isdisjoint(map(str, amr))) or acr in _STRONG_ACR
    found = _at(claims, provider.group_claim) if provider.group_claim else None
    if found is None and provider.group_claim:
        found = _at(more, provider.group_claim)
    return Identity(
        str(claims["sub"]),
        email if verified else None,
        " ".join(name.split())[:200] if isinstance(name, str) and name.isprintable() else "",
        _groups(found),
        strong,
        moment(claims, "auth_time"),
        email,
    )


def asked_again(identity: Identity, since: datetime) -> bool:
    """Whether the provider made the person sign in there after this moment."""
    return identity.proved_at is not None and identity.proved_at >= since - timedelta(seconds=30)


def _at(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path such as `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _groups(found: Any) -> frozenset[str]:
    if isinstance(found, str):
        return frozenset({found})
    if not isinstance(found, list):
        return frozenset()
    return frozenset(item for item in found[:_MOST_GROUPS] if isinstance(item, str))


def _email(given: object) -> str | None:
    try:
        return normal_email(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
