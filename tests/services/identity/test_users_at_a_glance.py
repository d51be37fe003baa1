"""People as administrators see them: found, counted, switched off and on, and listed without a formula."""

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event, text
from tests.services.conftest import PASSWORD, Client, MakeClient, MakeUser
from tests.support.waiting import until

from aihub.kernel.auth import Actor
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.credits.domain import MICRO
from aihub.services.credits.service import Ledger
from aihub.services.identity import service
from aihub.services.identity.domain import PROOF_LIFE

MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture
async def root(client: MakeClient, make_user: MakeUser) -> Client:
    """A super_admin's browser."""
    await make_user("root", "super_admin")
    browser: Client = client()
    await browser.sign_in("root@example.org")
    return browser


async def found(browser: Client, **query: object) -> list[str]:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await browser("GET", f"/api/v1/users?{words}")
    assert answer.status == 200, answer.body
    return [person["email"].partition("@")[0] for person in answer.body["items"]]


async def test_people_are_found_by_what_they_are(
    client: MakeClient, make_user: MakeUser, root: Client, hub: Runtime
) -> None:
    await make_user("ada", "manager")
    bob = await make_user("bob")
    await make_user("100%_sure")
    await client().sign_in("ada@example.org")
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("insert into totp_secrets (owner_id, secret, confirmed_at) values (:id, 'x', now())"),
            {"id": bob.id},
        )
        await work.session.execute(text("update users set active = false where name = '100%_sure'"))
    assert await found(root) == ["100%_sure", "bob", "ada", "root"]
    assert await found(root, search="B") == ["bob"]
    assert await found(root, search="%25_S") == ["100%_sure"]
    assert await found(root, search="_") == ["100%_sure"]
    assert await found(root, role="manager") == ["ada"]
    assert await found(root, role="user", active="true") == ["bob"]
    assert await found(root, active="false") == ["100%_sure"]
    assert await found(root, second_factor="true") == ["bob"]
    assert await found(root, second_factor="false", active="true") == ["ada", "root"]
    assert await found(root, never_signed_in="true") == ["100%_sure", "bob"]
    assert await found(root, role="nobody") == []
    counted = (await root("GET", "/api/v1/users/statistics")).body
    assert {name: counted[name] for name in ("people", "active", "inactive", "second_factor")} == {
        "people": 4, "active": 3, "inactive": 1, "second_factor": 1,
    }  # fmt: skip
    assert (counted["never_signed_in"], counted["seen_lately"], counted["invited"]) == (2, 2, 0)
    assert counted["roles"]["user"] == 2
    for bad in ("active=perhaps", "limit=0", "role=" + "x" * 101, "search=%00"):
        assert (await root("GET", f"/api/v1/users?{bad}")).status == 422, bad


async def test_a_page_of_people_costs_two_statements(
    make_user: MakeUser, make_key: MakeKey, root: Client, hub: Runtime
) -> None:
    """Whatever there is to show of each, and however many there are."""
    for number in range(12):
        await make_key((await make_user(f"p{number}")).id)
    await found(root, limit=3)
    statements: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if "users u" in statement or "ledger" in statement or "api_keys" in statement:
            statements.append(statement)

    engine = hub.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await found(root, limit=3)
        few = len(statements)
        await found(root, limit=12)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert few == len(statements) - few == 2


async def test_what_somebody_uses_is_seen_at_a_glance(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, root: Client, hub: Runtime
) -> None:
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    await make_key(ada.id)
    ledger = hub.get(Ledger)
    async with hub.database.work(system("test")) as work:
        access = await service.access_of(work, ada.id)
    assert access is not None
    actor = Actor(ada.id, ada.email, access.roles, access.permissions)
    for number in range(3):
        await ledger.settle(await ledger.hold(actor, MICRO, idempotency_key=str(number)), 2 * MICRO)
    seen = (await root("GET", f"/api/v1/users/{ada.id}")).body
    assert (seen["keys"], seen["sessions"], seen["second_factor"]) == (1, 1, False)
    assert seen["usage"] == {
        "balance": "94.000000", "available": "94.000000", "spent": "6.000000", "calls": 3,
    }  # fmt: skip
    (key,) = (await root("GET", f"/api/v1/users/{ada.id}/keys")).body["items"]
    assert "key" not in key
    assert (await root("DELETE", f"/api/v1/users/{ada.id}/keys/{key['id']}")).status == 204
    assert (await root("GET", f"/api/v1/users/{ada.id}")).body["keys"] == 0
    other = "00000000-0000-0000-0000-000000000000"
    assert (await root("GET", f"/api/v1/users/{other}")).status == 404
    assert (await root("GET", f"/api/v1/users/{other}/keys")).status == 404
    assert (await root("DELETE", f"/api/v1/users/{other}/keys/{key['id']}")).status == 404
    for method, path in (
        ("GET", "/api/v1/users"), ("GET", f"/api/v1/users/{ada.id}"), ("GET", "/api/v1/users/statistics"),
        ("GET", "/api/v1/users/export"), ("GET", f"/api/v1/users/{ada.id}/keys"),
        ("DELETE", f"/api/v1/users/{ada.id}/keys/{key['id']}"),
    ):  # fmt: skip
        assert (await browser(method, path)).status == 403, path


