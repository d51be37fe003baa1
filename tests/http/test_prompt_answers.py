"""Nothing waits on the way out: the pieces of an answer are sent as they come."""

import asyncio
import socket

from aihub.app.start import bind


async def test_a_piece_does_not_wait_until_the_one_before_has_arrived() -> None:
    """Otherwise each answer in two parts, as most are, would take 40 ms longer on a kept connection."""
    at_once: list[int] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted: socket.socket = writer.get_extra_info("socket")
        at_once.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, sock=bind("127.0.0.1", 0)) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert [bool(flag) for flag in at_once] == [True]
