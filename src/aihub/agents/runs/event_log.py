"""Storing the events of one run: in small batches, and always before anybody is shown them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import orjson

from aihub.agents.queries import runs as run_rows
from aihub.agents.queries.runs import Event
from aihub.agents.runs.assembly import Assembly, Chunk, coalesced
from aihub.agents.runs.wakeups import Tail, Wakeups
from aihub.kernel.db import Database, Work, owned_by
from aihub.kernel.errors import AihubError, Unavailable
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.agents")
T = TypeVar("T")

_PAUSE = 0.06
_MOST_PENDING = 512
_PATIENCE = 60.0


class RunLost(AihubError):
    """Somebody else has ended this run, since this process seemed dead. Nothing more may be written."""

    code = "run.lost"
    status = 503
    title = "The answer was taken away from this process"
    remedy = "Reload the conversation; what was shown is kept and can be continued."


class EventLog:
    """The events of a run that this process executes.

    `put` gathers, a task of its own stores. Deltas that arrive while a batch is under way are joined, so
    that a fast model makes longer events instead of more transactions.
    """

    def __init__(self, database: Database, owner: UUID, run_id: UUID, wakeups: Wakeups, tail: Tail) -> None:
        self.assembly = Assembly()
        self.seq = 0
        self._database = database
        self._owner = owner
        self._run_id = run_id
        self._wakeups = wakeups
        self._tail = tail
        self._pending: list[Chunk] = []
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._failure: AihubError | None = None
        self._task = asyncio.create_task(self._write(), name="run-events")

    async def put(self, chunk: Chunk) -> None:
        """Take a chunk; waits when the database is far behind. Raises RunLost and Unavailable."""
        await self._room.wait()
        if self._failure is not None:
            raise self._failure
        self.assembly.take(chunk)
        self._pending.append(chunk)
        self._news.set()
        if len(self._pending) >= _MOST_PENDING:
            self._room.clear()

    async def drain(self) -> None:
        """Wait until everything is stored. Raises what `put` does."""
        await self.settled()
        if self._failure is not None:
            raise self._failure

    async def settled(self) -> None:
        """Wait until everything is stored or given up; from then on, `shown` is the only way in."""
        self._ended = True
        self._news.set()
        await asyncio.wait([self._task])
        if isinstance(self._failure, RunLost):
            raise self._failure

    def shown(self, batch: list[Event], *, done: bool = False) -> None:
        """Tell the readers of this process about a batch that was stored."""
        self.seq = batch[-1].seq
        self._tail.add(batch)
        self._tail.done = done
        self._wakeups.wake(self._run_id)

    async def close(self) -> None:
        """Write nothing more."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _write(self) -> None:
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                chunks, self._pending = self._pending, []
                self._room.set()
                if chunks:
                    await self._store(self._numbered(chunks))
                elif self._ended:
                    return
                if not self._ended:
                    await asyncio.sleep(_PAUSE)
                if self._pending or self._ended:
                    self._news.set()
        except AihubError as exc:
            self._failure = exc
        except Exception:  # the edge of this task: whoever puts has to learn of it
            log.exception("the events of a run could not be stored", run=str(self._run_id))
            self._failure = AihubError()
        finally:
            self._room.set()

    async def _store(self, batch: list[Event]) -> None:
        async def write() -> bool:
            async with self._database.work(owned_by(self._owner)) as work:
                return await store(work, self._run_id, batch)

        if not await patiently(write):
            raise RunLost()
        self.shown(batch)

    def _numbered(self, chunks: list[Chunk]) -> list[Event]:
        return [
            Event(seq, orjson.dumps(chunk).decode())
            for seq, chunk in enumerate(coalesced(chunks), start=self.seq + 1)
        ]


async def store(work: Work, run_id: UUID, batch: list[Event]) -> bool:
    """Append a batch and tell the other processes when this work commits; False for a run that has ended."""
    alive = await run_rows.append(work, run_id, batch)
    if alive:
        await work.notify(run_rows.CHANNEL, str(run_id))
    return alive


async def patiently(write: Callable[[], Awaitable[T]]) -> T:
    """Try again while the database cannot be reached, for a minute. Raises Unavailable after that."""
    clock = asyncio.get_running_loop().time
    deadline, wait = clock() + _PATIENCE, 0.1
    while True:
        try:
            return await write()
        except Unavailable:
            if clock() + wait > deadline:
                raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2.0)
