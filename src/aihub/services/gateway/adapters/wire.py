"""HTTP to a provider: checked addresses, time-outs for each phase, and its failures as our errors.

Redirects are never followed (a redirect would lead past the address check), proxies of the
environment are not used, and nothing of a request but its own headers is sent.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from aihub.services.gateway.adapters import addresses
from aihub.services.gateway.adapters.addresses import Place, Resolver
from aihub.services.gateway.contracts import (
    ContextExceeded,
    ProviderCut,
    ProviderError,
    ProviderLimited,
    ProviderModelMissing,
    ProviderNonsense,
    ProviderRefusedKey,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnreachable,
)

CHECK_AGAIN = 60.0
"""Seconds after which a host name is resolved and judged again."""

LARGEST_ANSWER = 64 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, until the answer starts, between pieces of it, and in all."""

    connect: float = 5.0
    first_byte: float = 60.0
    gap: float = 60.0
    total: float = 600.0


class Wire:
    """Connections to one base URL.

    `trusted` skips the address check, for the models this hub itself runs on loopback.
    """

    def __init__(
        self,
        base_url: str,
        timeouts: Timeouts,
        *,
        allow_private: bool = False,
        trusted: bool = False,
        resolver: Resolver = addresses.resolve,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeouts = timeouts
        self._allow_private = allow_private or trusted
        self._resolver = resolver
        self._place: Place | None = None
        self._checked = 0.0
        self._judging = asyncio.Lock()
        self._clients: dict[str, Client] = {}

    async def close(self) -> None:
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def get(self, path: str, headers: Mapping[str, str], *, within: float) -> Any:
        """The JSON at `path`. Raises ProviderError."""
        async with self._sent("GET", path, headers, None, within, within) as response:
            return await self._json(response)

    async def post(self, path: str, headers: Mapping[str, str], body: Any) -> Any:
        """The JSON answer to `body`. Raises ProviderError."""
        total = self.timeouts.total
        async with self._sent("POST", path, headers, orjson.dumps(body), total, total) as response:
            return await self._json(response)

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], body: Any
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The pieces of a streamed answer as they arrive. Raises ProviderError, also between pieces."""
        payload = orjson.dumps(body)
        async with self._sent(
            "POST", path, headers, payload, self.timeouts.first_byte, self.timeouts.total
        ) as response:
            yield self._pieces(response)

    async def _pieces(self, response: Response) -> AsyncIterator[bytes]:
        reader = response.body_reader
        wait = self.timeouts.first_byte
        try:
            while True:
                async with asyncio.timeout(wait):
                    piece = await reader.read_chunk()
                _heed_cancellation()
                if piece is None:
                    return
                wait = self.timeouts.gap
                yield bytes(piece)
        except RequestTimeoutError as exc:
            raise ProviderTimeout(f"The answer was not complete after {self.timeouts.total:g} s.") from exc
        except TimeoutError as exc:
            raise ProviderTimeout(f"Nothing more arrived for {wait:g} s.") from exc
        except PyreqwestError as exc:
            raise ProviderCut() from exc

    async def _json(self, response: Response) -> Any:
        try:
            data = bytes(await _limited(response, LARGEST_ANSWER))
        except RequestTimeoutError as exc:
            raise ProviderTimeout(f"The answer was not complete after {self.timeouts.total:g} s.") from exc
        except PyreqwestError as exc:
            raise ProviderCut(remedy="Try again.") from exc
        try:
            return orjson.loads(data)
        except ValueError as exc:
            raise ProviderNonsense("It is not JSON.") from exc

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        first_byte: float,
        total: float,
    ) -> AsyncIterator[Response]:
        async with AsyncExitStack() as stack:
            response = await self._connected(stack, method, path, headers, body, first_byte, total)
            if not 200 <= response.status < 300:
                raise await _failure(response)
            yield response

    async def _connected(
        self,
        stack: AsyncExitStack,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        first_byte: float,
        total: float,
    ) -> Response:
        place = await self._checked_place()
        last: PyreqwestError | None = None
        for address in place.addresses:
            request = self._request(place, address, method, path, headers, body, total)
            try:
                async with asyncio.timeout(first_byte):
                    response = await stack.enter_async_context(request)
                _heed_cancellation()
                return response
            except (ConnectError, ConnectTimeoutError) as exc:
                last = exc  # nothing was sent: the next address of the same host may answer
                self._checked = 0.0
            except (TimeoutError, RequestTimeoutError) as exc:
                raise ProviderTimeout(f"No answer began within {first_byte:g} s.") from exc
            except PyreqwestError as exc:
                raise ProviderUnreachable("The connection broke before an answer began.") from exc
        raise ProviderUnreachable(f"No connection to {place.name or place.addresses[0]}.") from last

    def _request(
        self,
        place: Place,
        address: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        total: float,
    ) -> StreamRequest:
        builder = self._client(place, address).request(method, place.url + path)
        builder = builder.headers(dict(headers)).timeout(timedelta(seconds=total))
        if body is not None:
            builder = builder.header("content-type", "application/json").body_bytes(body)
        # Without this the client fills a buffer of 64 KB before it hands over the first token.
        return builder.streamed_read_buffer_limit(0).build_streamed()

    async def _checked_place(self) -> Place:
        async with self._judging:  # callers that arrive together ask the name server once
            now = time.monotonic()
            if self._place is None or now - self._checked > CHECK_AGAIN:
                place = await addresses.check(
                    self.base_url, allow_private=self._allow_private, resolver=self._resolver
                )
                gone = set(self._clients) - set(place.addresses)
                for address in gone:  # requests that run keep their connection; new ones use the new one
                    self._clients.pop(address)
                self._place, self._checked = place, now
            return self._place

    def _client(self, place: Place, address: str) -> Client:
        if address not in self._clients:
            builder = (
                ClientBuilder()
                .no_proxy()
                .follow_redirects(False)
                .user_agent("aihub")
                .connect_timeout(timedelta(seconds=self.timeouts.connect))
                .pool_idle_timeout(timedelta(seconds=CHECK_AGAIN))
            )
            if place.name is not None:
                builder = builder.resolve(place.name, address, place.port)
            self._clients[address] = builder.build()
        return self._clients[address]


def _heed_cancellation() -> None:
    """A cancellation that arrives together with what was waited for is lost in the client; the task knows."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _limited(response: Response, limit: int) -> bytearray:
    data = bytearray()
    while (piece := await response.body_reader.read_chunk()) is not None:
        _heed_cancellation()
        data += bytes(piece)
        if len(data) > limit:
            raise ProviderNonsense(f"It is longer than {limit} bytes.")
    return data


