"""Roles that people make themselves: what they allow, what they inherit, and who may make them."""

import asyncio
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from tests.services.conftest import Client, MakeClient, MakeUser
from tests.services.identity.test_users import as_actor
from tests.support.database import Server
from tests.support.waiting import until

from aihub.kernel.auth import Actor
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts.access import RoleCycle, RoleInfo, UnknownRoles

ROLES = "/api/v1/roles"


async def boss(client: MakeClient, make_user: MakeUser, *roles: str) -> Client:
    await make_user("boss", *(roles or ("super_admin",)))
    browser = client()
    await browser.sign_in("boss@example.org")
    return browser


async def role(admin: Client, name: str, *permissions: str, parent: str | None = None) -> dict[str, Any]:
    body = {"name": name, "title": name.title(), "permissions": permissions, "parent_id": parent}
    made = await admin("POST", ROLES, body)
    assert made.status == 201, made.body
    return dict(made.body)


async def built_in(admin: Client, name: str) -> dict[str, Any]:
    roles = (await admin("GET", ROLES)).body["items"]
    return dict(next(role for role in roles if role["name"] == name))


async def test_a_role_allows_its_own_and_what_it_inherits_at_once(
    client: MakeClient, make_user: MakeUser
) -> None:
    """Custom roles inherit from a parent; every change holds at once for those who have them."""
    admin = await boss(client, make_user)
    below = await role(admin, "auditor", "audit:read")
    above = await role(admin, "chief-auditor", "settings:read", parent=below["id"])
    assert above["own"] == ["settings:read"]
    assert above["permissions"] == ["audit:read", "settings:read"]
    assert (above["parent"], above["built_in"]) == ("auditor", False)

    await make_user("ada", "chief-auditor")
    ada = client()
    await ada.sign_in("ada@example.org")
    assert (await ada("GET", "/api/v1/audit")).status == 200
    assert (await ada("GET", "/api/v1/users")).status == 403

    async def may(path: str, allowed: bool) -> None:
        async def so() -> bool:
            return ((await ada("GET", path)).status == 200) is allowed

        await until(so, 1)

    # The parent loses something, and gets something; the child gets another parent, and none.
    await admin("PATCH", f"{ROLES}/{below['id']}", {"permissions": ["users:read"]})
    await may("/api/v1/audit", False)
    await may("/api/v1/users", True)
    manager = await built_in(admin, "manager")
    await admin("PATCH", f"{ROLES}/{above['id']}", {"parent_id": manager["id"]})
    await may("/api/v1/jobs", True)
    await admin("PATCH", f"{ROLES}/{above['id']}", {"parent_id": None})
    await may("/api/v1/jobs", False)
    await may("/api/v1/users", False)
    session = (await ada("GET", "/api/v1/session")).body
    assert session["user"]["permissions"] == ["settings:read"]


async def test_a_role_is_renamed_and_deleted_only_when_nobody_needs_it(
    client: MakeClient, make_user: MakeUser
) -> None:
    admin = await boss(client, make_user)
    below = await role(admin, "reader", "audit:read")
    above = await role(admin, "writer", parent=below["id"])
    ada = await make_user("ada", "writer")
    await admin("POST", "/api/v1/invitations", {"email": "eve@example.org", "roles": ["writer"]})
    renamed = await admin("PATCH", f"{ROLES}/{above['id']}", {"name": "author", "title": "Author"})
    assert (renamed.body["name"], renamed.body["title"], renamed.body["people"]) == ("author", "Author", 1)
    waiting = (await admin("GET", "/api/v1/invitations")).body["items"]
    assert [invitation["roles"] for invitation in waiting] == [["author"]]

    in_use = await admin("DELETE", f"{ROLES}/{above['id']}")
    assert (in_use.status, in_use.code) == (409, "roles.in_use")
    assert "ada@example.org" in in_use.body["detail"]
    assert "eve@example.org" in in_use.body["detail"]
    inherited = await admin("DELETE", f"{ROLES}/{below['id']}")
    assert (inherited.status, "author" in inherited.body["detail"]) == (409, True)

    people = (await admin("GET", f"{ROLES}/{above['id']}/people")).body["items"]
    assert [(p["email"], p["granted_by"]) for p in people] == [("ada@example.org", None)]
    await admin("DELETE", f"/api/v1/users/{ada.id}/roles/{above['id']}")
    await admin("DELETE", f"/api/v1/invitations/{waiting[0]['id']}")
    for made in (above, below):
        assert (await admin("DELETE", f"{ROLES}/{made['id']}")).status == 204
        assert (await admin("GET", f"{ROLES}/{made['id']}")).status == 404
    actions = [entry["action"] for entry in (await admin("GET", "/api/v1/audit")).body["items"]]
    assert actions.count("role.create") == actions.count("role.delete") == 2
    assert {"role.change", "role.take"} <= set(actions)


