"""A runtime with people and money."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support.runtime import open_runtime, settings_for

from aihub.app.core import MODULE as KERNEL
from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.credits.domain import MICRO
from aihub.services.credits.module import MODULE as CREDITS
from aihub.services.credits.service import Ledger, adjust, check_invariant
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.module import MODULE as IDENTITY

MODULES: tuple[Module, ...] = (KERNEL, IDENTITY, CREDITS)

MakePayer = Callable[[int], Awaitable[Actor]]


@pytest.fixture
async def bank(dsn: str, home: Path) -> AsyncIterator[Runtime]:
    """A started hub without gateway; newcomers get nothing. Its books must balance at the end."""
    settings = settings_for(home, MODULES, AIHUB_SIGNUP_CREDITS="0", AIHUB_HOLD_WAIT="20")
    async with open_runtime(dsn, settings, MODULES, pool_size=10) as runtime:
        async with runtime.database.work(system("test")) as work:
            await identity.sync_registry(work, MODULES)
        yield runtime
        async with runtime.database.work(system("test")) as work:
            check = await check_invariant(work)
        assert check.ok, check.problems


@pytest.fixture
def ledger(bank: Runtime) -> Ledger:
    return bank.get(Ledger)


@pytest.fixture
def make_payer(bank: Runtime) -> MakePayer:
    """A new user with so many whole credits, as an actor."""

    async def make(whole: int) -> Actor:
        async with bank.database.work(system("test")) as work:
            user = await identity.create_user(
                work, email=f"{uuid4().hex}@example.org", password=None, wallets=bank.get(Wallets)
            )
            if whole:
                await adjust(
                    work,
                    owner_id=user.id,
                    amount=whole * MICRO,
                    reason="test",
                    idempotency_key="start",
                    actor=None,
                )
        return Actor(user.id, user.email, frozenset(user.roles), frozenset({"credits:read", "gateway:use"}))

    return make
