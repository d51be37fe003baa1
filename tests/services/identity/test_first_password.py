"""Accounts without a password: they prove themselves otherwise, and can get one."""

import asyncio
from datetime import timedelta

import pytest
from tests.services.conftest import PASSWORD, Client, MakeClient, MakeUser
from tests.support.authenticator import Authenticator

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import queries

FRESH = "four unrelated tall words"


@pytest.fixture
async def kim(hub: Runtime, client: MakeClient, make_user: MakeUser) -> tuple[Client, Authenticator]:
    """Somebody who has a passkey and no password, signed in with it."""
    user = await make_user("kim")
    browser = client()
    host = f"localhost:{browser.http.base_url.port}"
    browser.headers |= {"Host": host, "Origin": f"http://{host}"}
    await browser.sign_in("kim@example.org")
    device = Authenticator(f"http://{host}", "localhost")
    asked = (await browser("POST", "/api/v1/passkey-options")).body
    answer = {"challenge_id": asked["challenge_id"], "credential": device.create(asked["options"])}
    assert (await browser("POST", "/api/v1/passkeys", answer | {"name": "Laptop"})).status == 201
    async with hub.database.work(system("test")) as work:
        await queries.update_user(work, user.id, password_hash=None)
    return browser, device


async def prove(browser: Client, device: Authenticator) -> None:
    asked = (await browser("POST", "/api/v1/session/proof/options")).body
    shown = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["options"])}
    assert (await browser("POST", "/api/v1/session/proof", {"passkey": shown})).status == 204


async def test_the_first_password_takes_a_fresh_proof_and_the_next_one_takes_it(
    kim: tuple[Client, Authenticator], client: MakeClient, clock: FixedClock
) -> None:
    browser, device = kim
    assert (await browser("GET", "/api/v1/second-factor")).body["password"] is False
    clock.at += timedelta(minutes=10, seconds=1)
    first = {"new_password": FRESH}
    stale = await browser("POST", "/api/v1/me/password", first)
    assert (stale.status, stale.code) == (403, "auth.fresh_proof_needed")
    await prove(browser, device)
    weak = await browser("POST", "/api/v1/me/password", {"new_password": "password123"})
    assert (weak.status, weak.body["errors"][0]["field"]) == (422, "new_password")
    assert (await browser("POST", "/api/v1/me/password", first)).status == 204
    assert (await browser("GET", "/api/v1/session")).status == 200
    assert (await browser("GET", "/api/v1/second-factor")).body["password"] is True
    assert (await client().sign_in("kim@example.org", FRESH)).status == 200

    # From now on a fresh proof alone does not replace it.
    again = await browser("POST", "/api/v1/me/password", {"new_password": "five quite other tall words"})
    assert (again.status, again.code) == (422, "auth.wrong_password")
    assert (await client().sign_in("kim@example.org", FRESH)).status == 200


async def test_of_two_first_passwords_at_once_one_counts(
    kim: tuple[Client, Authenticator], client: MakeClient
) -> None:
    browser, _ = kim
    wished = [f"{word} unrelated tall words" for word in ("four", "several")]
    answers = await asyncio.gather(
        *(browser("POST", "/api/v1/me/password", {"new_password": wish}) for wish in wished)
    )
    assert sorted(answer.status for answer in answers) == [204, 422]
    [kept] = [wish for wish, answer in zip(wished, answers, strict=True) if answer.status == 204]
    assert (await client().sign_in("kim@example.org", kept)).status == 200


async def test_without_a_password_another_address_is_asked_for_by_passkey(
    kim: tuple[Client, Authenticator], clock: FixedClock
) -> None:
    browser, device = kim
    clock.at += timedelta(minutes=10, seconds=1)
    asked = {"email": "kim@example.net"}
    assert (await browser("POST", "/api/v1/me/email", asked)).code == "auth.fresh_proof_needed"
    await prove(browser, device)
    assert (await browser("POST", "/api/v1/me/email", asked)).body == asked


async def test_somebody_with_a_password_cannot_leave_it_out(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    answer = await browser("POST", "/api/v1/me/password", {"new_password": FRESH})
    assert (answer.status, answer.code) == (422, "auth.wrong_password")
    assert (await client().sign_in("ada@example.org", PASSWORD)).status == 200