async def _failure(response: Response) -> ProviderError:
    try:
        async with asyncio.timeout(10):
            body = bytes(await _limited(response, _LARGEST_ERROR))
    except (PyreqwestError, TimeoutError, ProviderNonsense):
        body = b""
    return failure(response.status, body, response.get_header("retry-after"))


def failure(status: int, body: bytes, retry_after: str | None) -> ProviderError:
    """Our error for a provider's answer that is not a success."""
    message, code, param = _words(body)
    if status in (401, 403):
        return ProviderRefusedKey(f"It answered {status}.")
    if status == 404:
        return ProviderModelMissing(f"It answered 404{': ' + message if message else ''}.")
    if status == 429:
        wait = retry_after if retry_after and retry_after.isdigit() else "5"
        return ProviderLimited(headers={"Retry-After": wait})
    if status == 408:
        return ProviderTimeout("It gave up waiting for itself (408).")
    if status in (400, 409, 413, 415, 422):
        kind = ContextExceeded if _about_context(code, message) else ProviderRejected
        return kind(message or f"It answered {status} without saying why.", param=param, upstream_code=code)
    if 300 <= status < 400:
        return ProviderNonsense(f"It answered {status}, and redirects are not followed.")
    return ProviderError(f"It answered {status}.")


def said(error: object) -> ProviderError:
    """Our error for an error object that came inside a successful answer."""
    body = orjson.dumps({"error": error})
    message, code, _ = _words(body)
    status = error.get("code") if isinstance(error, dict) else None
    if isinstance(status, int) and 400 <= status < 600:
        return failure(status, body, None)
    kind = str(error.get("type", "")) if isinstance(error, dict) else ""
    if kind == "invalid_request_error" or _about_context(code, message):
        return failure(400, body, None)
    if kind in ("rate_limit_error", "overloaded_error"):
        return ProviderLimited(headers={"Retry-After": "5"})
    return ProviderError(message or None)


def _about_context(code: str | None, message: str) -> bool:
    return code in ("context_length_exceeded", "exceed_context_size_error") or (
        "context" in message and ("length" in message or "size" in message) and "exceed" in message
    )


def _words(body: bytes) -> tuple[str, str | None, str | None]:
    """Message, code and parameter of an OpenAI or Anthropic error body, as far as it has them."""
    try:
        data = orjson.loads(body)
    except ValueError:
        return "", None, None
    error = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(error, str):
        return error[:_LONGEST_MESSAGE], None, None
    if not isinstance(error, dict):
        return "", None, None
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    if not isinstance(code, str):
        code = error.get("type")
    return (
        message[:_LONGEST_MESSAGE] if isinstance(message, str) else "",
        code if isinstance(code, str) else None,
        param if isinstance(param, str) else None,
    )
