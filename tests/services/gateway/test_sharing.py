"""Restricted models: for those to whom they were given, at once and until it ends; others see none."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from tests.services.gateway.conftest import MODULES, Hub, Person
from tests.support.database import Server
from tests.support.runtime import open_runtime, settings_for
from tests.support.serving import application, serving
from tests.support.waiting import until

from aihub.kernel.db import owned_by, system
from aihub.kernel.errors import InvalidRequest
from aihub.services.identity import service as identity

ASK = {"messages": [{"role": "user", "content": "x"}]}


async def grant(hub: Hub, model: dict[str, Any], **wish: Any) -> dict[str, Any]:
    """Given by the operator: what people do over HTTP needs a session."""
    async with hub.runtime.database.work(system("test")) as work:
        made = await identity.share(
            work, wish.pop("permission", "models:use"), str(model["id"]), actor=None, **wish
        )
    return {"id": str(made.id)}


async def revoke(hub: Hub, model: dict[str, Any], made: dict[str, Any]) -> None:
    async with hub.runtime.database.work(system("test")) as work:
        await work.session.execute(text("delete from resource_grants where id = :id"), {"id": made["id"]})


async def sees(hub: Hub, person: Person, model: str) -> bool:
    """Whether the model exists for them: in every list, by its name and when called, all of one mind."""
    chat = await hub.call("POST", "/v1/chat/completions", {"model": model, **ASK}, person=person)
    one = await hub.call("GET", f"/v1/models/{model}", person=person)
    mine = (await hub.call("GET", "/v1/models", person=person)).json()["data"]
    shown = (await hub.call("GET", "/api/v1/models", person=person)).json()["items"]
    answers = {
        chat.status == 200,
        one.status == 200,
        model in [m["id"] for m in mine],
        model in [m["name"] for m in shown],
    }
    assert {chat.status, one.status} <= {200, 404}, (chat.body, one.body)
    assert len(answers) == 1, answers
    return answers.pop()


async def soon(hub: Hub, person: Person, model: str, wanted: bool) -> None:
    async def so() -> bool:
        one = await hub.call("GET", f"/v1/models/{model}", person=person)
        return (one.status == 200) is wanted

    await until(so, 1)
    assert await sees(hub, person, model) is wanted


async def test_a_restricted_model_exists_for_those_to_whom_it_was_given(hub: Hub) -> None:
    """An access check asks what was given on this one thing: without it, refused."""
    model = await hub.add_model("secret")
    ada, bob = await hub.person(), await hub.person()
    assert await sees(hub, ada, "secret")
    await hub.call("PATCH", f"/api/v1/models/{model['id']}", {"restricted": True})
    await soon(hub, ada, "secret", False)
    assert await sees(hub, hub.admin, "secret")

    given = await grant(hub, model, email=ada.actor.email)
    await soon(hub, ada, "secret", True)
    assert not await sees(hub, bob, "secret")
    await revoke(hub, model, given)
    await soon(hub, ada, "secret", False)

    by_role = await grant(hub, model, role="user")
    await soon(hub, bob, "secret", True)
    await revoke(hub, model, by_role)
    await soon(hub, bob, "secret", False)

    await hub.call("PATCH", f"/api/v1/models/{model['id']}", {"restricted": False})
    await soon(hub, bob, "secret", True)


async def test_a_role_that_inherits_has_what_was_given_to_its_parent(hub: Hub) -> None:
    model = await hub.add_model("secret", restricted=True)
    async with hub.runtime.database.work(system("test")) as work:
        user = next(role for role in await identity.list_roles(work) if role.name == "user")
        await identity.create_role(
            work, name="tester", title="Tester", permissions=(), parent=user.id, actor=None
        )
    kim = await hub.person(role="tester")
    assert not await sees(hub, kim, "secret")
    await grant(hub, model, role="user")
    await soon(hub, kim, "secret", True)


async def test_a_grant_ends_by_itself(hub: Hub) -> None:
    model = await hub.add_model("secret", restricted=True)
    ada = await hub.person()

    async def ended() -> bool:
        return (await hub.call("GET", "/v1/models/secret", person=ada)).status == 404

    for seconds in (1.5, 5, 20):  # a busy machine may miss a short one
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            await grant(hub, model, email=ada.actor.email, expires_at=ends)
        except InvalidRequest:
            assert datetime.now(UTC) >= ends
            continue
        while await ended() and datetime.now(UTC) < ends:
            pass
        if not await ended():
            break
    else:
        pytest.fail("they never saw it")

    await until(ended)
    assert datetime.now(UTC) >= ends
    assert not await sees(hub, ada, "secret")


async def test_a_key_calls_what_its_owner_was_given_and_shares_nothing(hub: Hub) -> None:
    """`gateway:use` carries the use of single models along; sharing them is another scope."""
    model = await hub.add_model("secret", restricted=True)
    ada = await hub.person(scopes="gateway:use")
    blind = await hub.person(scopes="models:read")
    for person in (ada, blind):
        await grant(hub, model, email=person.actor.email)
        await grant(hub, model, email=person.actor.email, permission="models:share")

    async def called() -> bool:
        body = {"model": "secret", **ASK}
        return (await hub.call("POST", "/v1/chat/completions", body, person=ada)).status == 200

    await until(called, 1)
    listed = (await hub.call("GET", "/api/v1/models", person=blind)).json()["items"]
    assert "secret" not in [m["name"] for m in listed]
    for person in (ada, blind):
        assert (await hub.call("GET", f"/api/v1/models/{model['id']}/grants", person=person)).status == 404


async def test_the_list_of_who_may_is_for_those_who_may_share(hub: Hub) -> None:
    model, other = await hub.add_model("secret", restricted=True), await hub.add_model("other")
    ada, bob = await hub.person(), await hub.person()
    path = f"/api/v1/models/{model['id']}/grants"
    assert (await hub.call("GET", path, person=ada)).status == 404
    await grant(hub, model, email=ada.actor.email, permission="models:share")

    async def may() -> bool:
        return (await hub.call("GET", path, person=ada)).status == 200

    await until(may, 1)
    # Of this model, not of others; and a key gives no proof of a person.
    assert (await hub.call("GET", f"/api/v1/models/{other['id']}/grants", person=ada)).status == 404
    assert (await hub.call("GET", path, person=bob)).status == 404
    body = {"email": bob.actor.email}
    assert (await hub.call("POST", path, body, person=ada)).json()["code"] == "auth.session_required"
    nothing = "/api/v1/models/00000000-0000-7000-8000-000000000000/grants"
    assert (await hub.call("GET", nothing)).status == 404


async def test_a_grant_made_in_sql_is_known_to_another_process_within_a_second(
    hub: Hub, postgres: Server, dsn: str, home: Path
) -> None:
    """Two processes share the database; an operator writes into it with psql."""
    model = await hub.add_model("secret", restricted=True)
    ada = await hub.person()
    insert = f"""
        insert into resource_grants (id, owner_id, permission_id, resource_id)
        select gen_random_uuid(), u.id, p.id, m.id::text from users u, permissions p, models m
        where u.id = '{ada.actor.user_id}' and p.name = 'models:use' and m.name = 'secret'
    """
    settings = settings_for(home, MODULES, AIHUB_EMBEDDED="off")
    async with (
        open_runtime(dsn, settings, MODULES) as runtime,
        serving(application(runtime)) as second,
    ):

        async def status() -> int:
            request = hub.http.get(f"{second}/v1/models/secret")
            return (await request.header("authorization", f"Bearer {ada.key}").build().send()).status

        assert await status() == 404
        for statement, expected in (
            (insert, 200),
            ("update resource_grants set expires_at = now() - interval '1 second'", 404),
            ("update resource_grants set expires_at = null", 200),
            ("truncate resource_grants", 404),
        ):
            with psycopg.connect(postgres.admin) as connection:
                connection.execute(statement.encode())

            async def so(wanted: int = expected) -> bool:
                return await status() == wanted

            await until(so, 1)
    assert model["restricted"] is True


async def test_the_database_shows_grants_to_their_people_only(hub: Hub) -> None:
    """Row-level security agrees: the owner's, those of their roles, and nobody gives any to themselves."""
    model = await hub.add_model("secret", restricted=True)
    ada, bob = await hub.person(), await hub.person(role="guest")
    await grant(hub, model, email=ada.actor.email)
    await grant(hub, model, role="user")
    seen = text("select count(*) from resource_grants")
    for person, count in ((ada, 2), (bob, 0)):
        async with hub.runtime.database.work(owned_by(person.actor.user_id)) as work:
            assert await work.session.scalar(seen) == count
    theft = text(
        "insert into resource_grants (id, owner_id, permission_id, resource_id) "
        "select gen_random_uuid(), :me, id, 'x' from permissions limit 1"
    )
    with pytest.raises(Exception, match="row-level security"):
        async with hub.runtime.database.work(owned_by(bob.actor.user_id)) as work:
            await work.session.execute(theft, {"me": bob.actor.user_id})


async def test_the_same_grant_twice_at_once_is_one_and_goes_with_its_model(hub: Hub) -> None:
    model = await hub.add_model("secret", restricted=True)
    ada = await hub.person()
    made = await asyncio.gather(*(grant(hub, model, email=ada.actor.email) for _ in range(8)))
    assert len({one["id"] for one in made}) == 1
    assert (await hub.call("DELETE", f"/api/v1/models/{model['id']}")).status == 204
    async with hub.runtime.database.work(system("test")) as work:
        assert await work.session.scalar(text("select count(*) from resource_grants")) == 0


async def test_no_grant_for_nobody(hub: Hub) -> None:
    model = await hub.add_model("secret", restricted=True)
    for wish in (
        {}, {"email": "ada@example.org", "role": "user"}, {"email": "nobody@example.org"}, {"role": "nobody"},
        {"role": "user", "expires_at": datetime.now(UTC)}, {"role": "user", "permission": "models:fly"},
    ):  # fmt: skip
        with pytest.raises(Exception, match="not acceptable"):
            await grant(hub, model, **wish)
