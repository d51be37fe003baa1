"""Guessing passwords: only failures count, everywhere at once, and nothing tells which accounts exist."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, Client, MakeClient, MakeUser

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.limits import Limiter
from aihub.kernel.runtime import Runtime
from aihub.services.identity import attempts
from aihub.services.identity.contracts import SignInFailed, TooManyAttempts
from aihub.services.identity.domain import network_of
from aihub.services.identity.service import Caller, Doorkeeper


async def guess(someone: Client, name: str = "ada", password: str = "wrong wrong wrong") -> int:
    return (await someone.sign_in(f"{name}@example.org", password)).status


async def age_attempts(hub: Runtime, by: timedelta) -> None:
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update sign_in_attempts set at = at - :by"), {"by": by})


async def test_after_five_failures_even_the_right_password_waits(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    assert [await guess(browser) for _ in range(5)] == [401] * 5
    refused = await browser.sign_in("ada@example.org")
    assert (refused.status, refused.code) == (429, "auth.too_many_attempts")
    assert 0 < int(refused.headers["retry-after"]) <= 901
    await age_attempts(hub, timedelta(minutes=15, seconds=1))
    assert (await browser.sign_in("ada@example.org")).status == 200


async def test_only_failures_count_and_success_forgets_them(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser = client()
    assert [await guess(browser, password=PASSWORD) for _ in range(8)] == [200] * 8
    assert [await guess(browser) for _ in range(4)] == [401] * 4
    assert await guess(browser, password=PASSWORD) == 200
    assert [await guess(browser) for _ in range(4)] == [401] * 4
    assert await guess(browser, password=PASSWORD) == 200


async def test_many_right_passwords_at_once_all_get_in(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    assert await asyncio.gather(*(guess(client(), password=PASSWORD) for _ in range(12))) == [200] * 12


async def test_one_network_cannot_try_one_account_after_the_other(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = client()
    assert [await guess(browser, f"user{n}") for n in range(5)] == [401] * 5
    assert await guess(browser, "ada", PASSWORD) == 429


async def test_a_forwarded_address_of_a_stranger_is_not_believed(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    outcomes = []
    for number in range(6):
        browser = client(headers={"X-Forwarded-For": f"203.0.{number}.1"})
        outcomes.append(await guess(browser, f"user{number}"))
    assert outcomes == [401] * 5 + [429]


async def test_concurrent_guesses_in_several_processes_are_five_at_most(
    make_user: MakeUser, hub: Runtime
) -> None:
    """Several doorkeepers with nothing in common but the database, as in several processes."""
    await make_user("ada")
    keepers = [Doorkeeper(hub.database, hub.get(Crypto), hub.get(Limiter)) for _ in range(3)]

    async def one(number: int) -> str:
        caller = Caller(f"198.51.{number}.7", None)
        try:
            await keepers[number % 3].check("ada@example.org", f"wrong guess {number}", caller)
        except SignInFailed:
            return "wrong"
        except TooManyAttempts:
            return "refused"
        return "in"

    outcomes = await asyncio.gather(*(one(number) for number in range(40)))
    assert outcomes.count("wrong") == 5
    assert outcomes.count("refused") == 35


async def test_an_attempt_of_a_process_that_died_counts_as_failed(hub: Runtime) -> None:
    per = timedelta(minutes=15)
    for _ in range(5):
        await attempts.admit(hub.database, b"account", "net", limit=5, per=per)
    await age_attempts(hub, timedelta(seconds=61))
    with pytest.raises(TooManyAttempts):
        await attempts.admit(hub.database, b"account", "elsewhere", limit=5, per=per)
    with pytest.raises(TooManyAttempts):
        await attempts.admit(hub.database, b"another", "net", limit=5, per=per)
    await attempts.admit(hub.database, b"another", "elsewhere", limit=5, per=per)


async def test_unknown_inactive_and_wrong_look_and_cost_the_same(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    await make_user("gone")
    await make_user("robot", password=None)
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update users set active = false where email like 'gone@%'"))
    # The server runs in this process, so its work is measured and not the machine's other load.
    bodies, seconds = [], {}
    for name, password in (
        ("warm-up", PASSWORD), ("ada", "wrong wrong wrong"), ("nobody", PASSWORD), ("gone", PASSWORD),
        ("robot", PASSWORD),
    ):  # fmt: skip
        times = []
        for _ in range(4):
            async with hub.database.work(system("test")) as work:
                await work.session.execute(text("delete from sign_in_attempts"))
            started = time.process_time()
            answer = await client().sign_in(f"{name}@example.org", password)
            times.append(time.process_time() - started)
            assert answer.status == 401
            answer.body.pop("request_id")
            bodies.append(answer.body)
        seconds[name] = min(times)
    assert all(body == bodies[0] for body in bodies)
    wrong = seconds["ada"]
    assert all(wrong / 2 < seconds[name] < wrong * 2 for name in ("nobody", "gone", "robot")), seconds


async def test_the_attempts_table_names_no_account(client: MakeClient, hub: Runtime) -> None:
    await client().sign_in("ada@example.org", "my password in the wrong field")
    async with hub.database.work(system("test")) as work:
        stored = str((await work.session.execute(text("select * from sign_in_attempts"))).all())
    assert "ada@" not in stored


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_neighbourhood_is_one_caller(address: str | None, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.c"},
        {"email": 3, "password": []},
        {"email": "", "password": ""},
        [],
        "x",
        {"email": "a@b.c", "password": "x" * 1025},
    ],
)
async def test_nonsense_is_refused_and_counts_for_nobody(
    client: MakeClient, hub: Runtime, body: object
) -> None:
    answer = await client()("POST", "/api/v1/session", body)
    assert answer.status == 422
    async with hub.database.work(system("test")) as work:
        assert await work.session.scalar(text("select count(*) from sign_in_attempts")) == 0
