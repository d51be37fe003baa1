"""The HTTP/1.1 protocol of the server: uvicorn's, with bounded heads and refusals in our form.

A head is bounded in size and in time, and so is the rest of a body after its answer (while it is still
read, `pace` looks after it). Otherwise anybody could hold connections open for nothing until none are left.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aihub.kernel.errors import AihubError, BadRequest
from aihub.kernel.ids import new_id

LARGEST_HEAD = 64 * 1024
"""Bytes of request line and headers together; the parser itself knows no end."""
HEAD_SECONDS = 30.0
"""From the connection, or from the first byte of a further request, to the end of its headers."""


class HeadTooLarge(AihubError):
    code = "request.head_too_large"
    status = 431
    title = "The request's address and headers are too long"
    remedy = "Send a shorter address, fewer headers or fewer cookies."


class HeadTooSlow(AihubError):
    code = "request.head_too_slow"
    status = 408
    title = "The request's address and headers took too long to arrive"
    remedy = "Send the request again, in one go."


_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class HttpProtocol(HttpToolsProtocol):
    """What cannot be parsed is answered with problem details, as every other refusal is."""

    _in_head = False
    _waiting = 0
    """Bytes of a head that has begun and not ended."""
    _parsed = 0
    """Bytes of addresses and headers read from this head."""
    _had_head = False
    _in_body = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self._out_of_patience)

    def _head_is_there(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _out_of_patience(self) -> None:
        self._patience = None
        if self._in_body and self.cycle.response_complete:
            self.transport.close()
        elif self._had_head and not self.cycle.response_complete:
            self._wait_for_head()  # half a request behind one that is still being answered
        elif self._in_head:
            self._refuse(HeadTooSlow())
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        began_before = self._in_head
        super().data_received(data)
        if began_before and self._in_head:
            self._waiting += len(data)
            if self._waiting > LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        self._in_head, self._waiting, self._parsed = True, 0, 0
        self._wait_for_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._had_head, self._in_body = False, True, True
        self._head_is_there()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._head_is_there()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_body:  # nobody reads the rest of this body
            self._wait_for_head()

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > LARGEST_HEAD:
            raise HeadTooLarge  # the parser stops and calls send_400_response

    def send_400_response(self, msg: str) -> None:
        too_large = self._parsed > LARGEST_HEAD
        self._refuse(
            HeadTooLarge() if too_large else BadRequest("This is not a well-formed HTTP/1.1 request.")
        )

    def _refuse(self, error: AihubError) -> None:
        request_id = str(new_id())
        body = orjson.dumps(error.problem(request_id))
        head = (
            b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\nx-request-id: %s\r\n"
            b"x-content-type-options: nosniff\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(
            head % (error.status, _REASONS[error.status], request_id.encode(), len(body)) + body
        )
        self.transport.close()
