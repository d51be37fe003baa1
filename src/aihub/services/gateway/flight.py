"""One streamed answer on its way: read from the provider in a task of its own, so that a caller who leaves
does not leave the bill open."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from aihub.kernel.telemetry.logs import get_logger
from aihub.services.gateway.adapters.upstream import Chunk, Upstream
from aihub.services.gateway.contracts import ModelInfo, ProviderCut, ProviderError, Receipt
from aihub.services.gateway.domain import Usage, estimate_tokens
from aihub.services.gateway.metering import Meter, spoken_size, text_size, usage_of

log = get_logger("aihub.gateway")

_AHEAD = 64
"""Chunks read ahead of the caller; then the provider has to wait for a slow one."""


class Flight:
    """Chunks of one answer. `receipt` is there when the iteration has ended and something was delivered."""

    def __init__(
        self,
        upstream: Upstream,
        model: ModelInfo,
        body: dict[str, Any],
        meter: Meter,
        *,
        drain: float,
        landed: Callable[["Flight"], None],
    ) -> None:
        """`drain`: seconds to read on after the caller has left. `landed` is called at the very end."""
        self.model = model
        self.receipt: Receipt | None = None
        self._upstream = upstream
        self._body = body
        self._meter = meter
        self._drain = drain
        self._landed = landed
        self._queue: asyncio.Queue[Chunk | None] = asyncio.Queue(_AHEAD)
        self._begun = asyncio.Event()
        self._chunks = 0
        self.error: Exception | None = None
        self._left = False
        self._deadline: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._usage: Usage | None = None
        self._size = 0
        self._renamed: tuple[bytes, bytes] | None = None

    def take_off(self) -> None:
        """Begin to read. The credits must be held already."""
        self._task = asyncio.create_task(self._fly(), name="gateway-stream")

    async def first(self) -> None:
        """Wait until there is something to read; raises the error of an answer that never began."""
        try:
            await self._begun.wait()
        except asyncio.CancelledError:
            self.leave()
            raise
        if self.error is not None and not self._chunks:
            raise self.error

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Every chunk, the one with the usage too. Raises ProviderError when the answer breaks off."""
        while (chunk := await self._queue.get()) is not None:
            yield chunk
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        async for chunk in self.chunks():
            yield chunk.data

    def leave(self) -> None:
        """The caller wants no more. Does nothing after the end."""
        if self._left:
            return
        self._left = True
        while not self._queue.empty():  # a full queue keeps the reading task waiting
            self._queue.get_nowait()
        self._shorten(self._drain)

    def stop(self) -> None:
        """End now, and charge what came until now."""
        self._shorten(0)

    async def landed(self, within: float | None = None) -> None:
        """Wait, at most `within` seconds, until everything is settled."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within)

    def _shorten(self, seconds: float) -> None:
        if self._deadline is not None and not self._deadline.expired():
            when = asyncio.get_running_loop().time() + seconds
            planned = self._deadline.when()
            if planned is None or when < planned:
                self._deadline.reschedule(when)

    async def _fly(self) -> None:
        note = ""
        try:
            async with asyncio.timeout(None) as self._deadline:
                if self._left:
                    self._shorten(self._drain)
                await self._read()
        except ProviderError as exc:
            self.error = exc
            note = "broken off"
        except TimeoutError:
            self.error = ProviderCut("The hub stopped reading.")
            note = "stopped"
        except Exception as exc:  # noqa: BLE001 - the edge of this task: its caller gets what happened
            self.error = exc
            note = "broken off"
        finally:
            self._deadline = None
        try:
            await self._settle(note)
        except Exception as exc:
            log.exception("a streamed call could not be settled")
            self.error = self.error or exc
        finally:
            self._landed(self)
            self._begun.set()
            if not self._left:
                await self._queue.put(None)

    async def _read(self) -> None:
        async with self._upstream.stream(self._body) as chunks:
            async for chunk in chunks:
                self._chunks += 1
                self._count(chunk.data)
                if not self._left:
                    await self._queue.put(self._named(chunk))
                    self._begun.set()

    def _count(self, data: dict[str, Any]) -> None:
        self._usage = usage_of(data.get("usage")) or self._usage
        for choice in data["choices"]:
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self._size += spoken_size(delta)

    def _named(self, chunk: Chunk) -> Chunk:
        """The chunk under the name the caller knows; its bytes are patched, not written anew."""
        theirs = chunk.data.get("model")
        if theirs == self.model.name or not isinstance(theirs, str):
            return chunk
        chunk.data["model"] = self.model.name
        if self._renamed is None:
            self._renamed = (_quoted(theirs), _quoted(self.model.name))
        old, new = self._renamed
        raw = chunk.raw.replace(b'"model":' + old, b'"model":' + new, 1)
        return Chunk(raw.replace(b'"model": ' + old, b'"model":' + new, 1), chunk.data)

    async def _settle(self, note: str) -> None:
        usage = self._usage
        if usage is None and not self._size and self.error is not None:
            await self._meter.release()
            return
        if usage is None or note:
            asked = estimate_tokens(text_size(self._body.get("messages")))
            seen = Usage(asked, estimate_tokens(self._size), estimated=True)
            # A count sent before the break covers what was asked, perhaps not what was delivered.
            usage = (
                seen
                if usage is None
                else Usage(usage.input_tokens, max(usage.output_tokens, seen.output_tokens), estimated=True)
            )
        self.receipt = await self._meter.settle(usage, note)


def _quoted(text: str) -> bytes:
    return orjson.dumps(text)
