"""Browsers that were signed in to an account before.

They keep a cookie that only the hub can make and that names one account. It opens nothing: whoever has it
still needs the password. It says whose failed sign-ins count together, so that strangers who fail on purpose
do not lock the account's own people out (see `attempts`).
"""

import secrets
from uuid import UUID

from aihub.kernel.crypto import Crypto

KNOWN_COOKIE = "__Host-aihub-known"
_PURPOSE = "known device"
_LONGEST = 200


def known_token(crypto: Crypto, email: str, before: str | None = None) -> str:
    """What a browser keeps after a sign-in to this account: the same as before, if it was of this account."""
    if before is not None and known_device(crypto, email, before) is not None:
        return before
    nonce = secrets.token_hex(16)
    return f"{nonce}.{_signature(crypto, email, nonce)}"


def known_device(crypto: Crypto, email: str, token: str | None) -> bytes | None:
    """Which browser this is, if the hub gave it the token for this account."""
    if token is None or len(token) > _LONGEST:
        return None
    nonce, _, signature = token.partition(".")
    if not secrets.compare_digest(signature.encode(), _signature(crypto, email, nonce).encode()):
        return None
    return crypto.sign("known caller", b"device" + nonce.encode())


def known_session(crypto: Crypto, session_id: UUID) -> bytes:
    """Which signed-in session this is."""
    return crypto.sign("known caller", b"session" + session_id.bytes)


def _signature(crypto: Crypto, email: str, nonce: str) -> str:
    return crypto.sign(_PURPOSE, f"{nonce} {email}".encode("utf-8", "surrogatepass")).hex()
