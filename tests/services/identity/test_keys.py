"""API keys: shown once, never more than their owner, dead at once when they should be."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.conftest import MakeClient, MakeUser
from tests.support.waiting import until

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime

MakeKey = Callable[..., Awaitable[str]]


async def test_a_key_is_shown_once_and_stored_as_a_hash(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    made = await browser("POST", "/api/v1/keys", {"name": "laptop"})
    assert made.status == 201
    key = made.body["key"]
    assert key.startswith(made.body["prefix"] + "_")
    assert made.body["prefix"].startswith("ahk_")
    assert made.body["scopes"] == ["credits:read"]  # of the usual ones those that exist in this small hub
    listed = (await browser("GET", "/api/v1/keys")).body["items"]
    assert [item["name"] for item in listed] == ["laptop"]
    assert "key" not in listed[0]
    async with hub.database.work(system("test")) as work:
        for table in ("api_keys", "audit_log"):
            rows = (await work.session.execute(text(f"select {table}::text from {table}"))).scalars().all()
            assert rows
            assert not any(key in row or key.split("_", 2)[2] in row for row in rows)
    program = client(key=key)
    assert (await program("GET", "/api/v1/credits")).status == 200


async def test_a_key_does_what_its_scopes_and_its_owner_allow(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, hub: Runtime
) -> None:
    ada = await make_user("ada", "admin")
    program = client(key=await make_key(ada.id, "users:read", "credits:read"))
    assert (await program("GET", "/api/v1/users")).status == 200
    refused = await program("GET", "/api/v1/roles")
    assert (refused.status, refused.code) == (403, "auth.forbidden")
    assert "roles:read" in refused.body["detail"]
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("delete from user_roles where user_id = :id"), {"id": ada.id})

    async def gone() -> bool:
        return (await program("GET", "/api/v1/users")).status == 403

    await until(gone, 1)


async def test_scopes_may_be_spelled_the_other_way_round(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey
) -> None:
    ada = await make_user("ada", "admin")
    assert (await client(key=await make_key(ada.id, "read:users"))("GET", "/api/v1/users")).status == 200


async def test_nobody_makes_a_key_that_can_do_more_than_they(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey
) -> None:
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    beyond = await browser("POST", "/api/v1/keys", {"name": "k", "scopes": ["users:read"]})
    assert (beyond.status, beyond.code) == (403, "keys.scopes_beyond_own")
    unknown = await browser("POST", "/api/v1/keys", {"name": "k", "scopes": ["fly:moon"]})
    assert (unknown.status, unknown.body["errors"][0]["field"]) == (422, "scopes")
    small = client(key=await make_key(ada.id, "keys:manage"))
    inherited = await small("POST", "/api/v1/keys", {"name": "k", "scopes": ["*"]})
    assert inherited.body["scopes"] == ["keys:manage"]
    assert (await small("POST", "/api/v1/keys", {"name": "k", "scopes": ["keys:read"]})).status == 403


async def test_a_key_cannot_do_what_needs_the_password(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey
) -> None:
    ada = await make_user("ada", "super_admin")
    program = client(key=await make_key(ada.id))
    for method, path, body in (
        ("GET", "/api/v1/session", None),
        ("DELETE", "/api/v1/session", None),
        ("PATCH", "/api/v1/me", {"name": "x"}),
        ("POST", "/api/v1/me/password", {"current_password": "x", "new_password": "y"}),
    ):
        answer = await program(method, path, body)
        assert (answer.status, answer.code) == (403, "auth.session_required"), path


@pytest.mark.parametrize(
    "header",
    [
        "Bearer", "Bearer x", "Basic YTpi", "ahk_abcdefgh_secret", "Bearer " + "a" * 5000,
        "Bearer ahk_ABCDEFGH_" + "x" * 43, "Bearer ahk_abcdefgh_" + "x" * 43,
        "Bearer ahk_abcdefgh_" + "é" * 43,
    ],
)  # fmt: skip
async def test_what_is_no_key_of_ours_is_a_401(client: MakeClient, header: str) -> None:
    answer = await client()("GET", "/api/v1/credits", headers={"Authorization": header.encode("utf-8")})  # type: ignore[dict-item]
    assert (answer.status, answer.code) == (401, "auth.key_invalid")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_expires_on_time_though_it_is_remembered(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, clock: FixedClock
) -> None:
    ada = await make_user("ada")
    key = await make_key(ada.id, expires_at=clock.at + timedelta(minutes=5))
    program = client(key=key)
    assert (await program("GET", "/api/v1/credits")).status == 200
    clock.at += timedelta(minutes=5)
    expired = await program("GET", "/api/v1/credits")
    assert (expired.status, expired.code) == (401, "auth.key_invalid")
    assert "expired" in expired.body["detail"]
    browser = client()
    await browser.sign_in("ada@example.org")
    for bad in ("2001-01-01T00:00:00Z", "2030-01-01T00:00:00", "soon", 5.5e20):
        answer = await browser("POST", "/api/v1/keys", {"name": "k", "expires_at": bad})
        assert answer.status == 422, bad


@pytest.mark.parametrize(
    "statement",
    [
        "update api_keys set revoked_at = now()",
        "delete from api_keys",
        "update users set active = false",
        "update api_keys set expires_at = now() - interval '1 day'",
        "update api_keys set scopes = '{}'",
    ],
)
async def test_a_change_in_sql_reaches_a_remembered_key_within_a_second(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, hub: Runtime, statement: str
) -> None:
    ada = await make_user("ada")
    program = client(key=await make_key(ada.id))
    assert (await program("GET", "/api/v1/credits")).status == 200
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text(statement))

    async def refused() -> bool:
        return (await program("GET", "/api/v1/credits")).status in (401, 403)

    await until(refused, 1)


async def test_revoking_is_at_once_and_only_ones_own(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    await make_user("bob", "super_admin")
    ada, bob = client(), client()
    await ada.sign_in("ada@example.org")
    await bob.sign_in("bob@example.org")
    made = (await ada("POST", "/api/v1/keys", {"name": "k"})).body
    assert (await bob("DELETE", f"/api/v1/keys/{made['id']}")).status == 404
    assert (await bob("GET", "/api/v1/keys")).body["items"] == []
    program = client(key=made["key"])
    assert (await program("GET", "/api/v1/credits")).status == 200
    assert (await ada("DELETE", f"/api/v1/keys/{made['id']}")).status == 204
    assert (await ada("DELETE", f"/api/v1/keys/{made['id']}")).status == 204

    async def refused() -> bool:
        return (await program("GET", "/api/v1/credits")).status == 401

    await until(refused, 1)
    assert (await ada("GET", "/api/v1/keys")).body["items"][0]["revoked_at"]
    assert (await ada("DELETE", "/api/v1/keys/not-an-id")).status == 422


async def test_use_is_noted_once_a_minute(
    client: MakeClient, make_user: MakeUser, make_key: MakeKey, hub: Runtime
) -> None:
    ada = await make_user("ada")
    key = await make_key(ada.id)
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update api_keys set created_at = now() - interval '1 hour'"))
    program = client(key=key)

    async def noted() -> tuple[object, object]:
        async with hub.database.work(system("test")) as work:
            row = (await work.session.execute(text("select last_used_at, xmin::text from api_keys"))).one()
        return row[0], row[1]

    assert (await noted())[0] is None
    await program("GET", "/api/v1/credits")
    first = await noted()
    assert first[0] is not None
    await asyncio.gather(*(program("GET", "/api/v1/credits") for _ in range(20)))
    assert await noted() == first


async def test_a_keys_own_credits_come_from_its_owner_and_go_back(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    made = await browser("POST", "/api/v1/keys", {"name": "k", "credits": "30.5", "scopes": ["credits:read"]})
    assert made.body["credits"] == {"balance": "30.500000", "available": "30.500000"}
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "69.500000"
    program = client(key=made.body["key"])
    assert (await program("GET", "/api/v1/credits")).body["balance"] == "30.500000"
    too_much = await browser("POST", "/api/v1/keys", {"name": "k", "credits": "70"})
    assert (too_much.status, too_much.code) == (402, "credits.insufficient")
    for bad in ("-1", "NaN", "1e3", "0.0000001", ""):
        answer = await browser("POST", "/api/v1/keys", {"name": "k", "credits": bad})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, "credits"), bad
    assert len((await browser("GET", "/api/v1/keys")).body["items"]) == 1
    await browser("DELETE", f"/api/v1/keys/{made.body['id']}")
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "100.000000"


async def test_who_may_adjust_credits_issues_them_to_a_key(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada", "admin")
    browser = client()
    await browser.sign_in("ada@example.org")
    made = await browser("POST", "/api/v1/keys", {"name": "k", "credits": "5000"})
    assert made.body["credits"]["balance"] == "5000.000000"
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "100.000000"


async def test_lists_come_in_pages(client: MakeClient, make_user: MakeUser, make_key: MakeKey) -> None:
    ada = await make_user("ada")
    for _ in range(5):
        await make_key(ada.id)
    browser = client()
    await browser.sign_in("ada@example.org")
    seen, cursor = [], ""
    while True:
        page = (await browser("GET", f"/api/v1/keys?limit=2{cursor}")).body
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(set(seen)) == len(seen) == 5
    for bad in ("limit=0", "limit=201", "limit=x", "cursor=zzz"):
        assert (await browser("GET", f"/api/v1/keys?{bad}")).status == 422
