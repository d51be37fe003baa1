"""Roles and permissions are rows: declared by modules, changed by operators, in effect at once."""

import asyncio

import psycopg
import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, MakeClient, MakeUser
from tests.support.database import Server
from tests.support.waiting import until

from aihub.app.modules import MODULES as ALL_MODULES
from aihub.kernel.auth import Permission
from aihub.kernel.db import system
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.domain import BUILT_IN_ROLES, granted

EVERY = {p.name for module in ALL_MODULES for p in module.permissions}


async def permissions(hub: Runtime) -> dict[str, set[str]]:
    async with hub.database.work(system("test")) as work:
        return {role.name: set(role.permissions) for role in await service.list_roles(work)}


async def sync(hub: Runtime, *extra: Module) -> None:
    async with hub.database.work(system("test")) as work:
        await service.sync_registry(work, (*MODULES, *extra))


@pytest.mark.parametrize(
    ("role", "path"), [("admin", "/api/status/detailed"), ("manager", "/api/status/detailed")]
)
async def test_a_grant_by_sql_opens_monitoring_at_once(
    client: MakeClient, make_user: MakeUser, hub: Runtime, role: str, path: str
) -> None:
    ada = await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    assert (await browser("GET", path)).status == 403
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text(
                "insert into user_roles (user_id, role_id) "
                "values (:user, (select id from roles where name = :role))"
            ),
            {"user": ada.id, "role": role},
        )

    async def allowed() -> bool:
        return (await browser("GET", path)).status == 200

    await until(allowed, 1)
    # The machine's own state is for administrators only.
    expected = 200 if role == "admin" else 403
    assert (await browser("GET", "/health/database/performance")).status == expected
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("delete from role_permissions"))

    async def shut() -> bool:
        return (await browser("GET", path)).status == 403

    await until(shut, 1)


async def test_every_role_has_what_the_matrix_says(hub: Runtime) -> None:
    await sync(hub, Module(name="rest", permissions=tuple(Permission(name, name) for name in sorted(EVERY))))
    have = await permissions(hub)
    assert have["super_admin"] == EVERY
    assert have["admin"] == EVERY - {"roles:assign", "roles:manage", "mail:open"}
    assert have["manager"] == {
        "users:read", "credits:read", "credits:adjust", "roles:read", "models:read", "providers:read",
        "chat:use", "gateway:use", "keys:read", "keys:manage", "monitoring:read", "jobs:read",
    }  # fmt: skip
    assert have["user"] == {
        "chat:use", "gateway:use", "models:read", "keys:read", "keys:manage", "credits:read",
    }  # fmt: skip
    assert have["guest"] == {"chat:use", "models:read"}


def test_every_permission_of_a_role_is_declared_by_a_module() -> None:
    for role in BUILT_IN_ROLES:
        named = {name.lstrip("-") for name in role.permissions} - {"*"}
        assert named <= EVERY, role.name
        assert granted(role, EVERY) <= EVERY


async def test_declaring_again_changes_nothing_and_respects_operators(hub: Runtime) -> None:
    before = await permissions(hub)
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("""
            delete from role_permissions where (role_id, permission_id) in (
              select r.id, p.id from roles r, permissions p
              where r.name = 'manager' and p.name = 'users:read')
        """)
        )
        await work.session.execute(
            text("""
            insert into role_permissions (role_id, permission_id)
            select r.id, p.id from roles r, permissions p where r.name = 'guest' and p.name = 'users:read'
        """)
        )
    for _ in range(2):
        await sync(hub)
    after = await permissions(hub)
    assert after["manager"] == before["manager"] - {"users:read"}
    assert after["guest"] == before["guest"] | {"users:read"}
    await sync(hub, Module(name="later", permissions=(Permission("chat:use", "Chat"),)))
    assert (await permissions(hub))["guest"] == after["guest"] | {"chat:use"}


async def test_many_processes_declare_at_once(hub: Runtime) -> None:
    async with hub.database.work(system("test")) as work:
        for table in ("role_permissions", "role_defaults", "roles", "permissions"):
            await work.session.execute(text(f"delete from {table}"))
    await asyncio.gather(*(sync(hub) for _ in range(6)))
    have = await permissions(hub)
    assert list(have) == ["super_admin", "admin", "manager", "user", "guest"]
    assert "roles:assign" in have["super_admin"]


async def test_roles_are_listed_with_what_they_allow(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada", "manager")
    browser = client()
    await browser.sign_in("ada@example.org")
    roles = (await browser("GET", "/api/v1/roles")).body["items"]
    assert [role["name"] for role in roles] == ["super_admin", "admin", "manager", "user", "guest"]
    assert all(role["title"] for role in roles)
    assert "roles:assign" in roles[0]["permissions"]


@pytest.mark.parametrize(
    "statement",
    [
        "update user_roles set user_id = (select id from users where email like 'bob@%')",
        "delete from user_roles",
        "truncate user_roles cascade",
        "truncate role_permissions",
        "delete from permissions where name = 'users:read'",
        "update permissions set name = 'users:look', action = 'look' where name = 'users:read'",
        "delete from users where email like 'ada@%'",
        "truncate users cascade",
    ],
)
async def test_whatever_takes_a_permission_away_does_so_within_a_second(
    client: MakeClient, make_user: MakeUser, postgres: Server, statement: str
) -> None:
    """The statements are an operator's, typed into psql."""
    bob = await make_user("bob")
    await make_user("ada", "admin")
    browser = client()
    await browser.sign_in("ada@example.org")
    assert (await browser("GET", "/api/v1/users")).status == 200
    with psycopg.connect(postgres.admin) as connection:
        connection.execute("delete from user_roles where user_id = %s", (bob.id,))
        connection.execute(statement.encode())

    async def refused() -> bool:
        return (await browser("GET", "/api/v1/users")).status in (401, 403)

    await until(refused, 1)
