"""The first start: one link, one super_admin, however many try."""

import asyncio
from datetime import timedelta

from sqlalchemy import text
from tests.services.conftest import PASSWORD, MakeClient, MakeUser

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import service


async def link(hub: Runtime) -> str | None:
    async with hub.database.work(system("test")) as work:
        return await service.ensure_setup_link(work, hub.clock)


def form(token: str | None, email: str = "ada@example.org", **more: str) -> dict[str, object]:
    return {"token": token, "email": email, "name": "Ada", "password": PASSWORD} | more


async def test_the_link_makes_the_first_super_admin_and_signs_them_in(
    client: MakeClient, hub: Runtime
) -> None:
    browser = client()
    assert (await browser("GET", "/api/v1/setup")).body == {"needed": True}
    answer = await browser("POST", "/api/v1/setup", form(await link(hub)))
    assert answer.status == 201
    assert answer.body["user"]["roles"] == ["super_admin"]
    browser.remember(answer)
    assert (await browser("GET", "/api/v1/users")).body["items"][0]["email"] == "ada@example.org"
    assert (await browser("GET", "/api/v1/credits")).body["balance"] == "100.000000"
    assert (await browser("GET", "/api/v1/setup")).body == {"needed": False}
    assert await link(hub) is None
    again = await client()("POST", "/api/v1/setup", form("anything", "eve@example.org"))
    assert (again.status, again.code) == (409, "setup.done")


async def test_of_many_at_once_one_succeeds(client: MakeClient, hub: Runtime) -> None:
    tokens = [await link(hub) for _ in range(2)]
    answers = await asyncio.gather(
        *(client()("POST", "/api/v1/setup", form(tokens[n % 2], f"user{n}@example.org")) for n in range(8))
    )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    async with hub.database.work(system("test")) as work:
        assert await work.session.scalar(text("select count(*) from users")) == 1


async def test_wrong_used_and_expired_links_do_nothing(
    client: MakeClient, hub: Runtime, clock: FixedClock
) -> None:
    token = await link(hub)
    wrong = await client()("POST", "/api/v1/setup", form("x" * 43))
    assert (wrong.status, wrong.code) == (403, "setup.link_invalid")
    clock.at += timedelta(hours=24, seconds=1)
    assert (await client()("POST", "/api/v1/setup", form(token))).status == 403
    fresh = await link(hub)
    assert fresh not in (None, token)
    assert (await client()("POST", "/api/v1/setup", form(fresh))).status == 201


async def test_a_refused_form_leaves_the_link_good(client: MakeClient, hub: Runtime) -> None:
    token = await link(hub)
    for bad in (
        form(token, "no address"),
        form(token, password="short"),
        form(token, password="password123"),
        form(token, password="ada@example.org"),
        form(token, name="a\x00b"),
        form(None),
    ):
        answer = await client()("POST", "/api/v1/setup", bad)
        assert answer.status == 422, bad
        assert answer.body["errors"]
    assert (await client()("POST", "/api/v1/setup", form(token))).status == 201


async def test_an_administrator_made_on_the_command_line_ends_the_link(
    client: MakeClient, hub: Runtime, make_user: MakeUser
) -> None:
    token = await link(hub)
    await make_user("ada", "super_admin")
    assert (await client()("GET", "/api/v1/setup")).body == {"needed": False}
    assert (await client()("POST", "/api/v1/setup", form(token, "eve@example.org"))).status == 409


async def test_the_database_holds_no_usable_link(hub: Runtime) -> None:
    token = await link(hub)
    async with hub.database.work(system("test")) as work:
        stored = (
            await work.session.scalars(text("select encode(token_hash, 'escape') from setup_links"))
        ).all()
    assert token is not None
    assert all(token not in row for row in stored)


async def test_a_new_hub_has_no_account_and_no_default_password(hub: Runtime) -> None:
    async with hub.database.work(system("test")) as work:
        for table in ("users", "user_roles", "sessions", "api_keys", "setup_links"):
            assert await work.session.scalar(text(f"select count(*) from {table}")) == 0, table
        assert await service.setup_needed(work)
