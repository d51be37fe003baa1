"""The keys that sign access tokens, and reading what they signed.

Tokens are JWS with ES256 and nothing else. One key signs (`current`), one is published ahead of its time
(`next`), and those before verify what they signed until it has expired (`retired`). All of them stand in
the JWKS. What a process remembers of them is forgotten with every change of the table.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from aihub.kernel import audit
from aihub.kernel.auth import Actor
from aihub.kernel.cache import Cache
from aihub.kernel.clock import Clock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Database, Work, system
from aihub.kernel.ids import new_id
from aihub.services.identity.contracts.tokens import Claims, KeyState, SigningKey, TokenExpired, TokenInvalid
from aihub.services.identity.domain import ACCESS_LIFE, CLOCK_SKEW
from aihub.services.identity.queries import tokens as queries

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

AUDIENCE = "urn:aihub:api"
_UNNAMED = "urn:aihub"
_ALGORITHM = "ES256"
_TYPE = "at+jwt"
_LONGEST = 4096
_CLAIMS = {"iss": str, "aud": str, "sub": str, "sid": str, "jti": str, "iat": int, "exp": int}
_REFUSED = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_KEPT = ACCESS_LIFE + CLOCK_SKEW


class Signer:
    """Signs and reads access tokens. One per process; holds no private key."""

    def __init__(self, database: Database, cache: Cache, crypto: Crypto, clock: Clock, issuer: str) -> None:
        self._database = database
        self._cache = cache
        self._crypto = crypto
        self._clock = clock
        self.issuer = issuer

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Signer":
        # Several processes of one hub may have several addresses, and none of them is its name.
        issuer = (runtime.kernel.public_url or _UNNAMED).rstrip("/")
        return cls(runtime.database, runtime.get(Cache), runtime.get(Crypto), runtime.clock, issuer)

    async def keys(self) -> tuple[SigningKey, ...]:
        """Every key whose signature counts, and the next one. Makes the first ones."""

        async def load() -> tuple[SigningKey, ...]:
            async with self._database.work(system("read the signing keys")) as work:
                await ensure_keys(work, self._crypto, self._clock)
                return tuple(await queries.signing_keys(work))

        return await self._cache.get("local", "signing-keys", load)

    async def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517)."""
        more = {"use": "sig", "alg": _ALGORITHM}
        return {"keys": [{**key.public, "kid": key.kid, **more} for key in await self.keys()]}

    async def sign(self, work: Work, owner_id: UUID, session_id: UUID, scopes: tuple[str, ...]) -> str:
        """An access token of this session, for 15 minutes. Without `scopes`: for all its owner may do."""
        found = await queries.current_key(work)
        if found is None:
            await ensure_keys(work, self._crypto, self._clock)
            found = await queries.current_key(work)
        if found is None:
            raise LookupError("there is no signing key")
        kid, sealed = found
        key = ECKey.import_key((await self._crypto.open(work, sealed, context=_place(kid))).decode())
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": str(owner_id),
            "sid": str(session_id),
            "jti": str(new_id()),
            "iat": now,
            "exp": now + int(ACCESS_LIFE.total_seconds()),
        }
        if scopes:
            claims["scope"] = " ".join(scopes)
        header = {"alg": _ALGORITHM, "kid": kid, "typ": _TYPE}
        return jwt.encode(header, claims, key, algorithms=[_ALGORITHM])

    async def read(self, text: str) -> Claims:
        """What a token says that we signed and that has not expired. Raises TokenInvalid or TokenExpired.

        Whether its session goes on is for the caller to ask.
        """
        known = {key.kid: key for key in await self.keys()}
        now = self._clock.now()
        try:
            claims = _opened(text, known, self.issuer, now)
            read = Claims(UUID(claims["sub"]), UUID(claims["sid"]), _scopes(claims))
        except (JoseError, ValueError, TypeError, LookupError, RecursionError) as exc:
            raise TokenInvalid(headers=_REFUSED) from exc
        if claims["exp"] <= (now - CLOCK_SKEW).timestamp():
            raise TokenExpired(headers=_REFUSED)
        return read


