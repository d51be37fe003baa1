"""A served hub with people, and a browser and programs that call it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import application, serving

from aihub.app.console import MODULE as CONSOLE
from aihub.app.core import MODULE as KERNEL
from aihub.kernel import passwords
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.identity import service
from aihub.services.identity.contracts import User, Wallets
from aihub.services.identity.module import MODULE as IDENTITY
from aihub.services.identity.service.new_passwords import NewPassword
from aihub.services.monitoring.module import MODULE as MONITORING
from aihub.services.notifications.module import MODULE as NOTIFICATIONS

MODULES: tuple[Module, ...] = (KERNEL, MONITORING, IDENTITY, CREDITS, NOTIFICATIONS, CONSOLE)
PASSWORD = "correct horse battery"

MakeUser = Callable[..., Awaitable[User]]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime.now(UTC))


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost nothing. What real ones cost, and that refusals cost as much, has its own tests."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=Type.ID)
    nobody = hasher.hash("a password that no account has")
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "_nobody", lambda: nobody)


@pytest.fixture
async def hub(dsn: str, home: Path, clock: FixedClock, quick_passwords: None) -> AsyncIterator[Runtime]:
    """A started hub without gateway and agents; newcomers get 100 credits."""
    # What happens at the edge is the kernel's; here nothing but identity's own limits shall answer.
    generous = "edge.auth=1000/1s burst 1000,edge.api=1000/1s burst 1000,api.general=100000/15m"
    settings = settings_for(home, MODULES, AIHUB_LIMITS=generous)
    async with open_runtime(dsn, settings, MODULES, clock=clock, pool_size=10) as runtime:
        async with runtime.database.work(system("test")) as work:
            await service.sync_registry(work, MODULES)
        yield runtime


@pytest.fixture
def make_user(hub: Runtime) -> MakeUser:
    """An account with this name at example.org, by default an ordinary one with PASSWORD."""

    async def make(name: str, *roles: str, password: str | None = PASSWORD) -> User:
        # Not judged: that takes a while, and a test begins with people who have passwords.
        hashed = NewPassword(await passwords.hash_password(password)) if password is not None else None
        async with hub.database.work(system("test")) as work:
            return await service.create_user(
                work,
                email=f"{name}@example.org",
                name=name,
                password=hashed,
                roles=roles or ("user",),
                wallets=hub.get(Wallets),
            )

    return make


def served(runtime: Runtime) -> AbstractAsyncContextManager[str]:
    """The runtime's application on a port of its own; its address."""
    return serving(application(runtime))


@dataclass
class Answer:
    status: int
    headers: httpx2.Headers
    body: Any

    @property
    def code(self) -> str:
        """The permanent code of a problem."""
        return str(self.body["code"])


@dataclass
class Client:
    """Calls the hub: as nobody, with a key, or as a browser that keeps its cookie and CSRF token."""

    http: httpx2.AsyncClient
    key: str | None = None
    cookie: str | None = None
    csrf: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        sent = dict(self.headers)
        if self.key:
            sent["Authorization"] = f"Bearer {self.key}"
        if self.cookie:
            sent["Cookie"] = f"{service.COOKIE}={self.cookie}"
        if self.csrf:
            sent["X-CSRF-Token"] = self.csrf
        sent |= headers or {}
        response = await self.http.request(
            method, path, headers=sent, **({} if body is None else {"json": body})
        )
        self.http.cookies.clear()
        return Answer(response.status_code, response.headers, response.json() if response.content else None)

    async def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        """Sign in as a browser would, and remember the session."""
        answer = await self("POST", "/api/v1/session", {"email": email, "password": password})
        if answer.status == 200:
            self.remember(answer)
        return answer

    def remember(self, answer: Answer) -> None:
        self.cookie = cookie_of(answer)
        self.csrf = answer.body["csrf_token"]


def cookie_of(answer: Answer) -> str:
    """The token in the Set-Cookie header."""
    name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
    assert name == service.COOKIE
    return value


MakeClient = Callable[..., Client]


@pytest.fixture
async def client(hub: Runtime) -> AsyncIterator[MakeClient]:
    """Makes clients of the served hub."""
    # Without a certificate store: it takes a while to load, and nothing here speaks TLS.
    async with served(hub) as url, httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as http:
        yield lambda **how: Client(http, **how)


@pytest.fixture
def make_key(hub: Runtime) -> Callable[..., Awaitable[str]]:
    """A key of a user, with all that its owner may do unless scopes are given."""

    async def make(owner_id: UUID, *scopes: str, **more: Any) -> str:
        async with hub.database.work(system("test")) as work:
            _, text = await service.create_key(
                work,
                owner_id=owner_id,
                name="test",
                scopes=scopes or ("*",),
                wallets=hub.get(Wallets),
                clock=hub.clock,
                **more,
            )
        return text

    return make