async def test_built_in_roles_stay_and_can_only_be_narrowed(client: MakeClient, make_user: MakeUser) -> None:
    admin = await boss(client, make_user)
    manager, guest = await built_in(admin, "manager"), await built_in(admin, "guest")
    for change in ({"name": "lead"}, {"title": "Lead"}, {"parent_id": guest["id"]}):
        refused = await admin("PATCH", f"{ROLES}/{manager['id']}", change)
        assert (refused.status, refused.code) == (409, "roles.built_in")
    assert (await admin("DELETE", f"{ROLES}/{guest['id']}")).code == "roles.built_in"
    less = [name for name in manager["own"] if name != "users:read"]
    narrowed = await admin("PATCH", f"{ROLES}/{manager['id']}", {"permissions": less})
    assert (narrowed.body["own"], narrowed.body["defaults"]) == (less, manager["own"])
    assert (await admin("PATCH", f"{ROLES}/{manager['id']}", {"permissions": manager["own"]})).status == 200
    more = await admin("PATCH", f"{ROLES}/{manager['id']}", {"permissions": [*manager["own"], "audit:read"]})
    assert (more.status, more.code) == (409, "roles.built_in")
    everything = await built_in(admin, "super_admin")
    assert (await admin("PATCH", f"{ROLES}/{everything['id']}", {"permissions": []})).code == "roles.built_in"
    heir = {"name": "heir", "title": "Heir", "parent_id": everything["id"]}
    assert (await admin("POST", ROLES, heir)).status == 422


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Reader"}, {"name": "a"}, {"name": "x y"}, {"title": ""}, {"permissions": ["chat:fly"]},
        {"parent_id": "00000000-0000-7000-8000-000000000000"}, {"people": 3}, {"permissions": "chat:use"},
    ],
)  # fmt: skip
async def test_bad_roles_are_refused(
    client: MakeClient, make_user: MakeUser, body: dict[str, object]
) -> None:
    admin = await boss(client, make_user)
    answer = await admin("POST", ROLES, {"name": "reader", "title": "Reader"} | body)
    assert answer.status == 422
    assert answer.body["errors"]
    assert len((await admin("GET", ROLES)).body["items"]) == 5