async def test_whoever_may_do_more_keeps_their_keys(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, root: Client
) -> None:
    boss = (await root("GET", "/api/v1/users?search=root")).body["items"][0]
    await make_key(boss["id"])
    (key,) = (await root("GET", f"/api/v1/users/{boss['id']}/keys")).body["items"]
    await make_user("ada", "admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    refused = await admin("DELETE", f"/api/v1/users/{boss['id']}/keys/{key['id']}")
    assert (refused.status, refused.code) == (403, "roles.beyond_own")


@pytest.mark.parametrize("revoke_keys", [False, True])
async def test_many_are_switched_off_and_on(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, root: Client, revoke_keys: bool
) -> None:
    """Sessions end for good; keys are refused while it lasts, and for good when that was asked for."""
    people = [await make_user(name) for name in ("ada", "bob")]
    boss = (await root("GET", "/api/v1/users?search=root")).body["items"][0]
    keys = [client(key=await make_key(person.id)) for person in people]
    browser = client()
    await browser.sign_in("ada@example.org")
    ids = [str(person.id) for person in people]
    wish = {"user_ids": [*ids, boss["id"], boss["id"]], "active": False, "revoke_keys": revoke_keys}
    done = (await root("POST", "/api/v1/users/bulk", wish)).body["items"]
    assert [(one["changed"], one["code"]) for one in done] == [
        (True, None), (True, None), (False, "users.own_account"),
    ]  # fmt: skip

    async def refused() -> bool:
        answers = [await key("GET", "/api/v1/credits") for key in keys]
        return {a.status for a in [*answers, await browser("GET", "/api/v1/credits")]} == {401}

    await until(refused, 1)
    assert (await client().sign_in("ada@example.org", PASSWORD)).status == 401
    again = await root("POST", "/api/v1/users/bulk", {"user_ids": ids, "active": True})
    assert [one["changed"] for one in again.body["items"]] == [True, True]
    assert [one["changed"] for one in (
        await root("POST", "/api/v1/users/bulk", {"user_ids": ids, "active": True})
    ).body["items"]] == [False, False]  # fmt: skip

    async def back() -> bool:
        return (await client().sign_in("bob@example.org")).status == 200

    await until(back, 1)

    async def as_meant() -> bool:
        status = (await keys[0]("GET", "/api/v1/credits")).status
        return status == (401 if revoke_keys else 200)

    await until(as_meant, 1)
    assert (await browser("GET", "/api/v1/credits")).status == 401


async def test_the_last_super_admin_stays_though_many_are_switched(
    client: MakeClient, make_user: MakeUser, root: Client
) -> None:
    other = await make_user("other", "super_admin")
    ada = await make_user("ada")
    boss = (await root("GET", "/api/v1/users?search=root")).body["items"][0]
    second = client()
    await second.sign_in("other@example.org")
    both = {"user_ids": [boss["id"], str(ada.id), "00000000-0000-0000-0000-000000000000"], "active": False}
    done = (await second("POST", "/api/v1/users/bulk", both)).body["items"]
    assert [one["code"] for one in done] == [None, None, "resource.not_found"]
    # Who is left is the last one, and cannot be switched off by anybody who may do less.
    await make_user("admin", "admin")
    admin = client()
    await admin.sign_in("admin@example.org")
    refused = (await admin("POST", "/api/v1/users/bulk", {"user_ids": [str(other.id)], "active": False})).body
    assert refused["items"][0]["code"] == "roles.beyond_own"


async def test_many_need_a_fresh_proof(root: Client, make_user: MakeUser, clock: FixedClock) -> None:
    ada = await make_user("ada")
    clock.at += PROOF_LIFE
    stale = await root("POST", "/api/v1/users/bulk", {"user_ids": [str(ada.id)], "active": False})
    assert (stale.status, stale.code) == (403, "auth.fresh_proof_needed")
    for bad in ({"user_ids": [], "active": False}, {"user_ids": ["x"], "active": False}, {"active": False}):
        assert (await root("POST", "/api/v1/users/bulk", bad)).status in (403, 422)


async def test_the_list_as_csv_holds_no_formula(root: Client, make_user: MakeUser, hub: Runtime) -> None:
    for number in range(3):
        await make_user(f"p{number}")
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("""update users set name = '=HYPERLINK("http://evil","x"), "y"' where name = 'p1'""")
        )
    response = await root.http.get(
        "/api/v1/users/export?role=user&active=true", headers={"Cookie": f"__Host-aihub={root.cookie}"}
    )
    root.http.cookies.clear()
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    header, *rows = csv.reader(io.StringIO(response.text.removeprefix("\ufeff"), newline=""))
    assert header[:3] == ["e-mail", "name", "active"]
    assert [row[0] for row in rows] == ["p2@example.org", "p1@example.org", "p0@example.org"]
    assert rows[1][1] == """'=HYPERLINK("http://evil","x"), "y\""""
    assert rows[0][10:] == ["100.000000", "0.000000", "0"]
