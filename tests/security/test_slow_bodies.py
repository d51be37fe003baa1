"""Nobody holds a connection open with a body that hardly comes, and trying counts against their address."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from tests.services.conftest import MODULES
from tests.support.runtime import open_runtime, settings_for
from tests.support.waiting import until

from aihub.app.build import create_app
from aihub.kernel.http import pace, protocol
from aihub.kernel.http.protocol import HttpProtocol

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
HEAD = b"POST /api/v1/password-strength HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
KEY = b"Authorization: Bearer ahk_00000000_" + b"a" * 43 + b"\r\n"
GUESS = json.dumps({"password": "correct horse battery staple"}).encode()


@pytest.fixture
async def connect(dsn: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Connections to a hub that waits half a second for a body, a second for 40 bytes more, and five for the
    rest of what it refused."""
    monkeypatch.setattr(pace, "PATIENCE", 0.5)
    monkeypatch.setattr(pace, "SLOWEST", 40)
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 5.0)
    settings = settings_for(home, MODULES, AIHUB_LIMITS="edge.api=1000/1s burst 1000,api.general=3/1h")
    opened: list[asyncio.StreamWriter] = []
    async with open_runtime(dsn, settings, MODULES) as runtime:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            app = create_app(runtime)
            server = uvicorn.Server(uvicorn.Config(app, http=HttpProtocol, log_config=None, lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            await until(lambda: server.started)

            async def one() -> Streams:
                streams = await asyncio.open_connection(*listener.getsockname())
                opened.append(streams[1])
                return streams

            yield one
            for writer in opened:
                writer.close()
            server.should_exit = True
            await task


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed, which may be while we still send."""
    answer = b""
    async with asyncio.timeout(60):
        with suppress(ConnectionResetError):
            while piece := await reader.read(65536):
                answer += piece
    return answer


async def _drip(connect: Connect, head: bytes) -> bytes:
    """A body of 1,000 bytes, one every tenth of a second, until somebody ends it."""
    reader, writer = await connect()
    writer.write(head + b"Content-Length: 1000\r\n\r\n")

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    try:
        return await _answer(reader)
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_body_that_drips_is_refused(connect: Connect) -> None:
    began = time.monotonic()
    answer = await _drip(connect, HEAD)
    assert time.monotonic() - began < 60, "the 1,000 bytes would have taken longer"
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    problem = json.loads(body)
    assert (problem["code"], problem["status"]) == ("request.body_too_slow", 408)
    assert problem["remedy"]


async def test_trying_counts_whatever_key_is_claimed(connect: Connect) -> None:
    head = HEAD.replace(b"/api/v1/password-strength", b"/api/v1/keys") + KEY
    answers = await asyncio.gather(*(_drip(connect, head) for _ in range(5)))
    assert sorted(answer[9:12] for answer in answers) == [b"408", b"408", b"408", b"429", b"429"]


async def test_a_slow_body_at_a_pace_is_read(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PATIENCE", 2.5)
    monkeypatch.setattr(pace, "SLOWEST", 10)
    reader, writer = await connect()
    body = GUESS + b" " * (100 - len(GUESS))
    writer.write(HEAD + b"Connection: close\r\nContent-Length: 100\r\n\r\n")
    for at in range(0, 100, 20):
        writer.write(body[at : at + 20])
        await writer.drain()
        await asyncio.sleep(0.6)  # in all longer than the patience
    assert (await _answer(reader)).startswith(b"HTTP/1.1 200 ")


async def test_the_rest_of_a_body_that_nobody_reads_is_not_waited_for(connect: Connect) -> None:
    head = b"POST /api/nope HTTP/1.1\r\nHost: hub\r\n"
    answer = await _drip(connect, head)
    assert answer.startswith(b"HTTP/1.1 404 ")
