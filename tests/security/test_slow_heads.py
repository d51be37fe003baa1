"""Nobody holds a connection open by saying nothing, or half of something."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from tests.support.waiting import until

from aihub.kernel.http import protocol
from aihub.kernel.http.protocol import HttpProtocol

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    async def words() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"word "
            await asyncio.sleep(0.3)

    await StreamingResponse(words())(scope, receive, send)


@pytest.fixture
async def connect(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Streams]:
    """A connection to a server that waits a second for a head."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(_app, http=HttpProtocol, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer
        writer.close()
        server.should_exit = True
        await task


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        return await reader.read()


async def test_a_silent_connection_is_closed(connect: Streams) -> None:
    assert await _until_closed(connect[0]) == b""


async def test_half_a_head_is_refused(connect: Streams) -> None:
    reader, writer = connect
    writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\nX-Slow: ")
    answer = await _until_closed(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request.head_too_slow" in answer


async def test_a_whole_request_may_take_its_time_to_be_answered(connect: Streams) -> None:
    reader, writer = connect
    writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
    began = time.monotonic()
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    answer = await reader.readuntil(b"\r\n0\r\n\r\n")
    assert answer.count(b"word") == 6
    assert time.monotonic() - began > 1.0
    writer.write(b"GET / HTTP/1.1\r\n")
    assert (await _until_closed(reader)).startswith(b"HTTP/1.1 408 ")


async def test_half_a_request_does_not_cut_the_answer_before_it(connect: Streams) -> None:
    reader, writer = connect
    writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\nGET / HTTP/1.1\r\n")
    answer = await _until_closed(reader)
    assert answer.count(b"word") == 6
