"""Seeing where one is signed in, ending those sessions, and proving that one is still oneself."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, PASSWORD, Client, MakeClient, MakeUser, served
from tests.support.runtime import open_runtime
from tests.support.waiting import until

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.domain import browser_in_words

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/19.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36 Edg/142.0.0.0"
)


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, ("Firefox", "Linux")),
        (IPHONE, ("Safari", "iOS")),
        (EDGE, ("Edge", "Windows")),
        ("curl/8.5", (None, None)),
        (None, (None, None)),
    ],
)
def test_a_browser_is_named_in_words(agent: str | None, words: tuple[str | None, str | None]) -> None:
    assert browser_in_words(agent) == words


async def test_one_sees_where_one_is_signed_in_and_ends_it(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    await make_user("bob")
    here, phone, other = (
        client(headers={"User-Agent": FIREFOX}),
        client(headers={"User-Agent": IPHONE}),
        client(),
    )
    await phone.sign_in("ada@example.org")
    await here.sign_in("ada@example.org")
    await other.sign_in("bob@example.org")

    items = (await here("GET", "/api/v1/sessions")).body["items"]
    assert [(i["browser"], i["system"], i["current"]) for i in items] == [
        ("Firefox", "Linux", True),
        ("Safari", "iOS", False),
    ]
    assert items[0]["address"] == "127.0.0.1"

    theirs = (await other("GET", "/api/v1/sessions")).body["items"][0]["id"]
    refused = await here("DELETE", f"/api/v1/sessions/{theirs}")
    assert (refused.status, refused.code) == (404, "resource.not_found")
    assert (await other("GET", "/api/v1/session")).status == 200

    assert (await here("DELETE", f"/api/v1/sessions/{items[1]['id']}")).status == 204
    await _dies(phone)
    assert (await here("GET", "/api/v1/session")).status == 200
    assert len((await here("GET", "/api/v1/sessions")).body["items"]) == 1


async def test_signing_out_everywhere_else_keeps_this_browser(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browsers = [client() for _ in range(3)]
    for browser in browsers:
        await browser.sign_in("ada@example.org")
    answer = await browsers[0]("DELETE", "/api/v1/sessions")
    assert (answer.status, answer.body) == (200, {"ended": 2})
    await _dies(browsers[1])
    await _dies(browsers[2])
    assert (await browsers[0]("GET", "/api/v1/session")).status == 200


async def test_ended_sessions_and_idle_ones_are_not_listed(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    old, gone, here = client(), client(), client()
    await old.sign_in("ada@example.org")
    await gone.sign_in("ada@example.org")
    await gone("DELETE", "/api/v1/session")
    clock.at += timedelta(hours=24, seconds=1)
    await here.sign_in("ada@example.org")
    items = (await here("GET", "/api/v1/sessions")).body["items"]
    assert [item["current"] for item in items] == [True]


async def test_an_administrator_signs_somebody_out_but_nobody_above(
    hub: Runtime, client: MakeClient, make_user: MakeUser
) -> None:
    root = await make_user("root", "super_admin")
    await make_user("admin", "admin")
    ada = await make_user("ada")
    admin, browser, top = client(), client(), client()
    await admin.sign_in("admin@example.org")
    await browser.sign_in("ada@example.org")
    await top.sign_in("root@example.org")
    answer = await admin("DELETE", f"/api/v1/users/{ada.id}/sessions")
    assert (answer.status, answer.body) == (200, {"ended": 1})
    await _dies(browser)
    refused = await admin("DELETE", f"/api/v1/users/{root.id}/sessions")
    assert (refused.status, refused.code) == (403, "roles.beyond_own")
    assert (await browser.sign_in("ada@example.org")).status == 200
    assert (await browser("DELETE", f"/api/v1/users/{root.id}/sessions")).status == 403
    assert await _audited(hub, "session.end_all") == 1


async def test_an_ended_session_dies_in_another_process_within_a_second(
    hub: Runtime, dsn: str, client: MakeClient, make_user: MakeUser
) -> None:
    """The other process has its own memory; only the database tells it."""
    await make_user("ada")
    here, phone = client(), client()
    await phone.sign_in("ada@example.org")
    await here.sign_in("ada@example.org")
    async with (
        open_runtime(dsn, hub.settings, MODULES, clock=hub.clock, pool_size=4) as second,
        served(second) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
    ):
        there = Client(http, cookie=phone.cookie)
        assert (await there("GET", "/api/v1/session")).status == 200
        await here("DELETE", "/api/v1/sessions")
        await _dies(there)


async def test_keys_roles_and_factors_need_a_fresh_proof(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("root", "super_admin")
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("root@example.org")
    key = {"name": "k"}
    assert (await browser("POST", "/api/v1/keys", key)).status == 201  # signing in is a proof
    clock.at += timedelta(minutes=10, seconds=1)
    guarded: list[tuple[str, str, Any]] = [
        ("POST", "/api/v1/keys", key),
        ("PATCH", f"/api/v1/users/{ada.id}", {"roles": ["manager"]}),
        (
            "POST",
            "/api/v1/users",
            {"email": "eve@example.org", "password": "violet anchors drift", "roles": ["admin"]},
        ),
        ("POST", "/api/v1/second-factor/totp", None),
        ("DELETE", "/api/v1/second-factor/totp", None),
        ("POST", "/api/v1/second-factor/recovery-codes", None),
        ("POST", "/api/v1/passkey-options", None),
        ("DELETE", f"/api/v1/passkeys/{ada.id}", None),
        ("DELETE", f"/api/v1/users/{ada.id}/second-factor", None),
    ]
    for call in guarded:
        answer = await browser(*call)
        assert (answer.status, answer.code) == (403, "auth.fresh_proof_needed"), call
        assert "/api/v1/session/proof" in answer.body["remedy"]
    assert (await browser("PATCH", f"/api/v1/users/{ada.id}", {"name": "Ada"})).status == 200

    wrong = await browser("POST", "/api/v1/session/proof", {"password": "not this one"})
    assert (wrong.status, wrong.code) == (422, "auth.wrong_password")
    assert (await browser(*guarded[0])).status == 403
    assert (await browser("POST", "/api/v1/session/proof", {"password": PASSWORD})).status == 204
    # At once, without waiting for the news to reach this process' memory.
    assert (await browser(*guarded[0])).status == 201
    assert (await browser(*guarded[1])).status == 200


async def test_a_proof_is_one_of_three_and_wrong_ones_are_counted(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    for body in ({}, {"password": PASSWORD, "code": "123456"}, {"passkey": {}}):
        assert (await browser("POST", "/api/v1/session/proof", body)).status == 422, body
    for _ in range(5):
        wrong = await browser("POST", "/api/v1/session/proof", {"code": "123456"})
        assert (wrong.status, wrong.code) == (422, "auth.wrong_code")
    stopped = await browser("POST", "/api/v1/session/proof", {"password": PASSWORD})
    assert (stopped.status, stopped.code) == (429, "auth.too_many_attempts")


async def test_a_key_is_no_person(
    hub: Runtime, client: MakeClient, make_user: MakeUser, make_key: Any
) -> None:
    root = await make_user("root", "super_admin")
    program = client(key=await make_key(root.id))
    for call in (
        ("GET", "/api/v1/sessions", None),
        ("DELETE", "/api/v1/sessions", None),
        ("POST", "/api/v1/session/proof", {"password": PASSWORD}),
        ("POST", "/api/v1/passkey-options", None),
        ("GET", "/api/v1/second-factor", None),
        ("PATCH", f"/api/v1/users/{root.id}", {"roles": ["super_admin", "admin"]}),
    ):
        answer = await program(*call)
        assert (answer.status, answer.code) == (403, "auth.session_required"), call
    # What it may do with its scopes it does: make a key that can do no more than itself.
    assert (await program("POST", "/api/v1/keys", {"name": "child"})).status == 201


async def _dies(browser: Client) -> None:
    """Its session ends within a second."""

    async def ended() -> Any:
        answer = await browser("GET", "/api/v1/session")
        return answer if answer.status != 200 else None

    answer: Any = await until(ended, seconds=1)
    assert (answer.status, answer.code) == (401, "auth.session_ended")


async def _audited(hub: Runtime, action: str) -> int:
    async with hub.database.work(system("test")) as work:
        count = await work.session.scalar(
            text("select count(*) from audit_log where action = :action"), {"action": action}
        )
    return int(count or 0)
