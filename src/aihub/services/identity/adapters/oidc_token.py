"""Is this ID token the one that we asked for? OpenID Connect Core 1.0, section 3.1.3.7."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from joserfc import jwk, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from aihub.services.identity.contracts.federation import TokenRefused

Key = RSAKey | ECKey | OKPKey

# What may sign. Neither `none` nor the symmetric ones, whose key would be a secret that both sides know.
ALGORITHMS: Mapping[str, str] = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP", "Ed25519": "OKP",
}  # fmt: skip
_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}

SKEW = timedelta(seconds=60)
"""How far the clocks of the provider and the hub may be apart."""

OLDEST = timedelta(minutes=15)
_LONGEST = 64 * 1024
_LONGEST_SUBJECT = 255
_SMALLEST_RSA = 2048


class _Registry(jws.JWSRegistry):
    max_header_length = 8 * 1024
    max_signature_length = 2 * 1024


_REGISTRY = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Header:
    """What the token says of its signature, before anything of it is believed."""

    algorithm: str
    kid: str | None


def header_of(token: str) -> Header:
    """Raises TokenRefused for what is no token, or is signed in a way that proves nothing."""
    if len(token) > _LONGEST or token.count(".") != 2:
        raise TokenRefused("The ID token is not a signed token.")
    first = token.partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError) as exc:
        raise TokenRefused("The ID token has no readable header.") from exc
    algorithm = header.get("alg") if isinstance(header, dict) else None
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused(f"The ID token is signed with {str(algorithm)[:20]}, which proves nothing here.")
    kid = header.get("kid")
    return Header(algorithm, kid if isinstance(kid, str) else None)


def usable_keys(document: Mapping[str, Any]) -> list[Key]:
    """The public keys of a JWKS that may verify signatures; others are passed over."""
    found: list[Key] = []
    given = document.get("keys")
    for data in given if isinstance(given, list) else []:
        if not isinstance(data, dict) or data.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if data.get("use", "sig") != "sig" or "d" in data:
            continue
        try:
            key = jwk.import_key(data)
        except (JoseError, ValueError, TypeError):
            continue
        if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            found.append(key)
    return found


def keys_for(header: Header, keys: Sequence[Key]) -> list[Key]:
    """Those of the keys that the token may be signed with."""
    return [
        key
        for key in keys
        if key.key_type == ALGORITHMS[header.algorithm]
        and (header.kid is None or key.kid == header.kid)
        and key.get("alg", header.algorithm) == header.algorithm
    ]


def claims_of(token: str, header: Header, keys: Sequence[Key], expected: Expected) -> dict[str, Any]:
    """The claims of a token that one of these keys signed for us. Raises TokenRefused."""
    if header.kid is None and len(keys) > 1:
        raise TokenRefused("The ID token does not say which of several keys signed it.")
    for key in keys:
        try:
            payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
            claims = orjson.loads(payload or b"")
        except (JoseError, ValueError, TypeError):
            continue
        if not isinstance(claims, dict):
            break
        _check(claims, header, expected)
        return claims
    raise TokenRefused("The signature of the ID token is wrong.")


def _check(claims: Mapping[str, Any], header: Header, expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("The ID token is from another issuer.")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise TokenRefused("The ID token is for another application.")
    party = claims.get("azp")
    if (party is not None or len(audiences) > 1) and party != expected.client_id:
        raise TokenRefused("The ID token was made for another application.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > _LONGEST_SUBJECT:
        raise TokenRefused("The ID token names nobody.")
    _check_times(claims, expected.now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefused("The ID token was not made for this sign-in: its nonce is another one.")
    _check_access_token(claims, header, expected.access_token)


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    expires, issued, begins = (moment(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or expires <= now - SKEW:
        raise TokenRefused("The ID token has expired.")
    if issued is None or not now - OLDEST <= issued <= now + SKEW:
        raise TokenRefused("The ID token was not made just now; compare the clocks of the two servers.")
    if begins is not None and begins > now + SKEW:
        raise TokenRefused("The ID token is not valid yet; compare the clocks of the two servers.")


def _check_access_token(claims: Mapping[str, Any], header: Header, access_token: str | None) -> None:
    given = claims.get("at_hash")
    if given is None:
        return
    if not isinstance(given, str) or access_token is None:
        raise TokenRefused("The ID token belongs to another access token.")
    name = _HASHES.get(header.algorithm[-3:], "sha512")  # Ed25519 signs with SHA-512
    digest = hashlib.new(name, access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    if not hmac.compare_digest(given.encode(), half.encode()):
        raise TokenRefused("The ID token belongs to another access token.")


def moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A time of the claims; None when it is missing. Raises TokenRefused for what is no time."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(f"The ID token's {name} is not a time.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError) as exc:
        raise TokenRefused(f"The ID token's {name} is not a time.") from exc
