"""How a run that is under way is told to end."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aihub.kernel.errors import AihubError


class Brake:
    """Pulled at most once; `reason` is the error the run then ends with."""

    def __init__(self) -> None:
        self.reason: AihubError | None = None
        self._watchers: list[Callable[[], object]] = []
        self._pulled = asyncio.Event()

    def pull(self, reason: AihubError) -> None:
        if self.reason is None:
            self.reason = reason
            self._pulled.set()
            for watcher in list(self._watchers):
                watcher()

    async def rest(self, seconds: float) -> None:
        """Wait so long. Raises the reason when the brake is pulled meanwhile."""
        try:
            await asyncio.wait_for(self._pulled.wait(), seconds)
        except TimeoutError:
            return
        if self.reason is not None:
            raise self.reason

    @contextmanager
    def ends(self, watcher: Callable[[], object]) -> Iterator[None]:
        """Call `watcher` when the brake is pulled inside this block, or at once if it was pulled before."""
        self._watchers.append(watcher)
        try:
            if self.reason is not None:
                watcher()
            yield
        finally:
            self._watchers.remove(watcher)
