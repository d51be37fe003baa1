"""Strangers who fail on purpose lock nobody out of the browsers and sessions that they use."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, Answer, Client, MakeClient, MakeUser
from tests.services.identity.test_passkeys import _add, _by_name, _device, _enter

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.service.known_devices import KNOWN_COOKIE, known_device, known_token

WRONG = "wrong wrong wrong"


def kept(answer: Answer) -> str:
    """What the browser keeps beside its session."""
    found = [value for value in answer.headers.get_list("set-cookie") if value.startswith(KNOWN_COOKIE)]
    assert len(found) == 1
    return found[0].partition(";")[0].partition("=")[2]


async def sign_in(
    client: MakeClient, known: str | None = None, name: str = "ada", password: str = PASSWORD
) -> Answer:
    body = {"email": f"{name}@example.org", "password": password}
    headers = {"Cookie": f"{KNOWN_COOKIE}={known}"} if known else {}
    return await client()("POST", "/api/v1/session", body, headers=headers)


async def lock(client: MakeClient, name: str = "ada") -> None:
    """What a stranger does who wants somebody to stay outside."""
    assert [(await sign_in(client, None, name, WRONG)).status for _ in range(5)] == [401] * 5
    assert (await sign_in(client, None, name)).status == 429


async def test_a_browser_that_was_here_before_gets_in_while_strangers_are_stopped(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    known = kept(await sign_in(client))
    await lock(client)
    for _ in range(3):
        answer = await sign_in(client, known)
        assert answer.status == 200
        assert kept(answer) == known
    assert (await sign_in(client)).status == 429, "it let nobody else in"


async def test_the_cookie_is_for_the_hub_alone_and_opens_nothing(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    answer = await sign_in(client)
    cookie = next(v for v in answer.headers.get_list("set-cookie") if v.startswith(KNOWN_COOKIE)).lower()
    assert cookie.startswith("__host-aihub-known=")
    for attribute in ("secure", "httponly", "samesite=lax", "path=/", "max-age=15552000"):
        assert attribute in cookie
    assert "ada@" not in cookie
    headers = {"Cookie": f"{KNOWN_COOKIE}={kept(answer)}"}
    assert (await client()("GET", "/api/v1/session", headers=headers)).status == 401
    assert (await sign_in(client, kept(answer), password=WRONG)).status == 401


async def test_a_known_browser_has_five_failures_of_its_own(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    first, second = kept(await sign_in(client)), kept(await sign_in(client))
    assert first != second
    guesses = [await sign_in(client, first, password=WRONG) for _ in range(6)]
    assert [answer.status for answer in guesses] == [401] * 5 + [429]
    assert (await sign_in(client, first)).status == 429
    assert (await sign_in(client, second)).status == 200, "another browser of the same person goes on"
    assert (await sign_in(client)).status == 200, "and so do new ones"
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("update sign_in_attempts set at = at - :by"), {"by": timedelta(minutes=15, seconds=1)}
        )
    assert (await sign_in(client, first)).status == 200


@pytest.mark.parametrize("how", ["of another account", "made up", "cut", "changed", "empty", "long", "odd"])
async def test_no_other_cookie_helps(client: MakeClient, make_user: MakeUser, hub: Runtime, how: str) -> None:
    await make_user("ada")
    await make_user("eve")
    own = kept(await sign_in(client))
    nonce, _, signature = own.partition(".")
    cookie = {
        "of another account": kept(await sign_in(client, name="eve")),
        "made up": "0" * 32 + "." + "0" * 64,
        "cut": nonce + "." + signature[:32],
        "changed": "f" * 32 + "." + signature,
        "empty": ".",
        "long": own + "0" * 300,
        "odd": "a.b.c",
    }[how]
    await lock(client)
    assert (await sign_in(client, cookie)).status == 429
    assert known_device(hub.get(Crypto), "ada@example.org", cookie) is None
    assert known_token(hub.get(Crypto), "ada@example.org", cookie) != cookie


async def test_whoever_is_signed_in_goes_on_while_strangers_fail(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    await lock(client)
    assert (await browser("POST", "/api/v1/session/proof", {"password": PASSWORD})).status == 204
    change = {"current_password": PASSWORD, "new_password": "four unrelated tall words"}
    assert (await browser("POST", "/api/v1/me/password", change)).status == 204
    # Somebody who found the browser open has five guesses, too.
    guesses = [(await browser("POST", "/api/v1/session/proof", {"password": WRONG})).status for _ in range(6)]
    assert guesses == [422] * 5 + [429]


async def test_a_passkey_lets_in_while_strangers_fail(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser: Client = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    assert (await _add(browser, device)).status == 201
    await lock(client)
    elsewhere = _by_name(client())
    entered = await _enter(elsewhere, device)
    assert entered.status == 200, entered.body
    # From then on this browser is known, too.
    assert (await sign_in(client, kept(entered))).status == 200


async def test_the_limit_is_told_in_standard_headers_and_words_of_its_own(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    for left in (4, 3, 2, 1, 0):
        answer = await sign_in(client, password=WRONG)
        assert answer.headers["ratelimit-policy"] == '"auth-login";q=5;w=900'
        assert answer.headers["ratelimit"] == f'"auth-login";r={left};t=900'
    refused = await sign_in(client)
    assert (refused.status, refused.code) == (429, "auth.too_many_attempts")
    assert refused.headers["ratelimit-policy"] == '"auth-login";q=5;w=900'
    name, remaining, reset = refused.headers["ratelimit"].split(";")
    assert (name, remaining) == ('"auth-login"', "r=0")
    assert 0 < int(reset.removeprefix("t=")) <= 901
    assert 0 < int(refused.headers["retry-after"]) <= 901
    assert refused.body["title"] == "Too many failed sign-ins"
    assert "5 failed sign-ins within 15 minutes" in refused.body["detail"]
