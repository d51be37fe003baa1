"""From the chunks of a stream to the message they make up, and back.

The vocabulary is that of the Vercel AI UI message stream, version 1. The same rules serve the process
that writes an answer, the one that finds it cut off, and whoever reads it half-way.
"""

from collections.abc import Iterable, Iterator
from typing import Any

Chunk = dict[str, Any]


class Assembly:
    """The message so far. Feed it chunks in order."""

    def __init__(self, chunks: Iterable[Chunk] = ()) -> None:
        self.parts: list[Chunk] = []
        self.facts: dict[str, Any] = {}
        self._open: dict[str, Chunk] = {}
        self._tools: dict[str, Chunk] = {}
        self._inputs: dict[str, list[str]] = {}
        self._texts: dict[str, list[str]] = {}
        self._in_step = False
        for chunk in chunks:
            self.take(chunk)

    @property
    def text(self) -> str:
        """All the text of the answer, without reasoning and tools."""
        return "".join(self._text_of(part) for part in self.parts if part["type"] == "text")

    def take(self, chunk: Chunk) -> None:
        """Add one chunk."""
        kind = chunk["type"]
        if kind in ("text-delta", "reasoning-delta"):
            self._texts.setdefault(chunk["id"], []).append(chunk["delta"])
        elif kind in ("text-start", "reasoning-start"):
            part = {"type": kind.removesuffix("-start"), "text": "", "state": "streaming", "_id": chunk["id"]}
            self._open[chunk["id"]] = part
            self._texts[chunk["id"]] = []
            self.parts.append(part)
        elif kind in ("text-end", "reasoning-end"):
            self._close(chunk["id"])
        elif kind.startswith("tool-"):
            self._take_tool(kind, chunk)
        elif kind == "start-step":
            self._in_step = True
            self.parts.append({"type": "step-start"})
        elif kind == "finish-step":
            self._in_step = False
        elif kind in ("start", "message-metadata", "finish"):
            self.facts.update(chunk.get("messageMetadata") or {})

    def _take_tool(self, kind: str, chunk: Chunk) -> None:
        call = chunk["toolCallId"]
        if kind == "tool-input-delta":
            self._inputs.setdefault(call, []).append(chunk["inputTextDelta"])
            return
        part = self._tools.get(call)
        if part is None:
            part = self._tools[call] = {
                "type": f"tool-{chunk.get('toolName', 'unknown')}",
                "toolCallId": call,
            }
            self.parts.append(part)
        part["state"] = kind.removeprefix("tool-").replace("input-start", "input-streaming")
        for name in ("input", "output", "errorText"):
            if name in chunk:
                part[name] = chunk[name]

    def _close(self, part_id: str) -> None:
        part = self._open.pop(part_id, None)
        if part is not None:
            part["text"] = self._text_of(part)
            part["state"] = "done"

    def _text_of(self, part: Chunk) -> str:
        return "".join(self._texts[part["_id"]]) if "_id" in part else part["text"]

    def closing(self) -> Iterator[Chunk]:
        """The chunks that properly end what is still open, in order. They must be taken, too."""
        for part_id, part in reversed(list(self._open.items())):
            yield {"type": f"{part['type']}-end", "id": part_id}
        for call, part in self._tools.items():
            if part["state"] in ("input-streaming", "input-available"):
                yield {
                    "type": "tool-output-error",
                    "toolCallId": call,
                    "errorText": "The answer ended first.",
                }
        if self._in_step:
            yield {"type": "finish-step"}

    def finished_parts(self) -> list[Chunk]:
        """The parts as they are stored with the message."""
        return [
            {
                k: v
                for k, v in (part | {"text": self._text_of(part)} if "_id" in part else part).items()
                if k != "_id"
            }
            for part in self.parts
        ]


def coalesced(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same stream with neighbouring deltas of one part joined, which makes it shorter to store."""
    held: Chunk | None = None
    for chunk in chunks:
        mergeable = chunk["type"] in ("text-delta", "reasoning-delta") and set(chunk) == {
            "type",
            "id",
            "delta",
        }
        if held is not None:
            if mergeable and held["type"] == chunk["type"] and held["id"] == chunk["id"]:
                held["delta"] += chunk["delta"]
                continue
            yield held
            held = None
        if mergeable:
            held = dict(chunk)
        else:
            yield chunk
    if held is not None:
        yield held