async def test_nobody_makes_gives_or_takes_what_they_lack(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    """Somebody who keeps roles without being able to do everything."""
    admin = await boss(client, make_user)
    await role(admin, "keeper", "roles:manage", "roles:assign", "roles:read", "users:read", "audit:read")
    strong = await role(admin, "strong", "settings:read", "audit:read")
    weak = await role(admin, "weak", "audit:read")
    bob = await make_user("bob", "strong")
    eve = await make_user("eve")
    await make_user("kim", "keeper")
    kim = client()
    await kim.sign_in("kim@example.org")
    manager = await built_in(admin, "manager")
    for method, path, body in (
        ("POST", ROLES, {"name": "x1", "title": "X", "permissions": ["settings:read"]}),
        ("POST", ROLES, {"name": "x2", "title": "X", "parent_id": strong["id"]}),
        ("PATCH", f"{ROLES}/{weak['id']}", {"permissions": ["audit:read", "settings:read"]}),
        ("PATCH", f"{ROLES}/{weak['id']}", {"parent_id": manager["id"]}),
        ("PATCH", f"{ROLES}/{strong['id']}", {"permissions": ["audit:read"]}),
        ("DELETE", f"{ROLES}/{strong['id']}", None),
        ("POST", f"/api/v1/users/{eve.id}/roles", {"role_id": strong["id"]}),
        ("DELETE", f"/api/v1/users/{bob.id}/roles/{strong['id']}", None),
    ):
        answer = await kim(method, path, body)
        assert (answer.status, answer.code) == (403, "roles.beyond_own"), (method, path, body)
    assert (await kim("POST", ROLES, {"name": "x3", "title": "X", "parent_id": weak["id"]})).status == 201
    assert (await kim("PATCH", f"{ROLES}/{strong['id']}", {"title": "Stronger"})).status == 200
    assert (await kim("POST", f"/api/v1/users/{eve.id}/roles", {"role_id": weak["id"]})).status == 201


async def test_administrators_look_at_roles_and_make_none(client: MakeClient, make_user: MakeUser) -> None:
    admin = await boss(client, make_user, "admin")
    assert (await admin("GET", ROLES)).status == 200
    assert (await admin("POST", ROLES, {"name": "mine", "title": "Mine"})).status == 403
    key = (await admin("POST", "/api/v1/keys", {"name": "k", "scopes": ["*"]})).body["key"]
    assert (await client(key=key)("POST", ROLES, {"name": "mine", "title": "Mine"})).status == 403


async def test_roles_need_a_fresh_proof(client: MakeClient, make_user: MakeUser, hub: Runtime) -> None:
    admin = await boss(client, make_user)
    made = await role(admin, "reader", "audit:read")
    eve = await make_user("eve")
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update sessions set proved_at = now() - interval '1 hour'"))

    async def stale() -> bool:
        return (await admin("POST", ROLES, {"name": "x1", "title": "X"})).status == 403

    await until(stale, 1)
    for method, path, body in (
        ("POST", ROLES, {"name": "x1", "title": "X"}),
        ("PATCH", f"{ROLES}/{made['id']}", {"title": "X"}),
        ("DELETE", f"{ROLES}/{made['id']}", None),
        ("POST", f"/api/v1/users/{eve.id}/roles", {"role_id": made["id"]}),
        ("DELETE", f"/api/v1/users/{eve.id}/roles/{made['id']}", None),
    ):
        assert (await admin(method, path, body)).code == "auth.fresh_proof_needed", path


async def operator_role(hub: Runtime, name: str, parent: UUID | None = None) -> RoleInfo:
    async with hub.database.work(system("test")) as work:
        return await service.create_role(
            work, name=name, title=name, permissions=(), parent=parent, actor=None
        )


async def test_two_changes_at_once_make_no_cycle(hub: Runtime) -> None:
    """Each alone is fine; together they would go round."""
    for number in range(8):
        one, two, three = [await operator_role(hub, f"{name}{number}") for name in ("one", "two", "three")]

        async def inherit(child: RoleInfo, parent: RoleInfo) -> None:
            async with hub.database.work(system("test")) as work:
                await service.change_role(work, child.id, {"parent": parent.id}, actor=None)

        outcomes = await asyncio.gather(
            inherit(one, two), inherit(two, three), inherit(three, one), return_exceptions=True
        )
        assert sum(outcome is None for outcome in outcomes) == 2
        assert sum(isinstance(outcome, RoleCycle) for outcome in outcomes) == 1


async def test_the_database_itself_lets_no_role_inherit_from_itself(hub: Runtime, postgres: Server) -> None:
    """An operator's own statements, in two transactions that overlap."""
    one, two = await operator_role(hub, "one"), await operator_role(hub, "two")
    statement = "update roles set parent_id = %s where id = %s"

    def inherit(child: RoleInfo, parent: RoleInfo) -> None:
        with psycopg.connect(postgres.owner) as connection:
            connection.execute(statement, (parent.id, child.id))
            connection.execute("select pg_sleep(0.2)")

    outcomes = await asyncio.gather(
        asyncio.to_thread(inherit, one, two), asyncio.to_thread(inherit, two, one), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome] == [psycopg.errors.CheckViolation]
    with pytest.raises(psycopg.errors.CheckViolation), psycopg.connect(postgres.owner) as connection:
        connection.execute(statement, (one.id, one.id))


async def test_a_role_of_the_same_name_is_made_once(hub: Runtime) -> None:
    made = await asyncio.gather(*(operator_role(hub, "twin") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, RoleInfo) for outcome in made) == 1
    assert {outcome.code for outcome in made if isinstance(outcome, AihubError)} == {"roles.name_taken"}
    other = await operator_role(hub, "other")
    with pytest.raises(AihubError) as taken:
        async with hub.database.work(system("test")) as work:
            await service.change_role(work, other.id, {"name": "twin"}, actor=None)
    assert taken.value.code == "roles.name_taken"


async def test_whoever_loses_a_permission_meanwhile_passes_it_on_no_more(
    hub: Runtime, make_user: MakeUser
) -> None:
    """What a request knew of its sender when it began is looked up again where it counts."""
    await make_user("boss", "super_admin")
    kim, eve = await make_user("kim", "super_admin"), await make_user("eve")
    async with hub.database.work(system("test")) as work:
        before: Actor = as_actor(await service.access_of(work, kim.id))
        admin = next(role for role in await service.list_roles(work) if role.name == "admin")
        await service.update_user(work, kim.id, actor=None, roles=("user",))
    with pytest.raises(AihubError) as refused:
        async with hub.database.work(system("test")) as work:
            await service.give_role(work, eve.id, admin.id, expires_at=None, actor=before)
    assert refused.value.code == "roles.beyond_own"


async def test_a_second_factor_cannot_be_asked_of_a_role_that_does_not_exist(hub: Runtime) -> None:
    await operator_role(hub, "auditor")
    async with hub.database.work(system("test")) as work:
        await service.check_second_factor_roles(work, ("admin", "auditor"))
        with pytest.raises(UnknownRoles, match=r"Administrators.*known are.*super_admin"):
            await service.check_second_factor_roles(work, ("admin", "Administrators"))
