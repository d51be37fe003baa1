"""What supervising a chat model and an embedding model has in common: state, waiting, trying again."""

import asyncio
import logging
import secrets
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind, withdraw
from aihub.services.gateway.adapters.embedded.errors import ModelLoading, ModelUnavailable, ModelUnusable
from aihub.services.gateway.adapters.embedded.process import ModelProcess
from aihub.services.gateway.adapters.embedded.weights import Weights, fetch

_log = logging.getLogger(__name__)

# A model that could not even be loaded this often in a row is broken, not unlucky.
_TRIES = 3

State = Literal["absent", "downloading", "loading", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class ModelState:
    """What people are shown.

    `share` (0 to 1) is there while downloading, `code` and `remedy` after a failure. `stopped` means
    asleep: the model starts when it is asked. `demonstration` marks the model that comes with the
    hub, which is small enough to be wrong about most things.
    """

    state: State
    model_name: str
    detail: str = ""
    share: float | None = None
    code: str | None = None
    remedy: str | None = None
    demonstration: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds: of loading, of probing, and between attempts.

    The pauses between restarts grow only while the model dies within `settled` of being ready.
    """

    load: float = 600.0
    probe: float = 5.0
    silence: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 30.0
    download_pause: float = 5.0
    longest_download_pause: float = 300.0
    settled: float = 1.0


class Pause:
    """Waiting times that double from `first` to `longest`."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self.next = first

    def take(self) -> float:
        pause, self.next = self.next, min(self.next * 2, self._longest)
        return pause

    def reset(self) -> None:
        self.next = self._first


class Model:
    """One supervised model; subclasses say what it needs (`prepare`) and what one life of it is (`live`)."""

    kind: ClassVar[Kind]

    def __init__(self, home: Path, name: str, limits: Limits) -> None:
        self.home = home
        self.limits = limits
        self.state = ModelState("absent", name)
        self.prepared = asyncio.Event()
        self.api_key = secrets.token_urlsafe(32)
        self._endpoint: Endpoint | None = None
        self._ready_at = 0.0
        self._changed = asyncio.Event()
        self._woken = asyncio.Event()

    async def prepare(self) -> None:
        """Make present what the model needs. Raises ModelUnavailable."""
        raise NotImplementedError

    async def live(self) -> str | None:
        """Run the model once; returns why it died, None if it ended as meant. Raises ModelUnavailable."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Called on failure, before callers are told: take back what was promised to them."""
        withdraw(self.home, self.kind, self.api_key)

    def wake(self) -> None:
        """End the sleep of an idle model."""
        if self.state.state == "stopped":
            self._woken.set()

    def retry(self) -> None:
        """End the pause after a failure."""
        if self.state.state == "failed":
            self._set("loading", "Trying again.")
            self._woken.set()

    async def endpoint(self, within: float) -> Endpoint:
        try:
            async with asyncio.timeout(within):
                while self._endpoint is None:
                    if self.state.state == "stopped":
                        self.wake()
                    if self.state.state == "failed":
                        raise ModelUnavailable(self.state.detail, remedy=self.state.remedy)
                    await self._changed.wait()
        except TimeoutError:
            raise ModelLoading(self.state.detail or None) from None
        return self._endpoint

    async def run(self) -> None:
        """Prepare and live again and again until cancelled."""
        deaths = Pause(self.limits.first_pause, self.limits.longest_pause)
        downloads = Pause(self.limits.download_pause, self.limits.longest_download_pause)
        fruitless = 0
        while True:
            pause = deaths
            try:
                await self.prepare()
                self.prepared.set()
                downloads.reset()
                death = await self.live()
                fruitless = 0
                if death is None or time.monotonic() - self._ready_at > self.limits.settled:
                    deaths.reset()
                if death is None:
                    continue
                self._set("loading", death)
            except ModelUnusable as exc:
                fruitless += 1
                if fruitless < _TRIES:
                    self._set("loading", str(exc))
                else:
                    self._fail(exc)
            except ModelUnavailable as exc:
                self._fail(exc)
                pause = downloads
            except Exception:  # noqa: BLE001 - the loop: a defect of ours must not end the supervision
                _log.exception("supervising the embedded %s model failed", self.kind)
                self._fail(ModelUnavailable("An unexpected error; the log of the server has its details."))
            self.prepared.set()
            await self.asked(pause.take())

    async def asked(self, within: float | None = None) -> bool:
        """Wait to be woken, at most `within` seconds."""
        try:
            async with asyncio.timeout(within):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def have(self, weights: Weights) -> Path:
        """The folder of `weights`, downloaded when needed, with the state showing how far it is."""
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def show(share: float) -> None:
            loop.call_soon_threadsafe(self._set, "downloading", f"Downloading {weights.title}.", share)

        fetching = asyncio.create_task(asyncio.to_thread(fetch, weights, self.home, show, stop))
        try:
            return await asyncio.shield(fetching)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.gather(fetching, return_exceptions=True)
            raise

    async def serve(self, process: ModelProcess, endpoint: Endpoint, probe: str) -> str | None:
        """Be ready as long as `process` lives and answers GET `probe`.

        Returns why it died, None for exit code 0.
        """
        self._endpoint = endpoint
        self._ready_at = time.monotonic()
        self._set("ready", f"Answers as process {process.pid}.")
        _log.info("embedded %s model %s is ready", self.kind, endpoint.model_name)
        ended = asyncio.create_task(process.ended())
        hung = asyncio.create_task(
            process.hung(endpoint, probe, every=self.limits.probe, limit=self.limits.silence)
        )
        try:
            await asyncio.wait((ended, hung), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                death: str | None = f"The model process gave no answer for {self.limits.silence:g} s."
                process.kill()
            else:
                death = process.last_words(ended.result()) if ended.result() != 0 else None
        finally:
            self._endpoint = None
            for task in (ended, hung):
                task.cancel()
            await asyncio.gather(ended, hung, return_exceptions=True)
        if death is not None:
            _log.warning("embedded %s model: %s", self.kind, death)
        return death

    def _set(self, state: State, detail: str = "", share: float | None = None) -> None:
        self.state = replace(self.state, state=state, detail=detail, share=share, code=None, remedy=None)
        self._tell()

    def _fail(self, error: ModelUnavailable) -> None:
        _log.error("embedded %s model: %s: %s", self.kind, error.code, error)
        self.give_up()
        self.state = replace(
            self.state, state="failed", detail=str(error), share=None, code=error.code, remedy=error.hint
        )
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