async def ensure_keys(work: Work, crypto: Crypto, clock: Clock) -> None:
    """Make the first two keys, unless somebody did. Any number of processes may do this at once."""
    if await queries.current_key(work) is not None:
        return
    await queries.lock_signing_keys(work)
    if await queries.current_key(work) is None:
        await _make(work, crypto, "current", clock.now())
        await _make(work, crypto, "next", clock.now())


async def list_signing_keys(work: Work) -> list[SigningKey]:
    """Every key that is kept, the newest first."""
    return await queries.signing_keys(work)


async def rotate_keys(
    work: Work, crypto: Crypto, clock: Clock, *, actor: Actor | None = None, distrust: bool = False
) -> list[SigningKey]:
    """Let the next key sign from now on, and make another next one. Nobody is signed out: what the key before
    signed is believed until it expires.

    With `distrust` none of the keys before is believed any more, for when one may have leaked: programs get
    401 once and refresh.
    """
    await queries.lock_signing_keys(work)
    before = await queries.current_key(work)
    now = clock.now()
    if distrust:
        await queries.delete_keys(work)
    elif before is not None:
        await queries.move_key(work, "current", "retired", now)
        await queries.move_key(work, "next", "current", now)
    if before is None or distrust:
        await _make(work, crypto, "current", now)
    await _make(work, crypto, "next", now)
    after = await queries.current_key(work)
    await audit.record(
        work,
        actor=actor,
        action="signing_key.rotate",
        target_kind="signing key",
        target_id=after[0] if after else "",
        details={"before": before[0] if before else None, "distrusted": distrust},
    )
    return await queries.signing_keys(work)


async def forget_retired(work: Work, now: datetime) -> int:
    """Drop the keys whose every token has expired; how many."""
    return await queries.delete_keys(work, retired_before=now - _KEPT - timedelta(minutes=1))


async def _make(work: Work, crypto: Crypto, state: KeyState, now: datetime) -> None:
    key = await asyncio.to_thread(ECKey.generate_key, "P-256")
    kid = key.thumbprint()
    sealed = await crypto.seal(work, key.as_pem(private=True), context=_place(kid))
    public = {name: str(value) for name, value in key.as_dict(private=False).items() if name != "kid"}
    await queries.insert_key(work, kid, state, public, sealed, now)


def _opened(text: str, known: Mapping[str, SigningKey], issuer: str, now: datetime) -> Mapping[str, Any]:
    """The claims of a token that one of these keys signed, in our form and for us; it may have expired.

    Raises what the library does, and ValueError and LookupError, for any other.
    """
    if len(text) > _LONGEST:
        raise ValueError("longer than any of ours")
    token = jwt.decode(text, lambda guest: _verifier(known, guest.headers()), algorithms=[_ALGORITHM])
    claims = token.claims
    if set(claims) - {"scope"} != set(_CLAIMS) or not isinstance(claims.get("scope", ""), str):
        raise ValueError("not the claims of ours")
    if any(type(claims[name]) is not kind for name, kind in _CLAIMS.items()):
        raise ValueError("not the types of ours")
    if claims["iss"] != issuer or claims["aud"] != AUDIENCE:
        raise ValueError("not from us or not for us")
    issued, life = claims["iat"], claims["exp"] - claims["iat"]
    if issued > (now + CLOCK_SKEW).timestamp() or not 0 < life <= ACCESS_LIFE.total_seconds():
        raise ValueError("not a time of ours")
    retired = known[token.header["kid"]].retired_at
    if retired is not None and issued > (retired + CLOCK_SKEW).timestamp():
        raise ValueError("signed after its key was retired")
    return claims


def _verifier(known: Mapping[str, SigningKey], header: Mapping[str, Any]) -> ECKey:
    """The key that the header names. Raises LookupError or ValueError for a header unlike ours."""
    if header != {"alg": _ALGORITHM, "kid": header.get("kid"), "typ": _TYPE}:
        raise ValueError("not a header of ours")
    return ECKey.import_key(dict(known[str(header["kid"])].public))


def _scopes(claims: Mapping[str, Any]) -> frozenset[str] | None:
    return frozenset(claims["scope"].split()) if "scope" in claims else None


def _place(kid: str) -> str:
    return f"signing key:{kid}"
