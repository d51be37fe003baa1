"""A hub with conversations on a real socket, and a scripted provider behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from pyreqwest.client import ClientBuilder
from tests.services.gateway.conftest import Hub as GatewayHub
from tests.services.gateway.conftest import Person
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import application, serving

from aihub.agents.module import MODULE as AGENTS
from aihub.agents.runs.executor import RunExecutor
from aihub.app.core import MODULE as KERNEL
from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.credits import service as credits_service
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.gateway.adapters.fake import FakeProvider, Script
from aihub.services.gateway.module import MODULE as GATEWAY
from aihub.services.gateway.service import seed_catalogue
from aihub.services.identity import service as identity
from aihub.services.identity.module import MODULE as IDENTITY

MODULES: tuple[Module, ...] = (KERNEL, IDENTITY, CREDITS, GATEWAY, AGENTS)
WORDS = Script(text=" ".join(f"word{n}" for n in range(1, 41)), gap=0.02)


@dataclass
class Event:
    """One server-sent event; `id` is 0 for those without."""

    id: int
    data: Any


@dataclass
class Hub(GatewayHub):
    @property
    def executor(self) -> RunExecutor:
        return self.runtime.get(RunExecutor)

    async def conversation(self, person: Person, model: str = "words", **fields: Any) -> str:
        answer = await self.call("POST", "/api/v1/conversations", {"model": model, **fields}, person=person)
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])

    async def ask(
        self, person: Person, conversation: str, text: str = "Say something.", **fields: Any
    ) -> Any:
        path = f"/api/v1/conversations/{conversation}/messages"
        answer = await self.call("POST", path, {"text": text, **fields}, person=person)
        assert answer.status == 202, answer.body
        return answer.json()

    async def read(self, person: Person, conversation: str) -> Any:
        answer = await self.call("GET", f"/api/v1/conversations/{conversation}", person=person)
        assert answer.status == 200, answer.body
        return answer.json()

    async def message(self, person: Person, conversation: str, message: str) -> Any:
        detail = await self.read(person, conversation)
        return next(m for m in detail["messages"] if m["id"] == message)

    async def events(
        self, person: Person, run: str, *, after: int | None = None, last_event_id: int | None = None
    ) -> AsyncIterator[Event]:
        """The stream of a run as a browser reads it. Comments are left out."""
        query = "" if after is None else f"?after={after}"
        request = self.http.get(f"{self.url}/api/v1/runs/{run}/stream{query}")
        request = request.header("authorization", f"Bearer {person.key}")
        if last_event_id is not None:
            request = request.header("Last-Event-ID", str(last_event_id))
        async with request.streamed_read_buffer_limit(0).build_streamed() as response:
            assert response.status == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
            held = b""
            while (piece := await response.body_reader.read_chunk()) is not None:
                held += bytes(piece)
                *frames, held = held.split(b"\n\n")
                for frame in frames:
                    lines = dict(
                        line.split(b": ", 1) for line in frame.split(b"\n") if not line.startswith(b":")
                    )
                    if b"data" not in lines:
                        continue
                    data = lines[b"data"]
                    number = int(lines.get(b"id", b"0"))
                    yield Event(number, "[DONE]" if data == b"[DONE]" else orjson.loads(data))

    async def whole(self, person: Person, run: str, **options: Any) -> list[Event]:
        async with asyncio.timeout(90):
            return [event async for event in self.events(person, run, **options)]

    async def until_ended(self, person: Person, run: str) -> Any:
        """The run once it is no longer running."""
        async with asyncio.timeout(90):
            while True:
                answer = await self.call("GET", f"/api/v1/runs/{run}", person=person)
                if answer.json()["status"] != "running":
                    return answer.json()
                await asyncio.sleep(0.02)


def text_of(events: list[Event]) -> str:
    """What the text deltas of a stream say."""
    return "".join(e.data["delta"] for e in events if e.data != "[DONE]" and e.data["type"] == "text-delta")


def kinds(events: list[Event]) -> list[str]:
    return [e.data if e.data == "[DONE]" else e.data["type"] for e in events]


@asynccontextmanager
async def another_process(hub: Hub, dsn: str, home: Path) -> AsyncIterator[Hub]:
    """A second runtime on the same database, as another serving process has it."""
    settings = settings_for(home, MODULES, AIHUB_EMBEDDED="off")
    async with (
        open_runtime(dsn, settings, MODULES) as runtime,
        serving(application(runtime)) as url,
    ):
        yield Hub(url, runtime, hub.fake, hub.fake_url, hub.http, hub.admin, hub.provider_id)


@asynccontextmanager
async def open_hub(dsn: str, home: Path, **environ: str) -> AsyncIterator[Hub]:
    """A hub with one provider, a free model `words`, and books that balance at the end."""
    variables = {"AIHUB_EMBEDDED": "off", "AIHUB_SIGNUP_CREDITS": "0", "AIHUB_HOLD_WAIT": "20", **environ}
    settings = settings_for(home, MODULES, **variables)
    fake = FakeProvider()
    async with (
        serving(fake) as fake_url,
        open_runtime(dsn, settings, MODULES, pool_size=10) as runtime,
        serving(application(runtime)) as url,
        ClientBuilder().no_proxy().build() as http,
    ):
        await _fill(runtime)
        hub = Hub(url, runtime, fake, fake_url, http, Person("", Actor(UUID(int=0), "")))
        hub.admin = await hub.person(role="super_admin")
        wish = {"name": "scripted", "kind": "openai", "base_url": f"{fake_url}/v1", "allow_private": True}
        answer = await hub.call("POST", "/api/v1/providers", wish)
        assert answer.status == 201, answer.body
        hub.provider_id = answer.json()["id"]
        await hub.add_model("words", WORDS)
        yield hub
        async with runtime.database.work(system("test")) as work:
            check = await credits_service.check_invariant(work)
        assert check.ok, check.problems


async def _fill(runtime: Runtime) -> None:
    async with runtime.database.work(system("test")) as work:
        await identity.sync_registry(work, MODULES)
    async with runtime.database.work(system("test")) as work:
        await seed_catalogue(work, runtime)


@pytest.fixture
async def hub(dsn: str, home: Path) -> AsyncIterator[Hub]:
    async with open_hub(dsn, home) as opened:
        yield opened
