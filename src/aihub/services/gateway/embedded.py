"""The models that run on this machine, as the gateway sees them from any process."""

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aihub.kernel.telemetry.logs import get_logger
from aihub.services.gateway.adapters.embedded import choice, report
from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind, discover
from aihub.services.gateway.adapters.embedded.errors import ModelLoading, ModelUnavailable
from aihub.services.gateway.adapters.embedded.model import ModelState, State
from aihub.services.gateway.adapters.embedded.supervisor import EmbeddedModels
from aihub.services.gateway.contracts import DEMONSTRATION_MODEL, EMBEDDING_MODEL, Readiness
from aihub.services.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.embedded")

_TURN = 2.0
"""Seconds between two looks whether the process that runs the models is gone."""

_LOOK = 0.5
"""Seconds between two looks whether another process of this hub made a choice."""

_NAMES: dict[Kind, str] = {"chat": DEMONSTRATION_MODEL, "embedding": EMBEDDING_MODEL}


_READINESS: dict[State, Readiness] = {
    "absent": "downloading",
    "downloading": "downloading",
    "loading": "loading",
    "ready": "ready",
    "failed": "failed",
    "stopped": "ready",  # asleep: it wakes when it is asked
}


class Embedded:
    """The embedded models: run here when `models` is given, else found where another process runs them."""

    def __init__(
        self, home: Path, *, switched_on: bool, models: EmbeddedModels | None, gguf: Path | None = None
    ) -> None:
        self._home = home
        self._gguf = gguf
        self.switched_on = switched_on
        self._models = models
        self._lock: int | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._followed: tuple[int, int] | None = None
        self._told: ModelState | None = None

    @classmethod
    async def start(cls, runtime: "Runtime") -> "Embedded":
        """Begin to load in the background where this process has that duty.

        One process of a home runs the models; others with the duty take over when it is gone.
        """
        settings = runtime.settings[GatewaySettings]
        home = runtime.kernel.home
        embedded = cls(home, switched_on=settings.embedded, models=None, gguf=settings.embedded_gguf)
        if settings.embedded and "embedded" in runtime.duties:
            models = EmbeddedModels(home, gguf=settings.embedded_gguf, threads=settings.embedded_threads)
            if not embedded._take(models):
                log.info("another process of this hub runs the embedded models")
                embedded._waiting = asyncio.create_task(embedded._take_over(models), name="embedded-turn")
        return embedded

    def _take(self, models: EmbeddedModels) -> bool:
        """Run the models, unless another process of this home does."""
        path = self._home / "run" / "embedded.lock"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        self._followed = choice.mark(self._home)
        models.start()
        self._models = models
        self._following = asyncio.create_task(self._follow(models), name="embedded-choice")
        return True

    async def _take_over(self, models: EmbeddedModels) -> None:
        while True:
            await asyncio.sleep(_TURN)
            if self._take(models):
                log.info("this process runs the embedded models now")
                return

    async def _follow(self, models: EmbeddedModels) -> None:
        """Run what is chosen, whichever process was told, and tell the others how it is."""
        while True:
            try:
                await self._catch_up(models)
            except OSError:  # a full disk is no reason to stop looking
                log.exception("telling how the embedded model is failed")
            await asyncio.sleep(_LOOK)

    async def _catch_up(self, models: EmbeddedModels) -> None:
        now = choice.mark(self._home)
        state = models.state("chat")
        if now != self._followed:
            self._followed = now
            if state.model_name != self.wanted() or state.state == "failed":
                await models.run_chosen()
        state = models.state("chat")
        if state != self._told:
            report.tell(self._home, state)
            self._told = state

    def wanted_file(self) -> Path | None:
        """The file of the chat model that is meant to run; None for the demonstration model."""
        said, file = choice.explicit(self._home, self._gguf)
        if said:
            return file
        runs = self._seen()
        if runs is None:
            return choice.own_file(self._home, self._gguf)
        files = choice.files(self._home)
        return next((file for file in files if choice.title_of(file) == runs.model_name), None)

    def wanted(self) -> str | None:
        """What the chat model that is meant to run is called; None when no models run on this machine."""
        if not self.switched_on:
            return None
        return choice.title_of(self.wanted_file())

    async def choose(self, file: str | None) -> None:
        """Run this file of the hub's folder, None for the demonstration model, from now on.

        Returns when the model that ran is stopped, or at once where another process runs the models.
        Raises OSError.
        """
        await asyncio.to_thread(choice.choose, self._home, file)
        if self._models is not None:
            await self._catch_up(self._models)

    async def pin(self) -> None:
        """Where nobody chose, choose what runs, so that a new file changes nothing by itself."""
        file = self.wanted_file()
        if self.switched_on and (file is None or file.parent == choice.folder(self._home)):
            await asyncio.to_thread(choice.choose, self._home, None if file is None else file.name)

    def _seen(self) -> ModelState | None:
        """How the chat model is, where some process runs it."""
        return self._models.state("chat") if self._models is not None else report.told(self._home)

    async def endpoint(self, kind: Kind) -> Endpoint:
        """Where the model answers. Raises ModelLoading or ModelUnavailable."""
        if not self.switched_on:
            raise ModelUnavailable("The embedded models are switched off (AIHUB_EMBEDDED).")
        if self._models is not None:
            return await self._models.endpoint(kind)
        found = await discover(self._home, kind)
        if found is None:
            raise ModelLoading("No process of this hub runs it at the moment.")
        return found

    async def state(self, kind: Kind = "chat") -> ModelState:
        """What the model is doing."""
        if not self.switched_on:
            return ModelState("stopped", _NAMES[kind], "Switched off by AIHUB_EMBEDDED.")
        state = await self._state(kind)
        said, file = choice.explicit(self._home, self._gguf)
        if kind == "chat" and said and state.model_name != (meant := choice.title_of(file)):
            return ModelState("loading", meant, f"Changing to {meant}.", demonstration=file is None)
        return state

    async def _state(self, kind: Kind) -> ModelState:
        if self._models is not None:
            return self._models.state(kind)
        found = await discover(self._home, kind)
        if found is not None:
            return ModelState("ready", found.model_name, demonstration=found.model_name == _NAMES[kind])
        told = report.told(self._home) if kind == "chat" else None
        if told is not None and told.state != "ready":
            return told
        return ModelState("loading", _NAMES[kind], "No process of this hub has announced it yet.")

    async def readiness(self, kind: Kind, upstream_name: str | None = None) -> Readiness:
        """What `state` means for somebody who wants to call this model (None: whichever runs)."""
        state = await self.state(kind)
        if not self.switched_on:
            return "failed"
        if upstream_name not in (None, state.model_name):
            return "stopped"
        return _READINESS[state.state]

    async def close(self) -> None:
        tasks = [task for task in (self._waiting, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._models is not None:
            await self._models.close()
            with contextlib.suppress(OSError):
                report.forget(self._home)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
