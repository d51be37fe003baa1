"""What a key may spend in a period: exact, however many calls race and whatever becomes of them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.credits.conftest import MakePayer
from tests.support.calendar import the_same_day  # noqa: F401 - for every test here

from aihub.kernel.auth import Actor
from aihub.kernel.db import owned_by, system
from aihub.kernel.errors import InvalidRequest
from aihub.kernel.runtime import Runtime
from aihub.services.credits.contracts import BudgetSpent, Hold, HoldClosed, InsufficientCredits
from aihub.services.credits.domain import MICRO
from aihub.services.credits.service import Ledger, expire_holds
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Wallets
from aihub.services.identity.contracts.keys import KeyBudget

MakeCaller = Callable[..., Awaitable[Actor]]


@pytest.fixture
def make_caller(bank: Runtime, make_payer: MakePayer) -> MakeCaller:
    """A person with credits who calls through a key with this budget."""

    async def make(whole: int, budget: str | None, period: str = "total", **more: str) -> Actor:
        person = await make_payer(whole)
        wallets = bank.get(Wallets)
        async with bank.database.work(system("test")) as work:
            key, _ = await identity.create_key(
                work, owner_id=person.user_id, name="k", scopes=["*"], wallets=wallets, **more
            )
        caller = replace(person, key_id=key.id)
        await set_budget(bank, caller, budget, period)
        return caller

    return make


async def set_budget(bank: Runtime, caller: Actor, amount: str | None, period: str = "total") -> None:
    assert caller.key_id is not None
    async with bank.database.work(caller.scope) as work:
        await bank.get(Wallets).set_budget(
            work,
            key_id=caller.key_id,
            owner_id=caller.user_id,
            amount=amount,
            period=period,  # type: ignore[arg-type]
        )


async def budget_of(bank: Runtime, caller: Actor) -> KeyBudget:
    assert caller.key_id is not None
    async with bank.database.work(caller.scope) as work:
        return (await bank.get(Wallets).key_budgets(work, [caller.key_id]))[caller.key_id]


async def spend(ledger: Ledger, caller: Actor, amount: int, name: str) -> bool:
    """One call. False when the budget refused it."""
    try:
        hold = await ledger.hold(caller, amount, idempotency_key=name)
    except BudgetSpent:
        return False
    await asyncio.sleep(0.002)
    await ledger.settle(hold, amount)
    return True


async def test_twenty_calls_at_once_never_spend_more_than_the_budget(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "7.5", "day")
    outcomes = await asyncio.gather(*(spend(ledger, caller, MICRO, f"c{n}") for n in range(20)))
    assert outcomes.count(True) == 7
    seen = await budget_of(bank, caller)
    assert (seen.spent, seen.held) == ("7.000000", "0.000000")


async def test_two_ledgers_side_by_side_share_a_budget(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    """As two processes would: nothing is shared but the database."""
    caller = await make_caller(100, "5")
    other = Ledger(bank.database, wait=20)
    calls = [spend((ledger, other)[n % 2], caller, MICRO, f"c{n}") for n in range(20)]
    assert (await asyncio.gather(*calls)).count(True) == 5
    assert (await budget_of(bank, caller)).spent == "5.000000"


async def test_a_call_that_cannot_fit_is_told_what_is_left(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "2", "month")
    assert await spend(ledger, caller, MICRO, "one")
    with pytest.raises(BudgetSpent, match=r"2\.000000 a month there are 1\.000000 left.*begins at"):
        await ledger.hold(caller, 2 * MICRO, idempotency_key="two")
    # The account itself, and the key's owner without the key, are not bound by it.
    owner = replace(caller, key_id=None)
    await ledger.release(await ledger.hold(owner, 50 * MICRO, idempotency_key="three"))
    with pytest.raises(InsufficientCredits, match="the balance is"):
        await ledger.hold(caller, 500 * MICRO, idempotency_key="four")


async def test_what_is_free_of_charge_needs_no_budget(ledger: Ledger, make_caller: MakeCaller) -> None:
    caller = await make_caller(10, "0")
    await ledger.settle(await ledger.hold(caller, 0, idempotency_key="free"), 0)
    with pytest.raises(BudgetSpent):
        await ledger.hold(caller, 1, idempotency_key="paid")


async def test_what_is_released_or_lost_is_free_again(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "1")
    hasty = Ledger(bank.database, wait=0)
    hold = await hasty.hold(caller, MICRO, idempotency_key="one")
    with pytest.raises(BudgetSpent, match="reserved"):
        await hasty.hold(caller, MICRO, idempotency_key="two")
    await hasty.release(hold)
    lost = await hasty.hold(caller, MICRO, idempotency_key="two")
    await hasty.renew(lost, timedelta(0))
    # Its process is gone: the next call finds that by itself.
    again = await hasty.hold(caller, MICRO, idempotency_key="three")
    # The lost one comes to its end after all; the budget bounds it to what the other left.
    assert (await hasty.settle(lost, MICRO)).amount == 0
    assert (await hasty.settle(again, MICRO)).amount == -MICRO
    assert (await budget_of(bank, caller)).spent == "1.000000"


@pytest.mark.parametrize(("period", "ago"), [("day", "1 day"), ("month", "31 days")])
async def test_a_new_period_begins_with_nothing_spent(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller, period: str, ago: str
) -> None:
    caller = await make_caller(100, "2", period)
    assert await spend(ledger, caller, 2 * MICRO, "one")
    assert not await spend(ledger, caller, MICRO, "two")
    running = replace(caller)
    async with bank.database.work(system("test")) as work:
        await work.session.execute(
            text(f"update key_budgets set period_start = period_start - interval '{ago}'")
        )
    seen = await budget_of(bank, caller)
    assert seen.spent == "0.000000"
    assert seen.resets_at is not None
    hold = await ledger.hold(running, MICRO, idempotency_key="three")
    assert await spend(ledger, caller, MICRO, "four")
    await ledger.settle(hold, MICRO)
    assert (await budget_of(bank, caller)).spent == "2.000000"


async def test_what_runs_over_the_end_of_a_period_counts_in_both(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "2", "day")
    hold = await ledger.hold(caller, 2 * MICRO, idempotency_key="long")
    async with bank.database.work(system("test")) as work:
        await work.session.execute(
            text("update key_budgets set period_start = period_start - interval '1 day'")
        )
    with pytest.raises(BudgetSpent):
        await Ledger(bank.database, wait=0).hold(caller, MICRO, idempotency_key="next")
    await ledger.settle(hold, 2 * MICRO)
    assert (await budget_of(bank, caller)).spent == "2.000000"


async def test_a_cost_above_the_hold_stops_at_the_budget(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "3")
    hold = await ledger.hold(caller, MICRO, idempotency_key="one")
    entry = await ledger.settle(hold, 5 * MICRO)
    assert entry.amount == -3 * MICRO
    assert "charged what" in entry.reason


async def test_a_smaller_budget_keeps_what_was_promised(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, "10")
    hold = await ledger.hold(caller, 4 * MICRO, idempotency_key="one")
    await set_budget(bank, caller, "1")
    assert (await ledger.settle(hold, 4 * MICRO)).amount == -4 * MICRO
    assert not await spend(ledger, caller, 1, "two")
    await set_budget(bank, caller, "5", "month")
    assert (await budget_of(bank, caller)).spent == "4.000000"
    assert await spend(ledger, caller, MICRO, "three")
    await set_budget(bank, caller, None)
    assert await spend(ledger, caller, 20 * MICRO, "four")
    await set_budget(bank, caller, "30")
    assert (await budget_of(bank, caller)).spent == "25.000000"


async def test_a_budget_that_comes_while_calls_run(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(100, None)
    hold = await ledger.hold(caller, 3 * MICRO, idempotency_key="one")
    await set_budget(bank, caller, "1")
    await ledger.settle(hold, 3 * MICRO)
    await ledger.settle(await ledger.hold(caller, MICRO, idempotency_key="two"), MICRO)
    assert (await budget_of(bank, caller)).held == "0.000000"


async def test_a_key_with_its_own_credits_has_a_budget_too(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller
) -> None:
    caller = await make_caller(10, "2", credits="8")
    assert await spend(ledger, caller, 2 * MICRO, "one")
    assert not await spend(ledger, caller, MICRO, "two")
    await set_budget(bank, caller, "100")
    with pytest.raises(InsufficientCredits, match=r"balance is 6\.0"):
        await ledger.hold(caller, 7 * MICRO, idempotency_key="three")


async def test_a_budget_is_its_owners_alone(
    bank: Runtime, make_caller: MakeCaller, make_payer: MakePayer
) -> None:
    caller, other = await make_caller(1, "2"), await make_payer(1)
    assert caller.key_id is not None
    async with bank.database.work(owned_by(other.user_id)) as work:
        assert await bank.get(Wallets).key_budgets(work, [caller.key_id]) == {}
        changed = await work.session.execute(text("update key_budgets set amount = 9 returning 1"))
        assert changed.all() == []


@pytest.mark.parametrize("amount", ["-1", "NaN", "1e3", "0.0000001", "", "9" * 20])
async def test_no_nonsense_is_a_budget(bank: Runtime, make_caller: MakeCaller, amount: str) -> None:
    caller = await make_caller(1, "2")
    with pytest.raises(InvalidRequest):
        await set_budget(bank, caller, amount)
    assert (await budget_of(bank, caller)).amount == "2.000000"


@pytest.mark.parametrize("seed", range(4))
async def test_any_sequence_keeps_within_the_budget(
    bank: Runtime, ledger: Ledger, make_caller: MakeCaller, seed: int
) -> None:
    chance = random.Random(seed)
    caller = await make_caller(1_000, "20")
    hasty = Ledger(bank.database, wait=0)
    running: list[Hold] = []
    spent = 0
    for number in range(100):
        deed = chance.choice(["hold", "hold", "settle", "release", "expire", "late"])
        if deed == "hold":
            amount = chance.randrange(1, 4 * MICRO)
            try:
                running.append(await hasty.hold(caller, amount, idempotency_key=f"{number}"))
            except BudgetSpent:
                assert spent + sum(h.amount for h in running) + amount > 20 * MICRO
        elif running:
            hold = running.pop(chance.randrange(len(running)))
            if deed == "settle":
                spent -= (await ledger.settle(hold, chance.randrange(0, 6 * MICRO))).amount
            elif deed == "release":
                await ledger.release(hold)
            else:
                await hasty.renew(hold, timedelta(0))
                await expire_holds(bank.database)
                if deed == "late":
                    try:
                        spent -= (await ledger.settle(hold, hold.amount)).amount
                    except HoldClosed:
                        pytest.fail("an expired hold can be settled")
        assert spent <= 20 * MICRO
        seen = await budget_of(bank, caller)
        assert seen.spent == f"{spent // MICRO}.{spent % MICRO:06d}"
    for hold in running:
        await ledger.release(hold)
