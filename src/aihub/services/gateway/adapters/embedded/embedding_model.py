"""The embedding model: asleep until somebody connects, asleep again when nobody did for a while."""

import asyncio
import os
import socket
from pathlib import Path
from typing import ClassVar

from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind, publish, withdraw
from aihub.services.gateway.adapters.embedded.model import Limits, Model
from aihub.services.gateway.adapters.embedded.process import ModelProcess
from aihub.services.gateway.adapters.embedded.weights import MINILM

_PROCESS = "aihub.services.gateway.adapters.embedded.embed_process"


class EmbeddingModel(Model):
    """Holds the listening socket itself, so that its address never changes and no connection is refused
    while the process behind it sleeps, starts or is replaced."""

    kind: ClassVar[Kind] = "embedding"

    def __init__(
        self, home: Path, threads: int, idle_seconds: float, limits: Limits, after: asyncio.Event
    ) -> None:
        super().__init__(home, MINILM.title, limits)
        self._threads, self._idle_seconds = threads, idle_seconds
        self._after = after
        self._listener: socket.socket | None = None
        self._folder = Path()

    async def run(self) -> None:
        self._set("absent", "Waits for the chat model to be there.")
        await self._after.wait()
        try:
            await super().run()
        finally:
            self.give_up()

    async def prepare(self) -> None:
        if self._listener is None:
            self._folder = await self.have(MINILM)

    async def live(self) -> str | None:
        listener = self._listener or self._listen()
        host, port = listener.getsockname()
        endpoint = Endpoint(f"http://{host}:{port}/v1", self.api_key, MINILM.title)
        publish(self.home, self.kind, endpoint, os.getpid())
        self._set("stopped", "Starts when it is asked.")
        await self._asked_by_anyone(listener)
        self._set("loading", f"Loading {MINILM.title}.")
        config: dict[str, object] = {
            "folder": str(self._folder),
            "name": MINILM.title,
            "api_key": self.api_key,
            "threads": self._threads,
            "idle_seconds": self._idle_seconds,
            "listener": listener.fileno(),
        }
        process = await ModelProcess.launch(
            _PROCESS, config, within=self.limits.load, inherit=(listener.fileno(),)
        )
        try:
            return await self.serve(process, endpoint, "/health")
        finally:
            await process.stop()

    def give_up(self) -> None:
        withdraw(self.home, self.kind, self.api_key)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _listen(self) -> socket.socket:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        return self._listener

    async def _asked_by_anyone(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(listener.fileno(), self.wake)
        try:
            await self.asked()
        finally:
            loop.remove_reader(listener.fileno())
