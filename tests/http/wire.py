"""Requests as bytes: what no well-behaved HTTP client would send."""

import json
import socket
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Wire:
    """A client of one hub."""

    port: int

    def raw(self, data: bytes, *, end: bool = False, timeout: float = 20) -> Reply:
        """Send exactly these bytes and read one answer; `end` closes our side after them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before everything was sent; the answer is there to read
            received = b""
            while piece := _more(connection):
                received += piece
        return _reply(received)

    def raw_unanswered(self, data: bytes) -> None:
        """Send these bytes, end our side, and wait for the other to give up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while _more(connection):
                pass

    def send(
        self,
        method: str,
        path: str | bytes,
        body: bytes | None = None,
        *,
        key: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        kind: bytes = b"application/json",
    ) -> Reply:
        """One request on a connection of its own, with the body's true length unless a header says other."""
        target = path if isinstance(path, bytes) else path.encode()
        lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: hub", b"Connection: close"]
        names = {name.lower() for name, _ in headers}
        if body is not None and b"content-type" not in names:
            lines.append(b"Content-Type: " + kind)
        if body is not None and not names & {b"content-length", b"transfer-encoding"}:
            lines.append(b"Content-Length: %d" % len(body))
        if key is not None:
            lines.append(b"Authorization: Bearer " + key.encode())
        lines += [name + b": " + value for name, value in headers]
        return self.raw(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""))


def _more(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def _reply(received: bytes) -> Reply:
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    assert first.startswith(b"HTTP/1.1 "), received[:200]
    headers = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.decode().lower()] = value.strip().decode("latin-1")
    if headers.get("transfer-encoding") == "chunked":
        rest = _unchunked(rest)
    return Reply(int(first.split()[1]), headers, rest)


def _unchunked(rest: bytes) -> bytes:
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            break
        body, rest = body + rest[:length], rest[length + 2 :]
    return body
