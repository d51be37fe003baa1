"""Refuses requests that carry a secret in their address.

Addresses are written down by browsers, proxies and logs of others; a key that has been in one has to be
replaced. So it is refused even where it would be ignored, and nobody gets used to it.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from aihub.kernel.errors import BadRequest
from aihub.kernel.http.problems import Shape, as_response

SECRET = re.compile(r"\bah(?:k_[a-z0-9]{8}|r)_[a-z0-9_-]{16,}", re.IGNORECASE | re.ASCII)
"""What looks like a key of ours or a refresh token, whole or cut short."""

_NAMES = frozenset(
    {"apikey", "key", "token", "accesstoken", "authtoken", "xapikey", "bearer", "authorization"}
)
_API = ("/api/", "/v1/")


class SecretInAddress(BadRequest):
    code = "request.secret_in_address"
    title = "An address is no place for a key"
    remedy = (
        "Send the key as 'Authorization: Bearer ahk_…'. If it was a real one, rotate it now: addresses are "
        "kept by proxies, browsers and logs."
    )


class SecretsInAddresses:
    """Answers 400 to an address with a key in it, and to parameters of the API that are named like one."""

    def __init__(self, app: ASGIApp, shapes: Mapping[str, Shape]) -> None:
        self.app, self.shapes = app, shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _bears_secret(scope["path"], scope.get("query_string", b"")):
            request_id = scope.get("state", {}).get("request_id")
            refusal = as_response(SecretInAddress(), request_id, scope["path"], self.shapes)
            # What is logged of this request afterwards does not hold it either.
            scope["path"] = "/…"
            await refusal(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _bears_secret(path: str, query: bytes) -> bool:
    if not query and "ahk_" not in path.lower() and "%" not in path:
        return False
    # Twice: an address that was quoted once too often still tells the key to whoever reads it.
    plain = unquote_to_bytes(unquote_to_bytes(query.replace(b"+", b" "))).decode("latin-1")
    if SECRET.search(path) or SECRET.search(unquote(path)) or SECRET.search(plain):
        return True
    return path.startswith(_API) and any(_is_name(part) for part in re.split(b"[&;]", query))


def _is_name(parameter: bytes) -> bool:
    name, _, value = parameter.partition(b"=")
    plain = unquote_to_bytes(name).decode("latin-1").lower()
    return bool(value) and re.sub(r"[-_.\s\[\]]", "", plain) in _NAMES
