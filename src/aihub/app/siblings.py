"""More serving processes behind one address, for WORKERS above 1.

The first process does everything; its siblings only answer HTTP. They share its listening socket, so
that no connection is lost when one of them dies, are started again when they do, and never outlive it.
"""

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from aihub.app.targets import Target
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.siblings")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_SETTLED = 30.0
"""Seconds after which a death is taken as bad luck and not as a defect."""
_GRACE = 9.0


async def keep_siblings(
    number: int, listener: socket.socket, targets: Sequence[Target], stopping: asyncio.Event
) -> None:
    """Have `number` siblings answer on `listener` until `stopping` is set, then stop them in order."""
    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(_keep(listener, targets, stopping))


async def _keep(listener: socket.socket, targets: Sequence[Target], stopping: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    pause = _FIRST_PAUSE
    asked = asyncio.create_task(stopping.wait())
    try:
        while not stopping.is_set():
            born = clock()
            sibling = await _start(listener, targets)
            ended = asyncio.create_task(sibling.wait())
            try:
                await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(sibling)
                ended.cancel()
            if stopping.is_set():
                return
            pause = _FIRST_PAUSE if clock() - born > _SETTLED else pause
            log.warning(
                "a serving process ended and is started again",
                pid=sibling.pid,
                exit_code=sibling.returncode,
                retry_seconds=pause,
            )
            await asyncio.wait([asked], timeout=pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
    finally:
        asked.cancel()


async def _start(listener: socket.socket, targets: Sequence[Target]) -> Process:
    fd = listener.fileno()
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aihub.app.sibling", str(fd), ",".join(t.name for t in targets)),
        stdin=PIPE,  # its end tells the sibling that we are gone
        stdout=DEVNULL,
        pass_fds=(fd,),
        start_new_session=True,  # Ctrl-C in a terminal is for the first process, which stops the others
    )


async def _end(sibling: Process) -> None:
    if sibling.returncode is not None:
        return
    try:
        sibling.send_signal(signal.SIGTERM)
        await asyncio.wait_for(sibling.wait(), _GRACE)
    except TimeoutError:
        log.warning("a serving process did not stop in time and is cut off", pid=sibling.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            sibling.kill()
    await sibling.wait()
