"""Credits over HTTP."""

import asyncio
import inspect
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.conftest import MakeClient, MakeUser

from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.credits import jobs
from aihub.services.credits.domain import MICRO
from aihub.services.credits.service import Ledger, check_invariant, expire_holds, return_closed
from aihub.services.identity.contracts import User


async def pay(hub: Runtime, actor: Actor, model: str, micro: int, tokens: int = 10) -> None:
    ledger = hub.get(Ledger)
    hold = await ledger.hold(actor, micro, idempotency_key=f"{model}{micro}{tokens}")
    await ledger.settle(hold, micro, model=model, input_tokens=tokens, output_tokens=tokens, reason="Chat")


def acting(user: User, key_id: UUID | None = None) -> Actor:
    return Actor(user.id, user.email, key_id=key_id)


async def test_a_newcomer_has_a_hundred_credits_and_sees_why(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    balance = {"balance": "100.000000", "held": "0.000000", "available": "100.000000"}
    assert (await browser("GET", "/api/v1/credits")).body == balance
    (entry,) = (await browser("GET", "/api/v1/credits/entries")).body["items"]
    assert (entry["kind"], entry["amount"], entry["balance_after"]) == ("grant", "100.000000", "100.000000")


async def test_what_was_spent_is_shown_by_day_and_model(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    ada = await make_user("ada")
    await pay(hub, acting(ada), "small", MICRO // 2)
    await pay(hub, acting(ada), "large", 3 * MICRO, tokens=100)
    await pay(hub, acting(ada), "small", MICRO // 4)
    other = await make_user("bob")
    await pay(hub, acting(other), "small", MICRO)
    browser = client()
    await browser.sign_in("ada@example.org")
    usage = (await browser("GET", "/api/v1/credits/usage?days=7")).body
    assert len(usage["days"]) == 7
    assert usage["days"][-1] == {
        "date": hub.clock.now().date().isoformat(), "credits": "3.750000", "tokens": 240, "calls": 3,
    }  # fmt: skip
    assert usage["models"] == [
        {"model": "large", "credits": "3.000000", "tokens": 200, "calls": 1},
        {"model": "small", "credits": "0.750000", "tokens": 40, "calls": 2},
    ]
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "96.250000"
    for bad in ("days=0", "days=367", "days=x", "days=-1"):
        assert (await browser("GET", f"/api/v1/credits/usage?{bad}")).status == 422


async def test_entries_come_in_pages(client: MakeClient, make_user: MakeUser, hub: Runtime) -> None:
    ada = await make_user("ada")
    for number in range(4):
        await pay(hub, acting(ada), "m", 1 + number)
    browser = client()
    await browser.sign_in("ada@example.org")
    seen, cursor = [], ""
    while True:
        page = (await browser("GET", f"/api/v1/credits/entries?limit=2{cursor}")).body
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len({entry["id"] for entry in seen}) == len(seen) == 5
    assert [entry["amount"] for entry in seen[:2]] == ["-0.000004", "-0.000003"]
    for bad in ("cursor=x", "cursor=0", f"cursor={2**63}", "limit=0"):
        assert (await browser("GET", f"/api/v1/credits/entries?{bad}")).status == 422


async def test_a_gift_happens_once_however_often_it_is_sent(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("boss", "admin")
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("boss@example.org")
    path = f"/api/v1/users/{ada.id}/credits"
    gift = {"amount": "12.5", "reason": "Thanks"}
    key = {"Idempotency-Key": "gift-1"}
    answers = await asyncio.gather(*(browser("POST", path, gift, headers=key) for _ in range(6)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert answers[0].body["balance_after"] == "112.500000"
    other = await browser("POST", path, gift | {"amount": "13"}, headers=key)
    assert (other.status, other.code) == (409, "request.idempotency_mismatch")
    assert (await browser("POST", path, gift)).status == 422
    trail = (await browser("GET", "/api/v1/audit?action=credits.adjust")).body["items"]
    assert len(trail) == 1
    assert trail[0]["details"]["amount"] == "12.500000"


@pytest.mark.parametrize(
    "body",
    [
        {"amount": "-1", "reason": "x"}, {"amount": "0", "reason": "x"}, {"amount": "NaN", "reason": "x"},
        {"amount": "1e3", "reason": "x"}, {"amount": "0.0000001", "reason": "x"},
        {"amount": 1.5, "reason": "x"},
        {"amount": None, "reason": "x"}, {"amount": "1" * 30, "reason": "x"}, {"amount": "1", "reason": ""},
        {"amount": "1", "reason": "a\x00"}, {"amount": "1"}, {}, [],
    ],
)  # fmt: skip
async def test_a_bad_amount_is_refused_and_moves_nothing(
    client: MakeClient, make_user: MakeUser, hub: Runtime, body: object
) -> None:
    boss = await make_user("boss", "admin")
    browser = client()
    await browser.sign_in("boss@example.org")
    answer = await browser("POST", f"/api/v1/users/{boss.id}/credits", body, headers={"Idempotency-Key": "k"})
    assert answer.status == 422
    assert answer.body["errors"]
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "100.000000"


async def test_a_revoked_keys_last_call_is_paid_and_the_rest_comes_home(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    made = (await browser("POST", "/api/v1/keys", {"name": "k", "credits": "10"})).body
    actor = acting(ada, UUID(made["id"]))
    ledger = hub.get(Ledger)
    hold = await ledger.hold(actor, 4 * MICRO, idempotency_key="running")
    await browser("DELETE", f"/api/v1/keys/{made['id']}")
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "96.000000"
    await ledger.settle(hold, MICRO)
    assert await return_closed(hub.database) == 1
    assert await return_closed(hub.database) == 0
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "99.000000"
    async with hub.database.work(system("test")) as work:
        check = await check_invariant(work)
    assert check.ok, check.problems


async def test_the_check_finds_books_that_were_tampered_with(make_user: MakeUser, hub: Runtime) -> None:
    ada, bob = await make_user("ada"), await make_user("bob")
    await hub.get(Ledger).hold(acting(bob), MICRO, idempotency_key="a")
    async with hub.database.work(system("test")) as work:
        assert (await check_invariant(work)).ok
        await work.session.execute(
            text("update ledger_accounts set balance = balance + 1 where owner_id = :id"), {"id": ada.id}
        )
        await work.session.execute(text("update ledger_accounts set held = held - 1 where held > 0"))
        check = await check_invariant(work)
    assert check.accounts == 2
    assert len(check.problems) == 2


async def test_the_clock_tidies_the_ledger(make_user: MakeUser, hub: Runtime) -> None:
    ada = await make_user("ada")
    await hub.get(Ledger).hold(acting(ada), MICRO, idempotency_key="a", ttl=timedelta(0))
    assert jobs.TIDY.schedule
    assert list(inspect.signature(jobs.TIDY.run).parameters) == ["context"]
    assert await expire_holds(hub.database) == 1
