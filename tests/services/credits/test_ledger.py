"""Reserving and billing: exact, once, and never below zero."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.services.credits.conftest import MakePayer
from tests.support.waiting import until

from aihub.kernel.auth import Actor
from aihub.kernel.db import owned_by, system
from aihub.kernel.errors import IdempotencyMismatch, InvalidRequest
from aihub.kernel.runtime import Runtime
from aihub.services.credits import queries
from aihub.services.credits.contracts import Balance, BelowZero, HoldClosed, InsufficientCredits
from aihub.services.credits.domain import LARGEST_BALANCE, MICRO
from aihub.services.credits.service import Ledger, adjust, balance_of, entries_of, expire_holds


async def balance(bank: Runtime, actor: Actor) -> Balance:
    async with bank.database.work(actor.scope) as work:
        found = await balance_of(work, actor.user_id, actor.key_id)
    assert found is not None
    return found


async def test_a_call_is_reserved_then_billed_for_what_it_cost(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    hold = await ledger.hold(actor, 4 * MICRO, idempotency_key="a")
    during = await balance(bank, actor)
    assert (during.balance, during.held, during.available) == (10 * MICRO, 4 * MICRO, 6 * MICRO)
    entry = await ledger.settle(hold, 1_500_000, model="m", input_tokens=7, output_tokens=3, reason="chat")
    after = await balance(bank, actor)
    assert (after.balance, after.held) == (8_500_000, 0)
    assert (entry.amount, entry.balance_after, entry.model) == (-1_500_000, 8_500_000, "m")
    assert (entry.input_tokens, entry.output_tokens, entry.reason) == (7, 3, "chat")


async def test_settling_twice_charges_once(bank: Runtime, ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(10)
    hold = await ledger.hold(actor, MICRO, idempotency_key="a")
    entries = await asyncio.gather(*(ledger.settle(hold, MICRO) for _ in range(10)))
    assert len({entry.id for entry in entries}) == 1
    assert (await balance(bank, actor)).balance == 9 * MICRO


async def test_settle_and_release_side_by_side_do_one_of_both(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    for number in range(10):
        hold = await ledger.hold(actor, MICRO, idempotency_key=f"{number}")
        before = await balance(bank, actor)
        settled, released = await asyncio.gather(
            ledger.settle(hold, MICRO), ledger.release(hold), return_exceptions=True
        )
        assert released is None
        after = await balance(bank, actor)
        assert after.held == 0
        charged = not isinstance(settled, HoldClosed)
        assert before.balance - after.balance == (MICRO if charged else 0)


async def test_released_credits_come_back_whole(bank: Runtime, ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(3)
    hold = await ledger.hold(actor, 3 * MICRO, idempotency_key="a")
    await ledger.release(hold)
    await ledger.release(hold)
    after = await balance(bank, actor)
    assert (after.balance, after.held) == (3 * MICRO, 0)
    with pytest.raises(HoldClosed):
        await ledger.settle(hold, MICRO)
    with pytest.raises(HoldClosed):
        await ledger.renew(hold)


async def test_too_little_is_refused_with_a_remedy(ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(1)
    with pytest.raises(InsufficientCredits) as refused:
        await ledger.hold(actor, MICRO + 1, idempotency_key="a")
    assert refused.value.status == 402
    assert refused.value.code == "credits.insufficient"
    assert "1.000001" in str(refused.value.detail)
    assert refused.value.hint


async def test_a_caller_without_an_account_has_nothing(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(0)
    async with bank.database.work(system("test")) as work:
        await work.session.execute(text("delete from ledger_accounts"))
    with pytest.raises(InsufficientCredits):
        await ledger.hold(actor, 1, idempotency_key="a")
    free = await ledger.hold(actor, 0, idempotency_key="b")
    assert (await ledger.settle(free, 0, model="free")).amount == 0


async def test_the_same_idempotency_key_is_the_same_hold(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    holds = await asyncio.gather(*(ledger.hold(actor, MICRO, idempotency_key="a") for _ in range(8)))
    assert len({hold.id for hold in holds}) == 1
    assert sum(not hold.repeated for hold in holds) == 1
    assert (await balance(bank, actor)).held == MICRO
    with pytest.raises(IdempotencyMismatch):
        await ledger.hold(actor, 2 * MICRO, idempotency_key="a")
    await ledger.settle(holds[0], MICRO)
    with pytest.raises(HoldClosed):
        await ledger.hold(actor, MICRO, idempotency_key="a")


async def test_a_call_that_came_to_nothing_may_be_tried_again_under_its_key(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    first = await ledger.hold(actor, MICRO, idempotency_key="a")
    await ledger.release(first)
    second = await ledger.hold(actor, 2 * MICRO, idempotency_key="a", ttl=timedelta(0))
    assert await expire_holds(bank.database) == 1
    third = await ledger.hold(actor, 3 * MICRO, idempotency_key="a")
    assert len({first.id, second.id, third.id}) == 3
    # The second was slow, not dead; its try is not billed beside the third.
    with pytest.raises(HoldClosed):
        await ledger.settle(second, MICRO)
    await ledger.settle(third, MICRO)
    with pytest.raises(HoldClosed):
        await ledger.settle(second, MICRO)
    after = await balance(bank, actor)
    assert (after.balance, after.held) == (9 * MICRO, 0)


async def test_a_dead_process_does_not_keep_credits_from_the_living(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(5)
    dead = Ledger(bank.database, wait=0)
    await dead.hold(actor, 3 * MICRO, idempotency_key="a", ttl=timedelta(0))
    await dead.hold(actor, 2 * MICRO, idempotency_key="b", ttl=timedelta(minutes=5))
    with pytest.raises(InsufficientCredits):
        await Ledger(bank.database, wait=0).hold(actor, 4 * MICRO, idempotency_key="c")
    assert (await ledger.hold(actor, 3 * MICRO, idempotency_key="d")).amount == 3 * MICRO


async def test_a_long_call_keeps_its_hold_while_its_process_lives(
    bank: Runtime, make_payer: MakePayer
) -> None:
    actor = await make_payer(5)
    living = Ledger(bank.database, wait=0)
    living.keep_alive(0.05)
    hold = await living.hold(actor, MICRO, idempotency_key="a", ttl=timedelta(seconds=1))

    async def later() -> bool:
        async with bank.database.work(system("test")) as work:
            end = await work.session.scalar(text("select expires_at from ledger_holds"))
        return bool(end > hold.expires_at + timedelta(seconds=1))

    await until(later, 10)
    assert await expire_holds(bank.database) == 0
    await living.settle(hold, MICRO)
    assert not living._open
    await living.close()


async def test_absurd_amounts_are_refused_like_any_others(ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(5)
    with pytest.raises(InsufficientCredits):
        await ledger.hold(actor, 10**30, idempotency_key="a")
    hold = await ledger.hold(actor, MICRO, idempotency_key="b")
    assert (await ledger.settle(hold, 10**30)).balance_after == 0
    for call in (ledger.hold(actor, -1, idempotency_key="c"), ledger.settle(hold, -1)):
        with pytest.raises(ValueError, match="micro-credits"):
            await call


async def test_a_dearer_call_takes_what_is_free_and_says_so(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    other = await ledger.hold(actor, 4 * MICRO, idempotency_key="other")
    hold = await ledger.hold(actor, MICRO, idempotency_key="dear")
    within = await ledger.settle(hold, 3 * MICRO)
    assert within.amount == -3 * MICRO
    assert within.reason == ""
    hold = await ledger.hold(actor, MICRO, idempotency_key="dearer")
    beyond = await ledger.settle(hold, 50 * MICRO, reason="chat")
    assert beyond.amount == -3 * MICRO
    assert "what the balance covered" in beyond.reason
    left = await balance(bank, actor)
    assert (left.balance, left.held) == (4 * MICRO, 4 * MICRO)
    await ledger.settle(other, 4 * MICRO)
    assert (await balance(bank, actor)).balance == 0


async def test_waits_for_credits_that_another_call_gives_back(ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(5)
    first = await ledger.hold(actor, 5 * MICRO, idempotency_key="first")
    waiting = asyncio.create_task(ledger.hold(actor, 4 * MICRO, idempotency_key="second"))
    await until(lambda: any(queue.waiting for queue in ledger._queues.values()))
    assert not waiting.done()
    await ledger.settle(first, MICRO)
    second = await asyncio.wait_for(waiting, 15)
    assert second.amount == 4 * MICRO
    assert not ledger._queues


async def test_waiting_ends_when_it_cannot_help_any_more(ledger: Ledger, make_payer: MakePayer) -> None:
    actor = await make_payer(5)
    first = await ledger.hold(actor, 5 * MICRO, idempotency_key="first")
    waiting = asyncio.create_task(ledger.hold(actor, 4 * MICRO, idempotency_key="second"))
    await until(lambda: any(queue.waiting for queue in ledger._queues.values()))
    await ledger.settle(first, 5 * MICRO)
    with pytest.raises(InsufficientCredits):
        await asyncio.wait_for(waiting, 15)


async def test_waiting_has_an_end_and_takes_no_connection(bank: Runtime, make_payer: MakePayer) -> None:
    actor = await make_payer(5)
    impatient = Ledger(bank.database, wait=0.4)
    await impatient.hold(actor, 5 * MICRO, idempotency_key="first")
    waiting = asyncio.gather(
        *(impatient.hold(actor, MICRO, idempotency_key=f"{n}") for n in range(30)), return_exceptions=True
    )
    await until(lambda: any(queue.waiting == 30 for queue in impatient._queues.values()))
    assert bank.database.pool_state().in_use <= 1
    outcomes = await waiting
    assert all(isinstance(outcome, InsufficientCredits) for outcome in outcomes)
    assert "reserved" in str(outcomes[0].detail)


async def test_a_caller_that_goes_away_leaves_nothing_reserved(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(50)
    for number in range(30):
        call = asyncio.create_task(ledger.hold(actor, MICRO, idempotency_key=f"{number}"))
        for _ in range(number % 15):
            await asyncio.sleep(0)
        call.cancel()
        outcome = (await asyncio.gather(call, return_exceptions=True))[0]
        if not isinstance(outcome, BaseException):
            await ledger.release(outcome)
    await ledger.close()
    assert (await balance(bank, actor)).held == 0


async def test_a_charge_survives_its_callers_cancellation(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(5)
    hold = await ledger.hold(actor, MICRO, idempotency_key="a")
    call = asyncio.create_task(ledger.settle(hold, MICRO))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await ledger.close()
    assert (await balance(bank, actor)).balance == 4 * MICRO


async def test_forgotten_holds_expire_and_late_bills_are_still_paid(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(5)
    lost = await ledger.hold(actor, 2 * MICRO, idempotency_key="lost", ttl=timedelta(0))
    kept = await ledger.hold(actor, MICRO, idempotency_key="kept", ttl=timedelta(0))
    await ledger.renew(kept, timedelta(minutes=5))
    assert await expire_holds(bank.database) == 1
    assert (await balance(bank, actor)).held == MICRO
    assert await expire_holds(bank.database) == 0
    late = await ledger.settle(lost, 2 * MICRO)
    assert late.amount == -2 * MICRO
    await ledger.release(lost)
    after = await balance(bank, actor)
    assert (after.balance, after.held) == (3 * MICRO, MICRO)


async def test_many_housekeepers_expire_each_hold_once(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actors = [await make_payer(20) for _ in range(3)]
    for number in range(30):
        await ledger.hold(actors[number % 3], MICRO, idempotency_key=f"{number}", ttl=timedelta(0))
    counts = await asyncio.gather(*(expire_holds(bank.database) for _ in range(4)))
    assert sum(counts) == 30
    assert [(await balance(bank, actor)).held for actor in actors] == [0, 0, 0]


async def test_an_adjustment_happens_once_and_its_key_means_one_thing(
    bank: Runtime, make_payer: MakePayer
) -> None:
    actor = await make_payer(0)

    async def give(amount: int, reason: str = "gift") -> int:
        async with bank.database.work(system("test")) as work:
            entry = await adjust(
                work,
                owner_id=actor.user_id,
                amount=amount,
                reason=reason,
                idempotency_key="gift",
                actor=None,
            )
            return entry.id

    ids = await asyncio.gather(*(give(MICRO) for _ in range(6)))
    assert len(set(ids)) == 1
    assert (await balance(bank, actor)).balance == MICRO
    with pytest.raises(IdempotencyMismatch):
        await give(2 * MICRO)
    with pytest.raises(IdempotencyMismatch):
        await give(MICRO, "another reason")


async def test_nothing_is_taken_below_what_is_reserved(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(5)
    await ledger.hold(actor, 2 * MICRO, idempotency_key="a")
    with pytest.raises(BelowZero):
        async with bank.database.work(system("test")) as work:
            await adjust(
                work,
                owner_id=actor.user_id,
                amount=-4 * MICRO,
                reason="correction",
                idempotency_key="b",
                actor=None,
            )
    assert (await balance(bank, actor)).balance == 5 * MICRO


async def test_no_account_grows_beyond_what_can_be_counted(bank: Runtime, make_payer: MakePayer) -> None:
    actor = await make_payer(0)

    async def give(number: int) -> None:
        async with bank.database.work(system("test")) as work:
            await adjust(
                work,
                owner_id=actor.user_id,
                amount=LARGEST_BALANCE - 5 if number == 0 else 6,
                reason="much",
                idempotency_key=f"{number}",
                actor=None,
            )

    await give(0)
    with pytest.raises(InvalidRequest):
        await give(1)
    assert (await balance(bank, actor)).balance == LARGEST_BALANCE - 5


async def test_entries_come_in_pages_and_cannot_be_changed(
    bank: Runtime, ledger: Ledger, make_payer: MakePayer
) -> None:
    actor = await make_payer(10)
    for number in range(5):
        hold = await ledger.hold(actor, MICRO, idempotency_key=f"{number}")
        await ledger.settle(hold, MICRO, model=f"m{number}")
    seen: list[int] = []
    before: int | None = None
    while True:
        async with bank.database.work(actor.scope) as work:
            rows, before = await entries_of(work, actor.user_id, None, before=before, limit=2)
        seen += [row.id for row in rows]
        if before is None:
            break
    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)
    for statement in ("update ledger_entries set amount = 0", "update ledger_entries set reason = 'x'"):
        with pytest.raises(DBAPIError):
            async with bank.database.work(system("test")) as work:
                await work.session.execute(text(statement))


async def test_a_ledger_is_its_owners_alone(bank: Runtime, ledger: Ledger, make_payer: MakePayer) -> None:
    ada, bob = await make_payer(10), await make_payer(10)
    hold = await ledger.hold(ada, MICRO, idempotency_key="a")
    async with bank.database.work(owned_by(bob.user_id)) as work:
        assert await queries.balance(work, ada.user_id, None) is None
        assert await queries.settle(
            work, hold, 1, reason="", shortfall="", model=None, input_tokens=None, output_tokens=None
        ) is None  # fmt: skip
        assert await queries.release(work, hold) is None
    assert (await balance(bank, ada)).held == MICRO
