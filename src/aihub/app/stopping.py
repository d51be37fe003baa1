"""What signals ask of a process that serves.

SIGTERM, SIGINT and SIGHUP ask it to stop in order. The same again hurries: what is under way is cut off,
and only the database is still stopped in order. A third time ends the process on the spot.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HURRY = 0.5


class Stop:
    """The wish to stop. `wanted` is set by the first signal.

    Until `serving` is set there is nothing to stop in order, so the first signal cancels the start.
    """

    def __init__(self, main: "asyncio.Task[object]") -> None:
        self.wanted = asyncio.Event()
        self.forced = False
        self.serving = False
        self._main = main
        self._signals = 0

    def ask(self) -> None:
        """One more signal."""
        self._signals += 1
        self.wanted.set()
        if self._signals >= 3:
            os._exit(130)
        if self._signals == 2:
            self.forced = True
            # Twice: the first ends the waiting for what is under way, the second its orderly end.
            asyncio.get_running_loop().call_later(_HURRY, self._main.cancel)
        if self.forced or not self.serving:
            self._main.cancel()


@contextlib.contextmanager
def stop_signals() -> Iterator[Stop]:
    """Within, signals ask the current task to stop instead of ending the process.

    A SIGHUP that whoever started the process chose to ignore (nohup) stays ignored.
    """
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    if main is None:
        raise RuntimeError("there is no task to stop")
    stop = Stop(main)
    heard = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, stop.ask)
    try:
        yield stop
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
