"""Limits at the edge: how often an address may call without saying, credibly, who calls.

Callers with a valid key or session are limited by their own policies, not by where they come from. Here
are counted, per IP address: anonymous requests, requests whose credentials turn out to be wrong or that
nobody looked at (because the body never came, too), and attempts to sign in. Pages, health and metrics are
not API requests and are not counted, except for guesses at the token of the metrics.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aihub.kernel.errors import AihubError
from aihub.kernel.http.problems import Shape, as_response
from aihub.kernel.limits import Allowance, Limiter

API, AUTH, GENERAL = "edge.api", "edge.auth", "api.general"
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PREFIXES = ("/api/", "/v1/")
_UNREAD = frozenset({400, 413})
"""Answers to what could not be read, which come before anybody looks at the credentials."""


class EdgeLimits:
    """`sign_in` are the paths that people without a session need: what changes something there counts
    under `edge.auth`, and reading them only under `edge.api`, so that reloading the sign-in page does
    not use up the quarter of an hour of `api.general`. `free` paths are counted when they refuse the caller.
    """

    def __init__(
        self,
        app: ASGIApp,
        limiter: Limiter,
        cookie: str,
        sign_in: Collection[str],
        free: Collection[str],
        shapes: Mapping[str, Shape],
    ) -> None:
        self.app, self.limiter, self.shapes = app, limiter, shapes
        self.cookie, self.sign_in, self.free = f"{cookie}=", frozenset(sign_in), frozenset(free)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._counts(scope["path"], scope["method"]):
            await self.app(scope, receive, send)
            return
        policies = self._policies(scope["path"], scope["method"])
        key = address_key(scope["client"][0] if scope.get("client") else "")
        headers = Headers(scope=scope)
        claimed = "authorization" in headers or self.cookie in headers.get("cookie", "")
        free = scope["path"] in self.free
        if free or (claimed and AUTH not in policies):
            await self.app(scope, receive, self._doubting(scope, receive, send, policies, key, free))
            return
        try:
            allowance = await self._take(policies, key)
        except AihubError as refusal:
            await self._refuse(refusal, scope, receive, send)
            return

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, allowance)
            await send(message)

        await self.app(scope, receive, send_with_allowance)

    def _doubting(
        self, scope: Scope, receive: Receive, send: Send, policies: tuple[str, ...], key: str, free: bool
    ) -> Send:
        """A `send` that counts the request once it turns out that nobody is behind its credentials.

        `free`: only if it was refused for that.
        """
        replaced = False

        async def send_or_refuse(message: Message) -> None:
            nonlocal replaced
            begins = message["type"] == "http.response.start"
            if begins and (message["status"] == 401 if free else _by_nobody(scope, message["status"])):
                try:
                    _add(message, await self._take(policies, key))
                except AihubError as refusal:
                    replaced = True
                    await self._refuse(refusal, scope, receive, send)
            if not replaced:
                await send(message)

        return send_or_refuse

    def _counts(self, path: str, method: str) -> bool:
        return (path.startswith(_PREFIXES) or path in self.free) and method != "OPTIONS"

    def _policies(self, path: str, method: str) -> tuple[str, ...]:
        if path in self.sign_in:
            return (AUTH,) if method in _UNSAFE else (API,)
        return (API, GENERAL)

    async def _take(self, policies: tuple[str, ...], key: str) -> Allowance:
        """The allowance nearest to its end. Raises TooManyRequests and LimitsUnavailable."""
        taken = [await self.limiter.take(policy, key) for policy in policies]
        return min(taken, key=lambda a: a.remaining / a.limit)

    async def _refuse(self, error: AihubError, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.get("state", {}).get("request_id")
        await as_response(error, request_id, scope["path"], self.shapes)(scope, receive, send)


def _by_nobody(scope: Scope, status: int) -> bool:
    """Whether the answer was given without knowing who asked; public routes do not look.

    A failure of ours, such as a database that is away, says nothing about who asked.
    """
    looked = status < 500 and status not in _UNREAD
    return status == 401 or (looked and "actor" not in scope.get("state", {}))


def address_key(host: str) -> str:
    """What is counted as one caller: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return str(address.ipv4_mapped) if address.version == 6 else host


def _add(message: Message, allowance: Allowance) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in allowance.headers().items():
        headers.setdefault(name, value)
