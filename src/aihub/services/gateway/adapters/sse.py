"""Server-sent events: cutting a byte stream into events, and writing them."""

import re
from typing import Any

import orjson

from aihub.services.gateway.contracts import ProviderNonsense

LARGEST_EVENT = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")


class Cutter:
    """Collects pieces, however they were split, and gives out whole events without their blank line."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that `piece` completes. Raises ProviderNonsense for an event without an end."""
        data = self.rest + piece
        if b"\r" in data:
            *events, self.rest = _END.split(data)
        else:
            *events, self.rest = data.split(b"\n\n")
        if len(self.rest) > LARGEST_EVENT:
            raise ProviderNonsense("It sent an event that does not end.")
        return events


def data_of(event: bytes) -> bytes | None:
    """The data of one event; None for comments and other events without data."""
    if event.startswith(b"data:") and b"\n" not in event and b"\r" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def event_of(data: Any) -> bytes:
    """One event with JSON data."""
    return b"data: " + orjson.dumps(data) + b"\n\n"
