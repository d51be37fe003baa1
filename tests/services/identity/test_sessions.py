"""Browsers: signing in and out, and what a session is worth."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, MakeClient, MakeUser, cookie_of

from aihub.kernel.cache import Cache
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.db.database import connect
from aihub.kernel.runtime import Runtime


async def test_signing_in_gives_a_session_and_a_cookie_scripts_cannot_read(
    client: MakeClient, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    browser = client()
    answer = await browser.sign_in("Ada@Example.org")
    assert answer.status == 200
    assert answer.body["user"]["id"] == str(user.id)
    assert answer.body["user"]["roles"] == ["user"]
    assert "keys:manage" in answer.body["user"]["permissions"]
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-aihub=")
    for attribute in ("secure", "httponly", "samesite=lax", "path=/"):
        assert attribute in cookie
    assert "domain" not in cookie
    again = await browser("GET", "/api/v1/session")
    assert again.status == 200
    assert again.body == answer.body


async def test_nobody_is_nobody(client: MakeClient) -> None:
    assert (await client()("GET", "/api/v1/session")).status == 401
    answer = await client(cookie="ahs_made-up")("GET", "/api/v1/session")
    assert (answer.status, answer.code) == (401, "auth.session_ended")
    assert answer.body["remedy"]


async def test_a_changing_request_needs_the_csrf_token(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    await make_user("bob")
    browser, other = client(), client()
    await browser.sign_in("ada@example.org")
    await other.sign_in("bob@example.org")
    change = ("PATCH", "/api/v1/me", {"name": "Ada L."})
    for token in (None, "", "x", "é", other.csrf):
        forged = client(cookie=browser.cookie, csrf=token)
        if token == "é":
            forged.csrf = None
            forged.headers["X-CSRF-Token"] = "=?"
        answer = await forged(*change)
        assert (answer.status, answer.code) == (403, "auth.csrf"), token
    assert (await browser(*change)).body["name"] == "Ada L."


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "HOST"}, True),
    ],
)
async def test_pages_of_other_sites_change_nothing_even_with_the_token(
    client: MakeClient, make_user: MakeUser, headers: dict[str, str], allowed: bool
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    base = str(browser.http.base_url).rstrip("/")
    headers = {name: base if value == "HOST" else value for name, value in headers.items()}
    answer = await browser("PATCH", "/api/v1/me", {"name": "x"}, headers=headers)
    assert answer.status == (200 if allowed else 403)
    if not allowed:
        assert answer.code == "auth.foreign_origin"
    stranger = await client()(
        "POST", "/api/v1/session", {"email": "ada@example.org", "password": PASSWORD}, headers=headers
    )
    assert stranger.status == (200 if allowed else 403)


async def test_a_plain_http_address_says_why_nobody_can_sign_in_there(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    answer = await client()(
        "POST",
        "/api/v1/session",
        {"email": "ada@example.org", "password": PASSWORD},
        headers={"Origin": "http://hub.lan:8000", "Host": "hub.lan:8000"},
    )
    assert (answer.status, answer.code) == (403, "auth.insecure_address")
    assert "https://" in answer.body["remedy"]


async def test_signing_out_ends_the_session(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    answer = await browser("DELETE", "/api/v1/session")
    assert answer.status == 204
    assert re.search(r'__Host-aihub=""?;.*Max-Age=0', answer.headers["set-cookie"], re.IGNORECASE)
    await asyncio.sleep(0)
    assert (await browser("GET", "/api/v1/session")).status == 401


async def test_every_sign_in_has_a_new_token_and_ends_the_browsers_old_one(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = client()
    first = cookie_of(await browser.sign_in("ada@example.org"))
    second = cookie_of(await browser.sign_in("ada@example.org"))
    assert first != second
    assert (await client(cookie=first)("GET", "/api/v1/session")).status == 401
    assert (await client(cookie=second)("GET", "/api/v1/session")).status == 200


async def test_a_session_ends_after_a_day_unused_and_after_a_week_anyway(
    client: MakeClient, make_user: MakeUser, clock: FixedClock, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")

    start = clock.at
    for hours in (23, 46, 69, 92, 115, 138, 161):
        clock.at = start + timedelta(hours=hours)
        hub.get(Cache)._forget_all()
        assert (await browser("GET", "/api/v1/session")).status == 200, hours
    clock.at = start + timedelta(days=7, minutes=1)
    hub.get(Cache)._forget_all()
    assert (await browser("GET", "/api/v1/session")).status == 401
    idle = client()
    await idle.sign_in("ada@example.org")
    clock.at += timedelta(hours=24, minutes=1)
    assert (await idle("GET", "/api/v1/session")).status == 401


async def test_being_seen_is_written_once_a_minute(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")

    async def writes() -> int:
        async with hub.database.work(system("test")) as work:
            return int(await work.session.scalar(text("select xmin::text::bigint from sessions")) or 0)

    before = await writes()
    for _ in range(20):
        assert (await browser("GET", "/api/v1/session")).status == 200
    assert await writes() == before


async def test_a_new_password_ends_the_other_sessions(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    here, elsewhere = client(), client()
    await here.sign_in("ada@example.org")
    await elsewhere.sign_in("ada@example.org")
    fresh = "four unrelated tall words"
    wrong = await here(
        "POST", "/api/v1/me/password", {"current_password": "nope nope nope", "new_password": fresh}
    )
    assert (wrong.status, wrong.code) == (422, "auth.wrong_password")
    weak = await here(
        "POST", "/api/v1/me/password", {"current_password": PASSWORD, "new_password": "password123"}
    )
    assert (weak.status, weak.code) == (422, "auth.weak_password")
    assert weak.body["errors"][0]["field"] == "new_password"
    done = await here("POST", "/api/v1/me/password", {"current_password": PASSWORD, "new_password": fresh})
    assert done.status == 204
    assert (await here("GET", "/api/v1/session")).status == 200
    assert (await elsewhere("GET", "/api/v1/session")).status == 401
    assert (await client().sign_in("ada@example.org")).status == 401
    assert (await client().sign_in("ada@example.org", fresh)).status == 200


async def test_a_profile_keeps_what_it_is_given(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    changed = await browser("PATCH", "/api/v1/me", {"locale": "fr", "theme": "dark"})
    assert (changed.body["locale"], changed.body["theme"], changed.body["name"]) == ("fr", "dark", "ada")
    assert (await browser("GET", "/api/v1/session")).body["user"] == changed.body
    for bad in (
        {"locale": "de"},
        {"theme": "neon"},
        {"name": "two\nlines"},
        {"name": "x" * 201},
        {"name": 3},
    ):
        assert (await browser("PATCH", "/api/v1/me", bad)).status == 422
    nul = await browser("PATCH", "/api/v1/me", {"name": "a\x00b"})
    assert nul.status == 422


async def test_a_database_that_is_away_is_a_503_and_never_a_401(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    here = hub.database.engine
    hub.database.engine = connect("postgresql://nobody@/none?host=/nonexistent", hub.kernel).engine
    try:
        known = await browser("GET", "/api/v1/credits")
        key = await client(key="ahk_abcdefgh_" + "x" * 43)("GET", "/api/v1/credits")
        session = await client(cookie="ahs_unknown")("GET", "/api/v1/credits")
        signing_in = await client().sign_in("ada@example.org")
    finally:
        hub.database.engine = here
    answers = [known, key, session, signing_in]
    assert [answer.status for answer in answers] == [503] * 4
    assert {answer.code for answer in answers} == {"database.unavailable"}
    assert (await browser("GET", "/api/v1/credits")).status == 200
