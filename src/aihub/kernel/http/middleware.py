"""Plain ASGI middleware, outermost first: request facts, security headers, body limits."""

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aihub.kernel.errors import AihubError, BadRequest, BodyTooLarge
from aihub.kernel.http.problems import Shape, as_response
from aihub.kernel.ids import new_id
from aihub.kernel.telemetry import context
from aihub.kernel.telemetry.logs import get_logger
from aihub.kernel.telemetry.metrics import DURATION, IN_FLIGHT, REQUESTS

log = get_logger("aihub.http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{8,64}")


class RequestFacts:
    """Gives each request an id and a clock, logs and counts it, and is the edge where nothing escapes:
    an unforeseen exception becomes a 500 problem with the request id, and the text stays in the log."""

    def __init__(self, app: ASGIApp, service: str, shapes: Mapping[str, Shape]) -> None:
        self.app, self.service, self.shapes = app, service, shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        context.request_id.set(request_id)
        context.client_ip.set(scope["client"][0] if scope.get("client") else None)
        context.user_agent.set(headers.get("user-agent"))
        context.actor_id.set(None)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_facts(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Response-Time"] = f"{(time.perf_counter() - started) * 1000:.1f}ms"
            await send(message)

        IN_FLIGHT.inc()
        try:
            await self.app(scope, receive, send_with_facts)
        except Exception:
            log.exception("unhandled error", method=scope["method"], path=scope["path"])
            if status:  # the answer had begun: let the server cut the connection, so nobody trusts it
                raise
            await as_response(AihubError(), request_id, scope["path"], self.shapes)(
                scope, receive, send_with_facts
            )
        finally:
            IN_FLIGHT.dec()
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(self.service, scope["method"], route, str(status or 499)).inc()
            DURATION.labels(self.service, scope["method"], route).observe(seconds)
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                route=route,
                status=status or 499,
                milliseconds=round(seconds * 1000, 1),
            )


class TrustedProxies:
    """Believes X-Forwarded-For and X-Forwarded-Proto, but only from the listed peers."""

    def __init__(self, app: ASGIApp, networks: tuple[str, ...]) -> None:
        self.app = app
        self.networks = [ip_network(n, strict=False) for n in networks]

    def _trusted(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if scope["type"] == "http" and client and self._trusted(client[0]):
            headers = Headers(scope=scope)
            hops = [h.strip() for h in headers.get("x-forwarded-for", "").split(",") if h.strip()]
            while len(hops) > 1 and self._trusted(hops[-1]):
                hops.pop()
            if hops:
                scope["client"] = (hops[-1], 0)
            if headers.get("x-forwarded-proto") in ("http", "https"):
                scope["scheme"] = headers["x-forwarded-proto"]
        await self.app(scope, receive, send)


API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def page_policy(nonce: str) -> str:
    """The content security policy of a page: own files and this answer's nonce, nothing else."""
    return (
        "default-src 'self'; "
        f"script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; object-src 'none'; "
        "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
    )


class SecurityHeaders:
    """Adds the protective headers to every answer, whatever its status."""

    def __init__(self, app: ASGIApp, hsts: bool) -> None:
        self.app = app
        self.fixed = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "X-XSS-Protection": "0",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "X-DNS-Prefetch-Control": "off",
            "X-Download-Options": "noopen",
            "X-Permitted-Cross-Domain-Policies": "none",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if hsts:
            self.fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["csp_nonce"] = secrets.token_urlsafe(16)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.fixed.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", API_POLICY)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


_MOST_DIGITS = 15
_LINGER = 5.0
_MOST_DISCARDED = 64 * 1024 * 1024


class BodyLimits:
    """Refuses bodies above the limit, by their declared length or by counting what arrives.

    `streamed` names the routes (`METHOD path`, exactly) that write what they receive to the disk piece by
    piece, with the largest application/octet-stream body of each. What they refuse while the body still
    arrives closes the connection, so that nobody keeps sending gigabytes that nobody reads.

    After a refusal what the client still sends is discarded, for some seconds and up to a bound: one that
    first sends everything and then reads would see a broken connection instead of the answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        largest: int,
        largest_json: int,
        shapes: Mapping[str, Shape],
        streamed: Mapping[str, int] | None = None,
    ) -> None:
        self.app, self.largest, self.largest_json, self.shapes = app, largest, largest_json, shapes
        self.streamed = dict(streamed or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        limit = self.largest_json if kind.endswith("json") else self.largest
        streamed = None
        if kind == "application/octet-stream":
            streamed = self.streamed.get(f"{scope['method']} {scope['path']}")
        if streamed is not None:
            limit = streamed
        request_id = scope.get("state", {}).get("request_id")
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit():
            refusal: AihubError = BadRequest("Content-Length is not a number.")
            await as_response(refusal, request_id, scope["path"], self.shapes)(scope, receive, send)
            return
        too_large = BodyTooLarge(f"At most {limit} bytes are accepted here.", headers={"Connection": "close"})
        refused = len(declared) > _MOST_DIGITS or int(declared) > limit
        seen, arriving = 0, True

        async def counted() -> Message:
            nonlocal seen, refused, arriving
            message = await receive()
            arriving = message["type"] == "http.request" and message.get("more_body", False)
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    refused = True
                    raise too_large
            return message

        async def send_and_linger(message: Message) -> None:
            nonlocal refused
            begins = message["type"] == "http.response.start"
            if begins and streamed is not None and arriving and message["status"] >= 400:
                refused = True
                MutableHeaders(scope=message)["Connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if not (refused and last) or "expect" in headers:  # who asks first has sent nothing yet
                await send(message)
                return
            await send({**message, "more_body": True})
            await _discard(receive)
            await send({"type": "http.response.body", "body": b""})

        if refused:
            answer = as_response(too_large, request_id, scope["path"], self.shapes)
            await answer(scope, receive, send_and_linger)
            return
        await self.app(scope, counted, send_and_linger)


async def _discard(receive: Receive) -> None:
    left = _MOST_DISCARDED
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
