"""A hub that serves HTTP on a real socket, and a scripted provider on another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import openai
import orjson
import pytest
from pyreqwest.client import Client, ClientBuilder
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import application, serving
from tests.support.waiting import until

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.auth import Actor, Permission
from aihub.kernel.db import system
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.credits import service as credits_service
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.gateway.adapters.fake import FakeProvider, Script
from aihub.services.gateway.gateway import Gateway
from aihub.services.gateway.module import MODULE as GATEWAY
from aihub.services.gateway.service import seed_catalogue
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.module import MODULE as IDENTITY

# Conversations are not needed here, only the permission they declare.
CHAT = Module("chat", permissions=(Permission("chat:use", "Talk to assistants"),))
MODULES: tuple[Module, ...] = (KERNEL, IDENTITY, CREDITS, GATEWAY, CHAT)
MICRO = 1_000_000


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Person:
    """Somebody with an API key."""

    key: str
    actor: Actor


@dataclass
class Hub:
    """The hub under test, an administrator, and the provider its models live at."""

    url: str
    runtime: Runtime
    fake: FakeProvider
    fake_url: str
    http: Client
    admin: Person
    provider_id: str = ""
    made: int = field(default=0)

    @property
    def gateway(self) -> Gateway:
        return self.runtime.get(Gateway)

    async def person(self, *, whole: int = 0, role: str = "user", scopes: str = "*") -> Person:
        """A new user with a key; `whole` credits on their account."""
        self.made += 1
        runtime = self.runtime
        async with runtime.database.work(system("test")) as work:
            wallets = runtime.get(Wallets)
            user = await identity.create_user(
                work, email=f"p{self.made}@example.org", password=None, wallets=wallets, roles=[role]
            )
            _, key = await identity.create_key(
                work, owner_id=user.id, name="test", wallets=wallets, scopes=[scopes]
            )
            if whole:
                await credits_service.adjust(
                    work,
                    owner_id=user.id,
                    amount=whole * MICRO,
                    reason="test",
                    idempotency_key="t",
                    actor=None,
                )
            access = await identity.access_of(work, user.id)
        assert access is not None
        return Person(key, Actor(user.id, user.email, access.roles, access.permissions))

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        person: Person | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, by the administrator unless somebody else is named."""
        request = self.http.request(method, self.url + path)
        request = request.header("authorization", f"Bearer {(person or self.admin).key}")
        for name, value in (headers or {}).items():
            request = request.header(name, value)
        if body is not None:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            request = request.header("content-type", "application/json").body_bytes(data)
        response = await request.build().send()
        return Answer(response.status, dict(response.headers), bytes(await response.bytes()))

    async def add_model(self, name: str, script: Script | None = None, **fields: Any) -> dict[str, Any]:
        """A model at the scripted provider; free unless prices are given."""
        if script is not None:
            self.fake.scripts[fields.get("upstream_name", name)] = script
        free = {"input_price": "0", "output_price": "0", "request_price": "0"}
        body = {"name": name, "provider_id": self.provider_id, "upstream_name": name, **free, **fields}
        answer = await self.call("POST", "/api/v1/models", body)
        assert answer.status == 201, answer.body
        await self.settled_catalogue(name)
        return dict(answer.json())

    async def settled_catalogue(self, name: str) -> None:
        """Wait until the announcement of a new model has arrived."""

        async def known() -> bool:
            return name in (await self.gateway.catalogue.snapshot()).by_name

        await until(known)

    async def until_unknown(self, name: str) -> None:
        """Wait until the announcement that a model cannot be used any more has arrived."""

        async def unknown() -> bool:
            return name not in (await self.gateway.catalogue.snapshot()).by_name

        await until(unknown)

    def client(self, person: Person, **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key=person.key, base_url=f"{self.url}/v1", max_retries=0, **options)

    async def balance(self, person: Person) -> tuple[int, int]:
        """Balance and what is held, in micro-credits."""
        async with self.runtime.database.work(system("test")) as work:
            found = await credits_service.balance_of(work, person.actor.user_id)
        return (found.balance, found.held) if found else (0, 0)

    async def entries(self, person: Person) -> list[credits_service.Entry]:
        """The charges of somebody, the newest first."""
        async with self.runtime.database.work(system("test")) as work:
            rows, _ = await credits_service.entries_of(
                work, person.actor.user_id, None, before=None, limit=500
            )
        return [row for row in rows if row.kind == "charge"]

    async def until_charged(self, person: Person, count: int = 1) -> list[credits_service.Entry]:

        async def charged() -> bool:
            return len(await self.entries(person)) >= count

        await until(charged, 20)
        return await self.entries(person)


@asynccontextmanager
async def open_hub(
    dsn: str,
    home: Path,
    *,
    pool_size: int = 10,
    duties: frozenset[str] = frozenset({"http"}),
    **environ: str,
) -> AsyncIterator[Hub]:
    """A hub with one provider, `scripted`, and books that balance at the end."""
    variables = {"AIHUB_EMBEDDED": "off", "AIHUB_SIGNUP_CREDITS": "0", "AIHUB_HOLD_WAIT": "20", **environ}
    settings = settings_for(home, MODULES, **variables)
    fake = FakeProvider()
    async with (
        serving(fake) as fake_url,
        open_runtime(dsn, settings, MODULES, duties=duties, pool_size=pool_size) as runtime,
        serving(application(runtime)) as url,
        ClientBuilder().no_proxy().build() as http,
    ):
        async with runtime.database.work(system("test")) as work:
            await identity.sync_registry(work, MODULES)
        async with runtime.database.work(system("test")) as work:
            await seed_catalogue(work, runtime)
        nobody = Person("", Actor(UUID(int=0), ""))
        hub = Hub(url, runtime, fake, fake_url, http, nobody)
        hub.admin = await hub.person(role="super_admin")
        wish = {"name": "scripted", "kind": "openai", "base_url": f"{fake_url}/v1", "allow_private": True}
        answer = await hub.call("POST", "/api/v1/providers", wish)
        assert answer.status == 201, answer.body
        hub.provider_id = answer.json()["id"]
        yield hub
        async with runtime.database.work(system("test")) as work:
            check = await credits_service.check_invariant(work)
        assert check.ok, check.problems


@pytest.fixture
async def hub(dsn: str, home: Path) -> AsyncIterator[Hub]:
    async with open_hub(dsn, home) as opened:
        yield opened
