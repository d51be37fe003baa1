"""Administering people: who may do what to whom, and never without an administrator left."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, MakeClient, MakeUser
from tests.support.waiting import until

from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import Access

NEW = {"email": "eve@example.org", "name": "Eve", "password": PASSWORD}


def as_actor(access: Access | None) -> Actor:
    assert access is not None
    return Actor(access.user_id, access.email, access.roles, access.permissions)


async def test_an_account_is_created_found_renamed_and_switched_off(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    made = await admin("POST", "/api/v1/users", NEW | {"email": " Eve@Example.ORG ", "roles": ["manager"]})
    assert made.status == 201
    assert (made.body["email"], made.body["roles"], made.body["active"]) == (
        "eve@example.org",
        ["manager"],
        True,
    )
    found = await admin("GET", "/api/v1/users?search=EVE")
    assert [user["id"] for user in found.body["items"]] == [made.body["id"]]
    assert (await admin("GET", "/api/v1/users?search=%25")).body["items"] == []
    path = f"/api/v1/users/{made.body['id']}"
    assert (await admin("PATCH", path, {"name": "Eve L."})).body["name"] == "Eve L."
    eve = client()
    assert (await eve.sign_in("eve@example.org")).status == 200
    assert (await admin("PATCH", path, {"active": False})).body["active"] is False

    async def out() -> bool:
        return (await eve("GET", "/api/v1/session")).status == 401

    await until(out, 1)
    assert (await client().sign_in("eve@example.org")).status == 401
    assert (await admin("PATCH", path, {"active": True})).status == 200
    assert (await eve("GET", "/api/v1/session")).status == 401
    assert (await client().sign_in("eve@example.org")).status == 200


async def test_an_address_has_one_account(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    answers = await asyncio.gather(*(admin("POST", "/api/v1/users", NEW) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    assert {answer.code for answer in answers if answer.status == 409} == {"users.email_taken"}
    assert (await admin("POST", "/api/v1/users", NEW | {"email": "EVE@example.org"})).status == 409


@pytest.mark.parametrize(
    "change",
    [
        {"email": "eve"}, {"email": "a@b@c"}, {"email": "a b@c.de"}, {"email": "@c.de"},
        {"email": "x" * 250 + "@c.de"}, {"email": None}, {"password": "short"},
        {"password": "eve@example.org"}, {"password": "aaaaaaaaaaaa"},
        {"password": "Password123"}, {"password": "x" * 1025}, {"roles": ["nobody"]}, {"roles": "user"},
        {"name": "a\x00b"}, {"name": "a\u2028b"},
    ],
)  # fmt: skip
async def test_bad_accounts_are_refused_and_leave_nothing(
    client: MakeClient, make_user: MakeUser, hub: Runtime, change: dict[str, object]
) -> None:
    await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    answer = await admin("POST", "/api/v1/users", NEW | change)
    assert 400 <= answer.status < 500
    assert answer.body["remedy"]
    async with hub.database.work(system("test")) as work:
        assert await work.session.scalar(text("select count(*) from users")) == 1


async def test_ordinary_people_administer_nobody(client: MakeClient, make_user: MakeUser) -> None:
    ada, bob = await make_user("ada"), await make_user("bob")
    browser = client()
    await browser.sign_in("ada@example.org")
    for method, path, body in (
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", NEW),
        ("PATCH", f"/api/v1/users/{bob.id}", {"name": "x"}),
        ("PATCH", f"/api/v1/users/{ada.id}", {"roles": ["super_admin"]}),
        ("GET", "/api/v1/roles", None),
        ("GET", "/api/v1/audit", None),
        ("POST", f"/api/v1/users/{ada.id}/credits", {"amount": "5", "reason": "x"}),
    ):
        answer = await browser(method, path, body)
        assert (answer.status, answer.code) == (403, "auth.forbidden"), path


async def test_an_admin_gives_no_roles_and_touches_no_super_admin(
    client: MakeClient, make_user: MakeUser
) -> None:
    boss = await make_user("boss", "super_admin")
    ada = await make_user("ada", "admin")
    eve = await make_user("eve")
    browser = client()
    await browser.sign_in("ada@example.org")
    assert (await browser("POST", "/api/v1/users", NEW | {"email": "new@example.org"})).status == 201
    for method, path, body in (
        ("POST", "/api/v1/users", NEW | {"email": "x@example.org", "roles": ["admin"]}),
        ("PATCH", f"/api/v1/users/{ada.id}", {"roles": ["super_admin"]}),
        ("PATCH", f"/api/v1/users/{eve.id}", {"roles": ["manager"]}),
        ("PATCH", f"/api/v1/users/{boss.id}", {"active": False}),
        ("PATCH", f"/api/v1/users/{boss.id}", {"name": "nobody"}),
    ):
        answer = await browser(method, path, body)
        assert (answer.status, answer.code) == (403, "roles.beyond_own"), body
    assert (await browser("PATCH", f"/api/v1/users/{eve.id}", {"active": False})).status == 200


async def test_a_role_with_more_than_ones_own_permissions_cannot_be_given(
    make_user: MakeUser, hub: Runtime
) -> None:
    """Somebody may hold roles:assign without being able to do everything."""
    giver, eve = await make_user("giver"), await make_user("eve")
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("""
            insert into roles (id, name, title) values (gen_random_uuid(), 'giver', 'Gives roles')
        """)
        )
        await work.session.execute(
            text("""
            insert into role_permissions (role_id, permission_id)
            select r.id, p.id from roles r, permissions p
            where r.name = 'giver' and p.name in ('roles:assign', 'users:update', 'users:create')
        """)
        )
        await work.session.execute(
            text(
                "insert into user_roles (user_id, role_id) select :user, id from roles where name = 'giver'"
            ),
            {"user": giver.id},
        )
        actor = as_actor(await service.access_of(work, giver.id))
    for role in ("admin", "super_admin", "manager"):
        with pytest.raises(AihubError, match="You lack"):
            async with hub.database.work(system("test")) as work:
                await service.update_user(work, eve.id, actor=actor, roles=[role])
    async with hub.database.work(system("test")) as work:
        changed = await service.update_user(work, eve.id, actor=actor, roles=["user", "giver"])
    assert set(changed.roles) == {"user", "giver"}


async def test_the_last_administrator_stays(client: MakeClient, make_user: MakeUser) -> None:
    ada = await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    for change in ({"active": False}, {"roles": ["user"]}, {"roles": []}):
        answer = await admin("PATCH", f"/api/v1/users/{ada.id}", change)
        assert (answer.status, answer.code) == (409, "users.last_administrator")
    other = await make_user("bob", "super_admin")
    assert (await admin("PATCH", f"/api/v1/users/{other.id}", {"active": False})).status == 200
    assert (await admin("PATCH", f"/api/v1/users/{ada.id}", {"active": False})).status == 409


@pytest.mark.parametrize("change", [{"active": False}, {"roles": ["user"]}])
async def test_two_administrators_cannot_demote_each_other(
    make_user: MakeUser, hub: Runtime, change: dict[str, Any]
) -> None:
    for number in range(5):
        ada = await make_user(f"a{number}", "super_admin")
        bob = await make_user(f"b{number}", "super_admin")
        async with hub.database.work(system("test")) as work:
            by_ada = as_actor(await service.access_of(work, ada.id))
            by_bob = as_actor(await service.access_of(work, bob.id))

        async def demote(actor: Actor, victim: UUID) -> None:
            async with hub.database.work(system("test")) as work:
                await service.update_user(work, victim, actor=actor, **change)

        outcomes = await asyncio.gather(
            demote(by_ada, bob.id), demote(by_bob, ada.id), return_exceptions=True
        )
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, AihubError) for outcome in outcomes) == 1
        async with hub.database.work(system("test")) as work:
            assert not await service.setup_needed(work)
            await work.session.execute(text("delete from users"))


async def test_deeds_are_in_the_audit_trail(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    made = (await admin("POST", "/api/v1/users", NEW)).body
    await admin("PATCH", f"/api/v1/users/{made['id']}", {"roles": ["guest"], "name": "E"})
    key = (await admin("POST", "/api/v1/keys", {"name": "k", "scopes": ["users:read"]})).body
    await admin("DELETE", f"/api/v1/keys/{key['id']}")
    trail = (await admin("GET", "/api/v1/audit")).body["items"]
    assert [entry["action"] for entry in trail[:5]] == [
        "key.revoke", "key.create", "user.update", "user.create", "session.create",
    ]  # fmt: skip
    assert {entry["actor"] for entry in trail[:5]} == {"ada@example.org"}
    assert "guest" in str(trail[2])
    everything = str(trail)
    assert PASSWORD not in everything
    assert key["key"] not in everything


async def test_unknown_people_are_a_404(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada", "super_admin")
    admin = client()
    await admin.sign_in("ada@example.org")
    nobody = "00000000-0000-7000-8000-000000000000"
    assert (await admin("PATCH", f"/api/v1/users/{nobody}", {"name": "x"})).status == 404
    given = await admin(
        "POST",
        f"/api/v1/users/{nobody}/credits",
        {"amount": "1", "reason": "x"},
        headers={"Idempotency-Key": "k"},
    )
    assert given.status == 404
    assert (await admin("PATCH", "/api/v1/users/x", {"name": "x"})).status == 422
