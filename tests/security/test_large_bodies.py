"""A client that sends too much gets to read why, and cannot keep the hub busy with it."""

import asyncio

from tests.services.gateway.conftest import Hub

MIB = 1024**2


async def _sent(hub: Hub, head: str, pieces: list[bytes]) -> bytes:
    """Send everything, and only then read, as simple clients do."""
    host, _, port = hub.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/embeddings HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n{head}".encode()
    )
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


async def test_an_answer_reaches_who_still_sends(models: Hub) -> None:
    key = f"Authorization: Bearer {models.admin.key}\r\n"
    declared = await _sent(models, f"{key}Content-Length: {24 * MIB}\r\n\r\n", [b" " * MIB] * 24)
    assert declared.startswith(b"HTTP/1.1 413 "), declared[:200]
    assert b"request.too_large" in declared
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    chunked = await _sent(models, f"{key}Transfer-Encoding: chunked\r\n\r\n", [chunk] * 24 + [b"0\r\n\r\n"])
    assert chunked.startswith(b"HTTP/1.1 413 "), chunked[:200]


async def test_who_never_stops_sending_is_cut_off(models: Hub) -> None:
    host, _, port = models.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/embeddings HTTP/1.1\r\nHost: hub\r\nContent-Length: 99999999999\r\n\r\nx")
    async with asyncio.timeout(25):
        answer = await reader.read()  # to the end: the hub closes although we have not sent the rest
    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_who_asks_before_sending_has_the_answer_at_once(models: Hub) -> None:
    host, _, port = models.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /v1/embeddings HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\n"
    writer.write(head.encode() + b"Content-Length: 99999999\r\n\r\n")
    async with asyncio.timeout(20):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    writer.close()
