"""Random tokens: shown once, stored as a hash."""

import hashlib
import secrets


def new_token(prefix: str, nbytes: int = 32) -> str:
    """`prefix` followed by `nbytes` random bytes as URL-safe text without padding."""
    return prefix + secrets.token_urlsafe(nbytes)


def token_hash(token: str) -> bytes:
    """What to store of a token: its SHA-256. A token is random, so no salt or stretching is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
