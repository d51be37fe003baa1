"""The parent's side of a model process: start it, hear it, notice that it hangs, end it."""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, answers, stat_fields
from aihub.services.gateway.adapters.embedded.errors import ModelUnusable

_log = logging.getLogger(__name__)

# A model process reads the files it is told to read; it has no business with the hub's secrets.
_INHERITED = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    | {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
)
# A process that uses the processor may be thinking; after this many times the limit we stop believing it.
_PATIENCE = 20
_TICKS = os.sysconf("SC_CLK_TCK")


class ModelProcess:
    """A running child that has said where it serves."""

    def __init__(self, process: Process, address: str, said: deque[str]) -> None:
        self._process = process
        self._said = said
        self.address = address

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def launch(
        cls, module: str, config: Mapping[str, object], *, within: float, inherit: Sequence[int] = ()
    ) -> "ModelProcess":
        """Start `module`, hand it `config` and wait up to `within` seconds for its address.

        Raises ModelUnusable with the child's last words when it ends or stays silent instead.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={
                **{k: v for k, v in os.environ.items() if k in _INHERITED},
                "OPENBLAS_NUM_THREADS": "1",
                "TOKENIZERS_PARALLELISM": "false",
            },
            pass_fds=inherit,
            start_new_session=True,
        )
        said: deque[str] = deque(maxlen=30)
        address: str | None = None
        try:
            async with asyncio.timeout(within):
                address = await _greet(process, config, said)
        except TimeoutError as exc:
            raise ModelUnusable(f"The model did not load within {within:g} s.") from exc
        finally:
            if address is None:
                await _kill(process)
        if address is None:
            raise ModelUnusable(_last_words(said, process.returncode))
        return cls(process, address, said)

    async def ended(self) -> int:
        """Wait for the process to end; returns its exit code (negative: the signal)."""
        return await self._process.wait()

    async def hung(self, endpoint: Endpoint, path: str, *, every: float, limit: float) -> None:
        """Return when GET `path` has had no answer for `limit` seconds in which the process did nothing.

        A process that works without answering (a long prompt on a large model) gets twenty times as long.
        """
        answered, worked = time.monotonic(), self._cpu_seconds()
        while True:
            await asyncio.sleep(every)
            if await answers(endpoint, path, within=max(every, 1.0)):
                answered, worked = time.monotonic(), self._cpu_seconds()
                continue
            silence = time.monotonic() - answered
            busy = self._cpu_seconds() - worked > 0.05 * silence
            if silence > limit * (_PATIENCE if busy else 1):
                return

    def kill(self) -> None:
        """End the process by force; it notices nothing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self, grace: float = 3.0) -> None:
        """End the process: by closing its input, then by force after `grace` seconds."""
        if self._process.returncode is None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                async with asyncio.timeout(grace):
                    await self._process.wait()
            except TimeoutError:
                _log.warning("model process %d did not stop by itself", self.pid)
        await _kill(self._process)

    def last_words(self, code: int) -> str:
        """Why it ended, as far as it told."""
        return _last_words(self._said, code)

    def _cpu_seconds(self) -> float:
        fields = stat_fields(self.pid)
        return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


async def _greet(process: Process, config: Mapping[str, object], said: deque[str]) -> str | None:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("asked for pipes and got none")
    listening = asyncio.create_task(_listen(process.stderr, said))
    process.stdin.write(json.dumps(config).encode() + b"\n")
    first = await process.stdout.readline()
    if not first:
        await asyncio.gather(process.wait(), listening)
        return None
    _LISTENING.add(listening)
    listening.add_done_callback(_LISTENING.discard)
    return str(json.loads(first)["address"])


# The event loop keeps only weak references to tasks.
_LISTENING: set[asyncio.Task[None]] = set()


async def _listen(stream: asyncio.StreamReader, said: deque[str]) -> None:
    while chunk := await stream.read(4096):
        for line in chunk.decode("utf-8", errors="replace").splitlines():
            if line.strip():
                said.append(line.strip())
                _log.debug("model process: %s", line.rstrip())


async def _kill(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_words(said: Sequence[str], code: int | None) -> str:
    how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
    return f"The model process ended {how}" + (f": {said[-1][:300]}" if said else ".")
