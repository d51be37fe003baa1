"""Keep the embedded models running: weights, processes, their state, and where to reach them.

Importing this loads no model library; the models live in child processes only.
"""

import asyncio
import os
from pathlib import Path

from aihub.services.gateway.adapters.embedded.chat_model import ChatModel
from aihub.services.gateway.adapters.embedded.embedding_model import EmbeddingModel
from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind
from aihub.services.gateway.adapters.embedded.errors import ModelUnavailable
from aihub.services.gateway.adapters.embedded.model import Limits, ModelState


def default_threads() -> int:
    """Half the cores, at most four: more threads barely speed small models up and starve the server."""
    return min(4, max(1, (os.cpu_count() or 1) // 2))


class EmbeddedModels:
    """The models of one installation. Exactly one process of it may run this; the caller sees to that.

    `home` is AIHUB_HOME. `gguf` is the operator's own chat model; without it what somebody chose, else the
    first file in home/models/chat, else the demonstration model. `context` is in tokens per
    conversation, `slots` the number of conversations answered at the same time.
    """

    def __init__(
        self,
        home: Path,
        *,
        gguf: Path | None = None,
        threads: int | None = None,
        context: int = 4096,
        slots: int = 2,
        idle_seconds: float = 600.0,
        limits: Limits | None = None,
    ) -> None:
        threads = threads or default_threads()
        limits = limits or Limits()
        self._chat = ChatModel(home, gguf, threads, context, slots, limits)
        self._embedding = EmbeddingModel(home, threads, idle_seconds, limits, self._chat.prepared)
        self._tasks: list[asyncio.Task[None]] = []
        self._changing = asyncio.Lock()

    def start(self) -> None:
        """Begin in the background; called again, try at once what is waiting after a failure."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._chat.run(), name="embedded-chat"),
                asyncio.create_task(self._embedding.run(), name="embedded-embedding"),
            ]
        for model in (self._chat, self._embedding):
            model.retry()

    async def run_chosen(self) -> None:
        """Stop the chat model and start the one that is chosen now. Answers being written break off."""
        async with self._changing:  # a task that is cancelled twice would not finish its cleaning up
            if not self._tasks:
                return
            self._chat.turn()
            self._tasks[0].cancel()
            await asyncio.gather(self._tasks[0], return_exceptions=True)
            self._tasks[0] = asyncio.create_task(self._chat.run(), name="embedded-chat")

    def state(self, kind: Kind = "chat") -> ModelState:
        return self._model(kind).state

    async def endpoint(self, kind: Kind, within: float = 20.0) -> Endpoint:
        """Where the model answers, waiting up to `within` seconds for it; starts a model that sleeps.

        Ask again for each call: the address changes when the process had to be restarted. Raises
        ModelLoading when time is up and ModelUnavailable when waiting would be in vain.
        """
        if not self._tasks:
            raise ModelUnavailable("The embedded models are switched off in this process.")
        return await self._model(kind).endpoint(within)

    async def close(self) -> None:
        """End the model processes and withdraw their endpoints. Safe to call twice."""
        async with self._changing:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _model(self, kind: Kind) -> ChatModel | EmbeddingModel:
        return self._chat if kind == "chat" else self._embedding
