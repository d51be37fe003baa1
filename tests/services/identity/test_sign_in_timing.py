"""How long a refusal takes tells nobody which accounts exist."""

import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from statistics import median

import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, PASSWORD
from tests.support.runtime import open_runtime, settings_for

from aihub.kernel.clock import Clock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import SignInFailed, Wallets
from aihub.services.identity.service import Caller, Doorkeeper

TRIES = 200
AGREE = 0.05
MEASUREMENTS = 6
SELDOM = 4
"""Every how many rounds the rarer cases are tried in the first measurement; in those after it, each time."""
NOBODY = Caller("192.0.2.1", None)
# What is typed for each: a wrong password, and everywhere else one that would be right if it were theirs.
CASES = {"wrong": "wrong wrong wrong", "unknown": PASSWORD, "robot": PASSWORD, "gone": PASSWORD}


@pytest.fixture
async def unlimited(dsn: str, home: Path) -> AsyncIterator[Runtime]:
    """A hub where nobody is stopped for failing often."""
    settings = settings_for(home, MODULES, AIHUB_LIMITS="auth.login=1000000/15m")
    async with open_runtime(dsn, settings, MODULES) as runtime:
        password = await service.new_password(PASSWORD)
        async with runtime.database.work(system("test")) as work:
            await service.sync_registry(work, MODULES)
            for name, given in (("wrong", password), ("robot", None), ("gone", password)):
                await service.create_user(
                    work, email=f"{name}@example.org", password=given, wallets=runtime.get(Wallets)
                )
            await work.session.execute(text("update users set active = false where email like 'gone@%'"))
        yield runtime


async def refusal(hub: Runtime, name: str) -> float:
    """Seconds until somebody is refused."""
    began = time.perf_counter()
    with pytest.raises(SignInFailed):
        await hub.get(Doorkeeper).sign_in(f"{name}@example.org", CASES[name], NOBODY, Clock())
    return time.perf_counter() - began


async def measure(hub: Runtime, rounds: Mapping[str, int]) -> dict[str, float]:
    """The medians, side by side: what slows the machine down for a while slows down all of them. `rounds`
    says in every how many rounds a case is tried beside the wrong password."""
    times: dict[str, list[float]] = {name: [] for name in ("wrong", *rounds)}
    for number in range(TRIES):
        if number % 20 == 0:  # looking through what was tried before is no part of it
            async with hub.database.work(system("test")) as work:
                await work.session.execute(text("delete from sign_in_attempts"))
        now = [name for at, (name, every) in enumerate(rounds.items()) if number % every == at % every]
        names = ["wrong", *now]
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            times[name].append(await refusal(hub, name))
    return {name: median(found) for name, found in times.items()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_unknown_inactive_and_passwordless_accounts_take_as_long_as_a_wrong_password(
    unlimited: Runtime,
) -> None:
    """A machine with other things to do may spoil a measurement, so that one of a few has to agree. A
    difference that somebody could use would be in all of them."""
    for name in CASES:
        await refusal(unlimited, name)
    rounds = {"unknown": 1, "robot": SELDOM, "gone": SELDOM}
    seen = []
    for _ in range(MEASUREMENTS):
        found = await measure(unlimited, rounds)
        ratios = {name: value / found["wrong"] for name, value in found.items()}
        seen.append({name: f"{value * 1000:.1f} ms, x {ratios[name]:.3f}" for name, value in found.items()})
        print(seen[-1])
        rounds = {name: 1 for name in rounds if abs(ratios[name] - 1) > AGREE}
        if not rounds:
            return
    raise AssertionError(f"the medians tell accounts apart: {list(rounds)}, {seen}")
