"""What is given ends when it should, is never given by those who may not, and can be explained."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, Client, MakeClient, MakeUser, served
from tests.support.database import Server
from tests.support.runtime import open_runtime, settings_for
from tests.support.waiting import until

from aihub.kernel.auth import Actor, aliases, canonical, meaning, meanings
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.errors import AihubError
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service
from aihub.services.identity.contracts import LastAdministrator, Wallets


async def signed_in(client: MakeClient, name: str) -> Client:
    browser = client()
    assert (await browser.sign_in(f"{name}@example.org")).status == 200
    return browser


async def role_id(hub: Runtime, name: str) -> UUID:
    async with hub.database.work(system("test")) as work:
        return next(role.id for role in await service.list_roles(work) if role.name == name)


async def give(
    admin: Client, user: Any, role: UUID, until_: datetime | None = None, reason: str = ""
) -> dict[str, Any]:
    body = {"role_id": str(role), "expires_at": until_.isoformat() if until_ else None, "reason": reason}
    answer = await admin("POST", f"/api/v1/users/{user.id}/roles", body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


async def explained(admin: Client, user: Any, permission: str, resource: str | None = None) -> dict[str, Any]:
    query = f"permission={permission}" + (f"&resource={resource}" if resource else "")
    answer = await admin("GET", f"/api/v1/users/{user.id}/access?{query}")
    assert answer.status == 200, answer.body
    return dict(answer.body)


# ---------------------------------------------------------------- giving for a time


async def test_a_role_for_a_time_ends_at_its_moment_and_is_noted_once(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin, browser = await signed_in(client, "boss"), await signed_in(client, "ada")
    manager = await role_id(hub, "manager")
    ends = clock.now() + timedelta(hours=1)
    given = await give(admin, ada, manager, ends, "holiday cover")
    assert (given["granted_by"], given["reason"], given["expired"]) == (
        "boss@example.org",
        "holiday cover",
        False,
    )

    async def sees_people() -> bool:
        return (await browser("GET", "/api/v1/users")).status == 200

    await until(sees_people, 1)
    clock.at += timedelta(minutes=59)
    assert await sees_people()
    # Nothing announces that time passes: the same process refuses the very next request.
    clock.at += timedelta(minutes=1)
    assert not await sees_people()
    assert not await sees_people()

    listed = (await admin("GET", f"/api/v1/users/{ada.id}/roles")).body["items"]
    assert [(grant["role"], grant["expired"]) for grant in listed] == [("user", False), ("manager", True)]
    for _ in range(2):
        async with hub.database.work(system("test")) as work:
            await service.note_what_ended(work, clock.now())
    trail = (await admin("GET", "/api/v1/audit?action=role.*")).body["items"]
    assert [entry["action"] for entry in trail] == ["role.expire", "role.give"]
    clock.at += timedelta(days=31)
    async with hub.database.work(system("test")) as work:
        await service.note_what_ended(work, clock.now())
        assert [grant.role for grant in await service.list_role_grants(work, ada.id)] == ["user"]


async def test_the_job_that_notes_what_ended_runs_by_the_clock(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    from aihub.kernel.jobs import JobContext
    from aihub.services.identity.jobs import ENDED_ACCESS, note_ended_access

    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin = await signed_in(client, "boss")
    await give(admin, ada, await role_id(hub, "guest"), clock.now() + timedelta(seconds=5))
    clock.at += timedelta(seconds=6)
    assert ENDED_ACCESS.schedule == "*/5 * * * *"
    await note_ended_access(JobContext(hub, 1, 1))
    trail = (await admin("GET", "/api/v1/audit?action=role.expire")).body["items"]
    assert len(trail) == 1
    assert "guest" in str(trail)


async def test_giving_again_changes_the_end_and_a_list_of_roles_gives_for_good(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin = await signed_in(client, "boss")
    manager = await role_id(hub, "manager")
    soon, later = clock.now() + timedelta(hours=1), clock.now() + timedelta(days=2)
    await give(admin, ada, manager, soon)
    assert datetime.fromisoformat((await give(admin, ada, manager, later))["expires_at"]) == later
    # A list that names what is there already leaves it alone.
    await admin("PATCH", f"/api/v1/users/{ada.id}", {"roles": ["user", "manager", "guest"]})
    grants = (await admin("GET", f"/api/v1/users/{ada.id}/roles")).body["items"]
    ends = {grant["role"]: grant["expires_at"] for grant in grants}
    assert (ends["guest"], ends["user"]) == (None, None)
    assert datetime.fromisoformat(ends["manager"]) == later
    # What has ended is given anew, for good.
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("update user_roles set expires_at = now() - interval '1 s' where expires_at is not null")
        )
    changed = await admin("PATCH", f"/api/v1/users/{ada.id}", {"roles": ["manager"]})
    assert changed.body["roles"] == ["manager"]
    assert (await give(admin, ada, manager))["expires_at"] is None
    assert (await admin("DELETE", f"/api/v1/users/{ada.id}/roles/{manager}")).status == 204
    assert (await admin("DELETE", f"/api/v1/users/{ada.id}/roles/{manager}")).status == 404


async def test_wishes_that_cannot_be(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin = await signed_in(client, "boss")
    guest, nothing = await role_id(hub, "guest"), "00000000-0000-7000-8000-000000000000"
    past = (clock.now() - timedelta(seconds=1)).isoformat()
    path = f"/api/v1/users/{ada.id}/roles"
    for address, body, status in (
        (path, {"role_id": str(guest), "expires_at": past}, 422),
        (path, {"role_id": str(guest), "expires_at": "tomorrow"}, 422),
        (path, {"role_id": str(guest), "expires_at": "9999-12-31T23:59:59-12:00"}, 422),
        (path, {"role_id": nothing}, 404),
        (path, {}, 422),
        (f"/api/v1/users/{nothing}/roles", {"role_id": str(guest)}, 404),
    ):
        assert (await admin("POST", address, body)).status == status, body
    assert (await admin("GET", f"/api/v1/users/{nothing}/roles")).status == 404
    assert (await admin("GET", f"/api/v1/users/{nothing}/access?permission=chat:use")).status == 404


async def test_nobody_changes_their_own_roles(client: MakeClient, make_user: MakeUser, hub: Runtime) -> None:
    boss = await make_user("boss", "super_admin")
    await make_user("other", "super_admin")
    admin = await signed_in(client, "boss")
    manager = await role_id(hub, "manager")
    top = await role_id(hub, "super_admin")
    for method, path, body in (
        ("POST", f"/api/v1/users/{boss.id}/roles", {"role_id": str(manager)}),
        ("DELETE", f"/api/v1/users/{boss.id}/roles/{top}", None),
        ("PATCH", f"/api/v1/users/{boss.id}", {"roles": ["super_admin", "manager"]}),
    ):
        answer = await admin(method, path, body)
        assert (answer.status, answer.code) == (403, "roles.own"), path


async def test_the_last_lasting_super_admin_stays(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    """Somebody who is super_admin until tomorrow does not count for the day after."""
    boss, ada = await make_user("boss", "super_admin"), await make_user("ada")
    admin = await signed_in(client, "boss")
    top = await role_id(hub, "super_admin")
    await give(admin, ada, top, clock.now() + timedelta(days=1))
    deputy = await signed_in(client, "ada")
    for method, path, body in (
        ("DELETE", f"/api/v1/users/{boss.id}/roles/{top}", None),
        (
            "POST",
            f"/api/v1/users/{boss.id}/roles",
            {"role_id": str(top), "expires_at": (clock.now() + timedelta(days=9)).isoformat()},
        ),
        ("PATCH", f"/api/v1/users/{boss.id}", {"roles": ["user"]}),
        ("PATCH", f"/api/v1/users/{boss.id}", {"active": False}),
    ):
        answer = await deputy(method, path, body)
        assert (answer.status, answer.code) == (409, "users.last_administrator"), (method, body)


async def test_two_that_take_each_others_last_role_at_once_leave_one(
    make_user: MakeUser, hub: Runtime
) -> None:
    top = await role_id(hub, "super_admin")
    for number in range(5):
        people = [await make_user(f"{name}{number}", "super_admin") for name in ("ada", "bob")]
        async with hub.database.work(system("test")) as work:
            actors = []
            for person in people:
                access = await service.access_of(work, person.id)
                assert access is not None
                actors.append(Actor(access.user_id, access.email, access.roles, access.permissions))

        async def take(actor: Actor, victim: UUID) -> None:
            async with hub.database.work(system("test")) as work:
                await service.take_role(work, victim, top, actor=actor)

        outcomes = await asyncio.gather(
            take(actors[0], people[1].id), take(actors[1], people[0].id), return_exceptions=True
        )
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, AihubError) for outcome in outcomes) == 1
        async with hub.database.work(system("test")) as work:
            assert not await service.setup_needed(work)
            await work.session.execute(text("delete from users"))


async def test_the_same_role_given_many_times_at_once_is_given_once(
    make_user: MakeUser, hub: Runtime
) -> None:
    ada = await make_user("ada")
    manager = await role_id(hub, "manager")

    async def once() -> None:
        async with hub.database.work(system("test")) as work:
            await service.give_role(work, ada.id, manager, expires_at=None, actor=None)

    await asyncio.gather(*(once() for _ in range(8)))
    async with hub.database.work(system("test")) as work:
        assert [g.role for g in await service.list_role_grants(work, ada.id)] == ["manager", "user"]


async def test_an_operator_cannot_take_the_last_administrator_either(
    make_user: MakeUser, hub: Runtime
) -> None:
    boss = await make_user("boss", "super_admin")
    top = await role_id(hub, "super_admin")
    with pytest.raises(LastAdministrator):
        async with hub.database.work(system("test")) as work:
            await service.take_role(work, boss.id, top, actor=None)


async def test_what_sql_gives_holds_in_another_process_within_a_second(
    make_user: MakeUser, hub: Runtime, postgres: Server, dsn: str, home: Path, client: MakeClient
) -> None:
    """A second process of the hub, and an operator with psql: roles with an end, parents, permissions."""
    ada = await make_user("ada")
    browser = await signed_in(client, "ada")
    async with (
        open_runtime(dsn, settings_for(home, MODULES), MODULES) as runtime,
        served(runtime) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
    ):
        second = Client(http, cookie=browser.cookie, csrf=browser.csrf)

        async def status() -> int:
            return (await second("GET", "/api/v1/users")).status

        assert await status() == 403
        theirs = f"user_id = '{ada.id}'"
        for statement, expected in (
            (
                (
                    "insert into user_roles (user_id, role_id, expires_at) "
                    f"select '{ada.id}', id, now() + interval '1 hour' from roles where name = 'manager'"
                ),
                200,
            ),
            (f"update user_roles set expires_at = now() where {theirs} and expires_at is not null", 403),
            (f"delete from user_roles where {theirs} and expires_at is not null", 403),
            (
                (
                    "update roles set parent_id = (select id from roles where name = 'manager') "
                    "where name = 'user'"
                ),
                200,
            ),
            ("update roles set parent_id = null where name = 'user'", 403),
        ):
            with psycopg.connect(postgres.admin) as connection:
                connection.execute(statement.encode())

            async def so(wanted: int = expected) -> bool:
                return await status() == wanted

            await until(so, 1)


# ---------------------------------------------------------------- other words


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("read:users", ("users:read",)),
        ("delete:users", ("users:delete",)),
        ("users:read", ("users:read",)),
        ("write:users", ("users:create", "users:update")),
        ("read:analytics", ("monitoring:read",)),
        ("write:analytics", ("monitoring:read",)),
        ("admin:system", ("audit:read", "jobs:manage", "jobs:read", "settings:read", "system:read")),
        ("read:monitoring", ("monitoring:read",)),
        ("nonsense", ("nonsense",)),
    ],
)
def test_the_words_of_other_systems_mean_permissions_of_this_one(word: str, names: tuple[str, ...]) -> None:
    from aihub.app.modules import MODULES as ALL

    assert meaning(word) == names
    declared = {permission.name for module in ALL for permission in module.permissions}
    assert word == "nonsense" or set(names) <= declared
    assert word in (*names, *aliases(names[0]))


def test_a_word_for_several_permissions_is_no_name_of_one() -> None:
    assert meanings([" read:users ", "users:read", "write:users"]) == {
        "users:read", "users:create", "users:update",
    }  # fmt: skip
    with pytest.raises(ValueError, match="stands for"):
        canonical("admin:system")


async def test_other_words_work_in_roles_keys_and_questions_and_are_stored_once(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    """Roles, scopes of keys and questions in the spelling of other systems; whoever is new is a user."""
    await make_user("boss", "super_admin")
    admin = await signed_in(client, "boss")
    body = {"name": "helper", "title": "Helper", "permissions": ["read:users", "users:read", "write:users"]}
    made = await admin("POST", "/api/v1/roles", body)
    assert made.body["own"] == ["users:create", "users:read", "users:update"]
    key = await admin("POST", "/api/v1/keys", {"name": "old", "scopes": ["read:users", "read:analytics"]})
    assert key.body["scopes"] == ["monitoring:read", "users:read"]
    program = client(key=key.body["key"])
    assert (await program("GET", "/api/v1/users")).status == 200
    assert (await program("GET", "/api/v1/roles")).status == 403
    # A key that was put there in SQL keeps its words, and they count.
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update api_keys set scopes = '{admin:system}'"))

    async def administers() -> bool:
        return (await program("GET", "/api/v1/jobs")).status == 200

    await until(administers, 1)
    assert (await program("GET", "/api/v1/users")).status == 403

    new = await make_user("new")
    assert new.roles == ("user",)
    assert (await explained(admin, new, "read:users"))["permission"] == "users:read"
    assert (await explained(admin, new, "admin:system"))["allowed"] is False
    listed = (await admin("GET", "/api/v1/permissions")).body["items"]
    words = {one["name"]: one["aliases"] for one in listed}
    assert words["users:update"] == ["update:users", "write:users"]
    assert "admin:system" in words["jobs:manage"]
    assert "read:analytics" in words["monitoring:read"]


# ---------------------------------------------------------------- why


async def test_a_role_and_its_parents_are_named_with_who_gave_them_until_when(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin = await signed_in(client, "boss")
    manager = await role_id(hub, "manager")
    lead = await admin("POST", "/api/v1/roles", {"name": "lead", "title": "Lead", "parent_id": str(manager)})
    before = await explained(admin, ada, "users:read")
    assert (before["allowed"], before["title"]) == (False, "See people")
    assert [reason["kind"] for reason in before["reasons"]] == ["roles_with_it"]
    assert set(before["reasons"][0]["names"]) == {"super_admin", "admin", "manager", "lead"}

    ends = clock.now() + timedelta(hours=1)
    await give(admin, ada, UUID(lead.body["id"]), ends, "for the audit")
    after = await explained(admin, ada, "users:read")
    (reason,) = after["reasons"]
    assert after["allowed"] is True
    assert (reason["kind"], reason["path"], reason["granted_by"], reason["note"]) == (
        "role", ["lead", "manager"], "boss@example.org", "for the audit",
    )  # fmt: skip
    assert datetime.fromisoformat(reason["expires_at"]) == ends

    clock.at += timedelta(hours=2)
    ended = await explained(admin, ada, "users:read")
    assert ended["allowed"] is False
    assert [(r["kind"], r["speaks"]) for r in ended["reasons"]] == [
        ("role_expired", False), ("roles_with_it", False),
    ]  # fmt: skip


async def test_what_stands_in_the_way_is_named(client: MakeClient, make_user: MakeUser, hub: Runtime) -> None:
    await make_user("boss", "super_admin")
    ada = await make_user("ada", "admin")
    admin = await signed_in(client, "boss")
    async with hub.database.work(system("test")) as work:
        explanation = await service.explain(work, ada.id, "users:read", required_roles=("admin",))
    assert explanation.allowed is False
    assert [(r.kind, r.speaks) for r in explanation.reasons] == [("second_factor", False), ("role", True)]
    await admin("PATCH", f"/api/v1/users/{ada.id}", {"active": False})
    asleep = await explained(admin, ada, "users:read")
    assert (asleep["allowed"], asleep["reasons"][0]["kind"]) == (False, "inactive")
    unknown = await explained(admin, ada, "users:fly")
    assert (unknown["allowed"], unknown["reasons"][0]["kind"]) == (False, "unknown")


async def test_one_thing_and_keys_are_explained_too(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    """On a permission that this hub declares; what it is about is only a name here."""
    await make_user("boss", "super_admin")
    ada = await make_user("ada")
    admin = await signed_in(client, "boss")
    async with hub.database.work(system("test")) as work:
        for name, scopes in (("wide", ["*"]), ("narrow", ["credits:read"])):
            key, _ = await service.create_key(
                work, owner_id=ada.id, name=name, scopes=scopes, wallets=hub.get(Wallets)
            )
            assert key.prefix
        await service.share(
            work, "mail:open", "letter-1", email="ada@example.org", reason="lost link", actor=None
        )
    answer = await explained(admin, ada, "mail:open", "letter-1")
    kinds = [(reason["kind"], reason["speaks"]) for reason in answer["reasons"]]
    assert answer["allowed"] is True
    assert kinds == [("resource", True), ("key", None), ("key", True)]
    assert answer["reasons"][0]["note"] == "lost link"
    assert "narrow" in answer["reasons"][1]["note"]
    other = await explained(admin, ada, "mail:open", "letter-2")
    assert (other["allowed"], [r["kind"] for r in other["reasons"]]) == (False, ["roles_with_it"])
    general = await explained(admin, ada, "mail:open")
    assert next((r["kind"], r["names"]) for r in general["reasons"]) == ("elsewhere", ["letter-1"])
    assert general["allowed"] is False


async def test_only_who_sees_roles_and_people_may_ask_why(client: MakeClient, make_user: MakeUser) -> None:
    ada = await make_user("ada")
    browser = await signed_in(client, "ada")
    for path in ("access?permission=chat:use", "roles"):
        assert (await browser("GET", f"/api/v1/users/{ada.id}/{path}")).status == 403
    assert (await browser("GET", "/api/v1/permissions")).status == 403
