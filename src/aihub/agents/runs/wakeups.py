"""Who waits for news of a run, in this process and from the others.

What was stored a moment ago by this process is kept at hand for its own readers; everything else is
read from the database when a notification says that there is news.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from aihub.agents.queries.runs import Event

_KEPT = 256


class Tail:
    """The last stored events of a run that this process executes. `done` after the last one."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self.done = False

    def add(self, batch: Sequence[Event]) -> None:
        self._events.extend(batch)

    def after(self, seq: int) -> list[Event] | None:
        """The events after `seq`, or None when they are not all here."""
        if not self._events:
            return None
        if seq + 1 < self._events[0].seq:
            return None
        return [event for event in self._events if event.seq > seq]


class Wakeups:
    """Readers register per run; `wake` tells them that there is something to read."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._tails: dict[UUID, Tail] = {}
        self._stops: dict[UUID, Callable[[], None]] = {}

    @contextmanager
    def executing(self, run_id: UUID, stop: Callable[[], None]) -> Iterator[Tail]:
        """This process executes the run; `stop` is called when somebody wants it to end."""
        tail = self._tails[run_id] = Tail()
        self._stops[run_id] = stop
        try:
            yield tail
        finally:
            del self._tails[run_id], self._stops[run_id]
            self.wake(run_id)

    @contextmanager
    def reading(self, run_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be news. Clear it before looking."""
        event = asyncio.Event()
        self._waiting.setdefault(run_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[run_id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[run_id]

    def tail(self, run_id: UUID) -> Tail | None:
        return self._tails.get(run_id)

    def wake(self, run_id: UUID) -> None:
        for event in self._waiting.get(run_id, ()):
            event.set()

    def wake_all(self) -> None:
        """Notifications may have been missed: everybody looks for themselves."""
        for run_id in self._waiting:
            self.wake(run_id)

    def heard(self, payload: str) -> None:
        """A notification: `<run id>` for news, `stop <run id>` for the wish to end it."""
        word, _, rest = payload.rpartition(" ")
        try:
            run_id = UUID(rest)
        except ValueError:
            return
        if word == "stop":
            stop = self._stops.get(run_id)
            if stop is not None:
                stop()
        elif run_id not in self._tails:  # this process wakes the readers of its own runs itself
            self.wake(run_id)
