"""Following a run: stored events first, then live ones, whoever writes them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import orjson

from aihub.agents.contracts import Run
from aihub.agents.queries import conversations as rows
from aihub.agents.queries import runs as run_rows
from aihub.agents.queries.runs import Event
from aihub.agents.runs.executor import RunExecutor
from aihub.agents.runs.wakeups import Wakeups
from aihub.kernel.db import Database, owned_by
from aihub.kernel.errors import Unavailable

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "x-vercel-ai-ui-message-stream": "v1",
}
DONE = b"data: [DONE]\n\n"
_ALIVE = b": alive\n\n"
_BEAT = 15.0
_LOOK = 2.0
_TOGETHER = 0.05
_BATCH = 200
_OUTAGE = 30.0


def frame(event: Event) -> bytes:
    return b"id: %d\ndata: %s\n\n" % (event.seq, event.data.encode())


async def follow(
    executor: RunExecutor, database: Database, owner: UUID, run: Run, after: int
) -> AsyncIterator[bytes]:
    """Server-sent events of a run from the one after `after` on, until its end.

    No connection is held while there is nothing to read. When this process or the database goes away for
    long, the stream ends without its last word, so that the reader comes back with the last number it saw.
    """
    loop = asyncio.get_running_loop()
    last_byte = loop.time()
    reader = _Reader(database, executor.wakeups, owner, run, after)
    with executor.wakeups.reading(run.id) as news:
        while True:
            news.clear()
            try:
                batch = await reader.read()
            except Unavailable:
                if loop.time() - reader.last_success > _OUTAGE:
                    return
                batch = []
            if batch:
                yield b"".join(map(frame, batch))
                last_byte = loop.time()
                continue
            if reader.ended:
                yield DONE
                return
            if executor.closing and executor.wakeups.tail(run.id) is None:
                return
            quiet = loop.time() - last_byte
            if quiet >= _BEAT:
                yield _ALIVE
                last_byte = loop.time()
                continue
            try:
                await asyncio.wait_for(news.wait(), min(_LOOK, _BEAT - quiet))
            except TimeoutError:
                continue
            if executor.wakeups.tail(run.id) is None:
                await asyncio.sleep(_TOGETHER)  # another process writes: let a few notifications gather


class _Reader:
    """Reads what is new, from memory when this process executes the run and has it at hand."""

    def __init__(self, database: Database, wakeups: Wakeups, owner: UUID, run: Run, after: int) -> None:
        self.ended = False
        self.last_success = asyncio.get_running_loop().time()
        self._database = database
        self._wakeups = wakeups
        self._owner = owner
        self._run = run
        self._after = after

    async def read(self) -> list[Event]:
        """The next events. `ended` is set when there are none and there will be none. Raises Unavailable."""
        tail = self._wakeups.tail(self._run.id)
        near = tail.after(self._after) if tail is not None else None
        if tail is not None and near is not None:
            self.last_success = asyncio.get_running_loop().time()
            self.ended = tail.done and not near
            return self._advance(near)
        async with self._database.work(owned_by(self._owner)) as work:
            # The state is read before the events, so that an end is only believed when all were seen.
            run = await run_rows.run(work, self._owner, self._run.id)
            events = await run_rows.events(work, self._run.id, self._after, _BATCH)
            if run is not None and run.status != "running" and not events:
                self.ended = True
                if self._after < run.last_event:
                    # The events were cleared away: tell the whole from the message.
                    message = await rows.message(work, self._owner, run.conversation_id, run.message_id)
                    events = _retold(run, message.text if message else "", self._after)
        self.last_success = asyncio.get_running_loop().time()
        self.ended = self.ended or run is None
        return self._advance(events)

    def _advance(self, events: list[Event]) -> list[Event]:
        if events:
            self._after = events[-1].seq
        return events


def _retold(run: Run, text: str, after: int) -> list[Event]:
    """A finished answer whose events are gone, in few words. Only for readers who had seen none of it."""
    chunks: list[dict[str, object]] = [{"type": "finish", "finishReason": "stop"}]
    if after == 0 and run.last_event >= 5:
        chunks = [
            {"type": "start", "messageId": str(run.message_id)},
            {"type": "text-start", "id": "text"},
            {"type": "text-delta", "id": "text", "delta": text},
            {"type": "text-end", "id": "text"},
            *chunks,
        ]
    first = run.last_event - len(chunks) + 1
    return [Event(first + n, orjson.dumps(chunk).decode()) for n, chunk in enumerate(chunks)]
