"""A sign-in provider that speaks OpenID Connect: what it publishes, and what it says of a person.

What it publishes is kept for some minutes. A key that is not among the kept ones is looked for once more,
but not more often than every half minute, so that nobody can make the hub call the provider all the time.
"""

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from aihub.kernel import addresses
from aihub.kernel.addresses import Resolver
from aihub.services.identity.adapters.oidc_token import (
    Expected,
    Key,
    claims_of,
    header_of,
    keys_for,
    usable_keys,
)
from aihub.services.identity.adapters.oidc_wire import Answered, OidcWire
from aihub.services.identity.contracts.federation import (
    AttemptInvalid,
    FederationError,
    FederationUnfit,
    IssuerChanged,
)

KEPT = 300.0
LOOK_AGAIN = 30.0
"""Seconds that what a provider publishes is kept, and between two looks for an unknown key."""

_MOST_PROVIDERS = 64
_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Client:
    """How the hub is known at a provider, and what it asks for."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    allow_private: bool


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider publishes about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    says_issuer: bool
    """Whether it names itself in the answer that the browser brings (RFC 9207)."""
    basic: bool
    """Whether it takes the client's secret in the Authorization header."""


@dataclass
class _Kept:
    """What one provider published, and when that was read, by the monotonic clock."""

    metadata: Metadata | None = None
    read_at: float = 0.0
    keys: list[Key] = field(default_factory=list)
    keys_at: float = 0.0
    looked_at: float = float("-inf")
    """When an unknown key was last looked for."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OidcProviders:
    """The providers of this process and what they published. One per process."""

    def __init__(self, resolver: Resolver = addresses.resolve) -> None:
        self.resolver = resolver
        self._kept: dict[tuple[str, bool], _Kept] = {}

    def forget(self) -> None:
        """Read everything anew at its next use."""
        self._kept.clear()

    async def metadata(self, client: Client) -> Metadata:
        """What the provider publishes. Raises IssuerChanged or another FederationError."""
        kept = self._of(client)
        async with kept.lock:
            if kept.metadata is None or time.monotonic() - kept.read_at > KEPT:
                kept.metadata = None  # a provider that changed is not trusted on what it said before
                kept.metadata = await self._read(client)
                kept.read_at = time.monotonic()
            return kept.metadata

    async def keys(self, client: Client, *, again: bool = False) -> list[Key]:
        """The keys that the provider signs with; `again`: those that were kept did not fit."""
        metadata = await self.metadata(client)
        kept = self._of(client)
        async with kept.lock:
            now = time.monotonic()
            look = again and now - kept.looked_at > LOOK_AGAIN
            if look:
                kept.looked_at = now
            if look or not kept.keys or now - kept.keys_at > KEPT:
                answer = _expected(await self._wire(client).get(metadata.jwks_uri), "its keys")
                kept.keys, kept.keys_at = usable_keys(answer.body), now
                if not kept.keys:
                    raise FederationUnfit("It publishes no key that could sign.")
            return kept.keys

    async def authorization_url(self, client: Client, **asked: str) -> str:
        """Where the browser has to go, with these parameters."""
        metadata = await self.metadata(client)
        scopes = " ".join(dict.fromkeys(("openid", *client.scopes)))
        query = urlencode(
            {"response_type": "code", "client_id": client.client_id, "scope": scopes, **asked},
            quote_via=quote,
        )
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{query}"

    async def check_answer(self, client: Client, said_issuer: str | None) -> None:
        """Whether the answer that the browser brought is this provider's (RFC 9207).

        Raises AttemptInvalid.
        """
        if said_issuer is None and not (await self.metadata(client)).says_issuer:
            return
        if said_issuer != client.issuer:
            raise AttemptInvalid("The answer is from another provider than the one you were sent to.")

    async def claims(
        self, client: Client, expected: Expected, *, code: str, verifier: str, redirect_uri: str
    ) -> tuple[dict[str, Any], str | None]:
        """What the provider says of whoever brought this code, and the access token for more.

        Raises TokenRefused or FederationError.
        """
        answer = await self._exchange(client, code, verifier, redirect_uri)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise FederationUnfit("It gave no ID token.")
        access_token = access_token if isinstance(access_token, str) else None
        header = header_of(id_token)
        keys = keys_for(header, await self.keys(client))
        if not keys:
            keys = keys_for(header, await self.keys(client, again=True))
        expected = replace(expected, access_token=access_token)
        return claims_of(id_token, header, keys, expected), access_token

    async def userinfo(self, client: Client, access_token: str, subject: str) -> Mapping[str, Any]:
        """What the provider says of the person apart from the token; nothing where it has no such page.

        Raises FederationError.
        """
        metadata = await self.metadata(client)
        if metadata.userinfo_endpoint is None:
            return {}
        headers = {"authorization": f"Bearer {access_token}"}
        answer = _expected(await self._wire(client).get(metadata.userinfo_endpoint, headers), "userinfo")
        if answer.body.get("sub") != subject:
            raise FederationUnfit("Its userinfo is about somebody else.")
        return answer.body

    async def _exchange(
        self, client: Client, code: str, verifier: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        metadata = await self.metadata(client)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if client.client_secret is not None and metadata.basic:
            pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = client.client_id
            if client.client_secret is not None:
                form["client_secret"] = client.client_secret
        answer = await self._wire(client).post(metadata.token_endpoint, form, headers)
        if answer.ok:
            return answer.body
        problem = answer.body.get("error")
        if problem == "invalid_grant":
            raise AttemptInvalid("The provider does not take the code (any more).")
        if problem in ("invalid_client", "unauthorized_client"):
            raise FederationUnfit("It does not take the client id and secret that are set up here.")
        said = f" ({problem[:60]})" if isinstance(problem, str) else ""
        raise FederationError(f"It answered {answer.status}{said} to the code.")

    async def _read(self, client: Client) -> Metadata:
        answer = _expected(
            await self._wire(client).get(client.issuer.rstrip("/") + _WELL_KNOWN), "its description"
        )
        said = answer.body
        issuer = said.get("issuer")
        if not isinstance(issuer, str):
            raise FederationUnfit("There is no description of an OpenID Connect provider at its issuer.")
        if issuer != client.issuer:
            raise IssuerChanged(f"It calls itself {issuer[:200]}.")
        responses = said.get("response_types_supported")
        if isinstance(responses, list) and "code" not in responses:
            raise FederationUnfit("It does not offer the authorization code flow.")
        challenges = said.get("code_challenge_methods_supported")
        if isinstance(challenges, list) and "S256" not in challenges:
            raise FederationUnfit("It does not offer PKCE with S256.")
        methods = said.get("token_endpoint_auth_methods_supported")
        userinfo = said.get("userinfo_endpoint")
        return Metadata(
            issuer,
            _endpoint(client, said, "authorization_endpoint"),
            _endpoint(client, said, "token_endpoint"),
            _endpoint(client, said, "jwks_uri"),
            None if userinfo is None else _endpoint(client, said, "userinfo_endpoint"),
            said.get("authorization_response_iss_parameter_supported") is True,
            not isinstance(methods, list) or "client_secret_basic" in methods,
        )

    def _of(self, client: Client) -> _Kept:
        at = (client.issuer, client.allow_private)
        if at not in self._kept:
            while len(self._kept) >= _MOST_PROVIDERS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[at] = _Kept()
        return self._kept[at]

    def _wire(self, client: Client) -> OidcWire:
        return OidcWire(allow_private=client.allow_private, resolver=self.resolver)


def algorithms_of(keys: Sequence[Key]) -> tuple[str, ...]:
    """The kinds of keys, for people."""
    return tuple(sorted({str(key.get("alg", key.key_type)) for key in keys}))


def _expected(answer: Answered, what: str) -> Answered:
    if not answer.ok:
        raise FederationError(f"It answered {answer.status} when asked for {what}.")
    return answer


def _endpoint(client: Client, said: Mapping[str, Any], name: str) -> str:
    """An address the provider publishes; never a plainer one than its issuer's. Raises FederationUnfit."""
    url = said.get(name)
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    secure = client.issuer.startswith("https:")
    if parts is None or not parts.netloc or parts.scheme not in (("https",) if secure else ("http", "https")):
        raise FederationUnfit(f"Its {name} is not an address that can be used.")
    return str(url)
