"""The chat model: the user's GGUF, or the demonstration model that comes with the hub."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from aihub.services.gateway.adapters.embedded import choice
from aihub.services.gateway.adapters.embedded.endpoint import Endpoint, Kind, publish, withdraw
from aihub.services.gateway.adapters.embedded.errors import ModelUnusable
from aihub.services.gateway.adapters.embedded.model import Limits, Model
from aihub.services.gateway.adapters.embedded.process import ModelProcess
from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

_PROCESS = "aihub.services.gateway.adapters.embedded.chat_process"


class ChatModel(Model):
    """Always awake: it answers from the first request on."""

    kind: ClassVar[Kind] = "chat"

    def __init__(
        self, home: Path, gguf: Path | None, threads: int, context: int, slots: int, limits: Limits
    ) -> None:
        self._own = choice.own_file(home, gguf)
        super().__init__(home, choice.title_of(self._own), limits)
        self._gguf = gguf
        self._threads, self._context, self._slots = threads, context, slots
        self._file = Path()

    def turn(self) -> None:
        """Be the model that is chosen now, as far as anybody can see; its life comes next."""
        self._choose()
        self._endpoint = None
        self._set("loading", f"Changing to {self.state.model_name}.")

    async def prepare(self) -> None:
        self._choose()
        own = self._own
        self._file = _readable(own) if own else await self.have(SMOLLM2) / SMOLLM2.files[0].name

    def _choose(self) -> None:
        """Looked at again for every attempt, so that putting a file there heals a failure. What ran
        stays when nobody chose: a file that appears must not take its place at the next crash."""
        said, _ = choice.explicit(self.home, self._gguf)
        if said or not self._ready_at:
            self._own = choice.own_file(self.home, self._gguf)
        self.state = replace(
            self.state, model_name=choice.title_of(self._own), demonstration=self._own is None
        )

    async def live(self) -> str | None:
        name = self.state.model_name
        self._set("loading", f"Loading {name}.")
        config: dict[str, object] = {
            "model": str(self._file),
            "name": name,
            "api_key": self.api_key,
            "threads": self._threads,
            "context": self._context,
            "slots": self._slots,
            "calm": self.state.demonstration,
        }
        process = await ModelProcess.launch(_PROCESS, config, within=self.limits.load)
        try:
            endpoint = Endpoint(f"{process.address}/v1", self.api_key, name)
            publish(self.home, self.kind, endpoint, process.pid)
            # Only the model's own loop answers for its slots; /health is answered by any thread.
            death = await self.serve(process, endpoint, "/slots")
        finally:
            withdraw(self.home, self.kind, self.api_key)
            await process.stop()
        return death or "The model process ended."


def _readable(file: Path) -> Path:
    try:
        sound = choice.is_gguf(file)
    except OSError as exc:
        raise ModelUnusable(f"{file} cannot be read: {exc.strerror}.") from exc
    if not sound:
        raise ModelUnusable(f"{file} is not a GGUF file.")
    return file
