"""However many calls race, in however many processes, every credit is spent once."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.services.credits.conftest import MakePayer
from tests.services.credits.spender import spend_all
from tests.support.hub import clean_environment

from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.credits.contracts import Hold, InsufficientCredits
from aihub.services.credits.domain import MICRO
from aihub.services.credits.service import Ledger, balance_of, check_invariant, expire_holds

ROOT = Path(__file__).parents[3]


@contextmanager
def spender(dsn: str, home: Path, actor: Actor, calls: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.services.credits.spender",
            dsn,
            str(home),
            str(actor.user_id),
            str(calls),
        ],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


async def money(bank: Runtime, actor: Actor) -> tuple[int, int]:
    async with bank.database.work(actor.scope) as work:
        found = await balance_of(work, actor.user_id)
    assert found is not None
    return found.balance, found.held


async def charges(bank: Runtime) -> int:
    async with bank.database.work(system("test")) as work:
        statement = text("select count(*) from ledger_entries where kind = 'charge'")
        return int(await work.session.scalar(statement) or 0)


async def test_two_hundred_calls_at_once_against_fifty_credits(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(50)
    assert await spend_all(ledger, actor, 200) == (50, 150)
    assert await money(bank, actor) == (0, 0)
    assert await charges(bank) == 50


async def test_two_processes_share_one_balance(
    bank: Runtime, dsn: str, home: Path, make_payer: MakePayer
) -> None:
    actor = await make_payer(50)

    def race() -> list[dict[str, int]]:
        with ExitStack() as stack:
            processes = [stack.enter_context(spender(dsn, home, actor, 100)) for _ in range(2)]
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            return [json.loads(process.stdout.readline()) for process in processes if process.stdout]

    results = await asyncio.to_thread(race)
    assert sum(result["paid"] for result in results) == 50
    assert sum(result["refused"] for result in results) == 150
    assert await money(bank, actor) == (0, 0)
    assert await charges(bank) == 50


@pytest.mark.parametrize("seed", range(4))
async def test_killed_in_the_middle_nothing_is_lost_or_doubled(
    bank: Runtime, dsn: str, home: Path, make_payer: MakePayer, seed: int
) -> None:
    actor = await make_payer(100_000)
    chance = random.Random(seed)

    def run_and_kill() -> int:
        with spender(dsn, home, actor, 0) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.0, 0.15))
            process.kill()
            return 1 + process.stdout.read().count("paid\n")

    acknowledged = await asyncio.to_thread(run_and_kill)
    async with bank.database.work(system("test")) as work:
        assert (await check_invariant(work)).ok
        await work.session.execute(text("update ledger_holds set expires_at = now() where status = 'active'"))
    await expire_holds(bank.database)
    charged = await charges(bank)
    # Each of the four callers may have been killed between its charge and its word of it.
    assert acknowledged <= charged <= acknowledged + 4
    assert await money(bank, actor) == (100_000 * MICRO - charged * MICRO, 0)


@pytest.mark.parametrize("seed", range(5))
async def test_any_sequence_of_movements_leaves_the_books_in_balance(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer, seed: int
) -> None:
    chance = random.Random(seed)
    actor = await make_payer(20)
    hasty = Ledger(bank.database, wait=0)
    open_holds: list[Hold] = []
    expected, held = 20 * MICRO, 0
    for number in range(120):
        deed = chance.choice(["hold", "hold", "settle", "release", "repeat", "expire"])
        if deed == "hold":
            amount = chance.randrange(0, 6 * MICRO)
            try:
                hold = await hasty.hold(actor, amount, idempotency_key=f"{number}")
            except InsufficientCredits:
                assert amount > expected - held
            else:
                assert amount <= expected - held
                held += amount
                open_holds.append(hold)
        elif open_holds and deed in ("settle", "repeat"):
            hold = open_holds.pop(chance.randrange(len(open_holds)))
            cost = chance.randrange(0, 8 * MICRO)
            entry = await ledger.settle(hold, cost)
            assert -entry.amount == min(cost, expected - held + hold.amount)
            expected += entry.amount
            held -= hold.amount
            if deed == "repeat":
                assert (await ledger.settle(hold, chance.randrange(0, MICRO))).id == entry.id
        elif open_holds and deed == "release":
            hold = open_holds.pop(chance.randrange(len(open_holds)))
            await ledger.release(hold)
            held -= hold.amount
        elif open_holds and deed == "expire":
            hold = open_holds.pop(chance.randrange(len(open_holds)))
            await ledger.renew(hold, timedelta(0))
            assert await expire_holds(bank.database) == 1
            held -= hold.amount
        assert await money(bank, actor) == (expected, held)
