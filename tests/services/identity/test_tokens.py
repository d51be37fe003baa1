"""Programs: access tokens, refresh families, and what ends them."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, Answer, Client, MakeClient, MakeUser
from tests.support.waiting import until

from aihub.kernel.cache import Cache
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import jobs, service

HOME = "/api/v1/credits"


async def refuses(who: Client, path: str, status: int) -> None:
    """They are answered with this status within a second."""

    async def refused() -> bool:
        return (await who("GET", path)).status == status

    await until(refused, 1)


async def tokens(someone: Client, name: str = "ada", **more: Any) -> Answer:
    body = {"email": f"{name}@example.org", "password": PASSWORD, **more}
    return await someone("POST", "/api/v1/tokens", body)


async def refresh(someone: Client, token: str) -> Answer:
    return await someone("POST", "/api/v1/tokens/refresh", {"refresh_token": token})


async def program(client: MakeClient, name: str = "ada", /, **more: Any) -> tuple[Client, dict[str, Any]]:
    """A program that is signed in, and the tokens it got."""
    given = await tokens(client(), name, **more)
    assert given.status == 201, given.body
    return client(key=given.body["access_token"]), given.body


def claims_of(access: str) -> dict[str, Any]:
    part = access.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


async def one(hub: Runtime, statement: str) -> Any:
    async with hub.database.work(system("test")) as work:
        return await work.session.scalar(text(statement))


async def test_a_program_signs_in_calls_refreshes_and_signs_out(
    client: MakeClient, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    robot, given = await program(client, client="Backup script")
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 900, "")
    assert given["refresh_token"].startswith("ahr_")
    assert (await robot("GET", HOME)).status == 200
    me = await robot("GET", "/api/v1/session")
    assert me.body["user"]["id"] == str(user.id)
    # Without a CSRF token: no page can make a browser send this header.
    assert (await robot("PATCH", "/api/v1/me", {"name": "Ada L."})).status == 200

    following = await refresh(client(), given["refresh_token"])
    assert following.status == 200
    assert following.body["refresh_token"] != given["refresh_token"]
    newer = client(key=following.body["access_token"])
    assert (await newer("GET", HOME)).status == 200
    assert claims_of(newer.key or "")["sid"] == claims_of(robot.key or "")["sid"]

    assert (await newer("DELETE", "/api/v1/tokens")).status == 204
    for caller in (robot, newer):
        answer = await caller("GET", HOME)
        assert (answer.status, answer.code) == (401, "auth.session_ended")
        assert answer.headers["www-authenticate"].startswith("Bearer")
    late = await refresh(client(), following.body["refresh_token"])
    assert (late.status, late.code) == (401, "auth.refresh_refused")


async def test_nobody_and_nonsense_get_401_and_are_told_how_to_authenticate(client: MakeClient) -> None:
    nobody = await client()("GET", HOME)
    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, "Bearer")
    for made_up in ("a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "x" * 5000 + ".y.z", "ahr_" + "x" * 43):
        answer = await client(key=made_up)("GET", HOME)
        assert answer.status == 401, made_up
        assert answer.code in ("auth.token_invalid", "auth.key_invalid")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await client(headers={"Authorization": "Basic eA=="})("GET", HOME)).status == 401
    assert (await client()("DELETE", "/api/v1/tokens")).status == 401


async def test_wrong_passwords_count_like_those_of_browsers(client: MakeClient, make_user: MakeUser) -> None:
    await make_user("ada")
    wrong = [await tokens(client(), password="wrong wrong wrong") for _ in range(6)]
    assert [answer.status for answer in wrong] == [401] * 5 + [429]
    assert wrong[5].code == "auth.too_many_attempts"
    assert (await client().sign_in("ada@example.org")).status == 429


async def test_an_access_token_lasts_a_quarter_of_an_hour(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    robot, given = await program(client)
    clock.at += timedelta(minutes=14, seconds=59)
    assert (await robot("GET", HOME)).status == 200
    clock.at += timedelta(seconds=12)
    answer = await robot("GET", HOME)
    assert (answer.status, answer.code) == (401, "auth.token_expired")
    assert (await refresh(client(), given["refresh_token"])).status == 200


async def test_a_family_lasts_a_week_from_each_refresh_and_a_month_at_most(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    _, given = await program(client)
    _, unused = await program(client)
    began = clock.at
    token = given["refresh_token"]
    for day in (6.9, 13.8, 20.7, 27.6):
        clock.at = began + timedelta(days=day)
        answer = await refresh(client(), token)
        assert answer.status == 200, day
        token = answer.body["refresh_token"]
        assert (await client(key=answer.body["access_token"])("GET", HOME)).status == 200
    assert (await refresh(client(), unused["refresh_token"])).status == 401
    clock.at = began + timedelta(days=30, seconds=1)
    assert (await refresh(client(), token)).code == "auth.refresh_refused"


async def test_a_refresh_token_used_twice_ends_its_family_and_its_owner_is_told(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    robot, given = await program(client, client="Backup script")
    other, _ = await program(client)
    stolen = given["refresh_token"]
    following = (await refresh(client(), stolen)).body
    again = await refresh(client(), stolen)
    assert (again.status, again.code) == (401, "auth.refresh_reused")
    for dead in (robot, client(key=following["access_token"])):
        assert (await dead("GET", HOME)).code == "auth.session_ended"
    assert (await refresh(client(), following["refresh_token"])).status == 401
    assert (await refresh(client(), stolen)).code == "auth.refresh_reused"
    assert (await other("GET", HOME)).status == 200, "another family goes on"
    assert await one(hub, "select count(*) from audit_log where action = 'token.reuse'") == 1
    assert await one(hub, "select count(*) from outbox where kind = 'token_reuse'") == 1


async def test_one_refresh_token_used_many_times_at_once_ends_the_family_once(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    for _ in range(3):
        robot, given = await program(client)
        answers = await asyncio.gather(*(refresh(client(), given["refresh_token"]) for _ in range(8)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 7
        assert (await robot("GET", HOME)).status == 401
        winner = next(answer for answer in answers if answer.status == 200)
        assert (await client(key=winner.body["access_token"])("GET", HOME)).status == 401
    assert await one(hub, "select count(*) from audit_log where action = 'token.reuse'") == 3
    assert await one(hub, "select count(*) from sessions where revoked_at is null") == 0


async def test_scopes_hand_on_a_part_and_never_the_account_itself(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("root", "super_admin")
    robot, given = await program(client, "root", scopes=["read:users", "credits:read"])
    assert given["scope"] == "credits:read users:read"
    assert (await robot("GET", "/api/v1/users")).status == 200
    assert (
        await robot("POST", "/api/v1/users", {"email": "x@example.org", "password": PASSWORD})
    ).status == 403
    for method, path, body in (
        ("GET", "/api/v1/session", None),
        ("PATCH", "/api/v1/me", {"name": "x"}),
        (
            "POST",
            "/api/v1/me/password",
            {"current_password": PASSWORD, "new_password": "four tall new words"},
        ),
        ("GET", "/api/v1/sessions", None),
        ("POST", "/api/v1/second-factor/totp", None),
        ("POST", "/api/v1/session/proof", {"password": PASSWORD}),
        ("POST", "/api/v1/me/email", {}),
    ):
        answer = await robot(method, path, body)
        assert (answer.status, answer.code) == (403, "auth.session_required"), path
    following = (await refresh(client(), given["refresh_token"])).body
    assert following["scope"] == given["scope"]
    narrow = client(key=following["access_token"])
    assert (await narrow("GET", "/api/v1/roles")).status == 403
    assert (await narrow("DELETE", "/api/v1/tokens")).status == 204
    assert (await narrow("GET", "/api/v1/users")).status == 401


async def test_scopes_are_of_ones_own(client: MakeClient, make_user: MakeUser, hub: Runtime) -> None:
    await make_user("ada")
    more = await tokens(client(), scopes=["users:read"])
    assert (more.status, more.code) == (403, "keys.scopes_beyond_own")
    unknown = await tokens(client(), scopes=["moon:walk"])
    assert (unknown.status, unknown.body["errors"][0]["field"]) == (422, "scopes")
    assert await one(hub, "select count(*) from sessions") == 0, "a refused sign-in leaves no session"
    assert await one(hub, "select count(*) from sign_in_attempts") == 0


async def test_taking_a_role_away_counts_for_tokens_at_once(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    root = await make_user("root", "super_admin")
    ada = await make_user("ada", "manager")
    robot, _ = await program(client)
    assert (await robot("GET", "/api/v1/users")).status == 200
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("delete from user_roles where user_id = :user"), {"user": ada.id})
    assert root.id != ada.id
    await refuses(robot, "/api/v1/users", 403)


@pytest.mark.parametrize("how", ["device list", "others", "forced", "deactivated", "password", "SQL"])
async def test_what_ends_a_session_ends_its_tokens(
    client: MakeClient, make_user: MakeUser, hub: Runtime, how: str
) -> None:
    ada = await make_user("ada")
    await make_user("root", "super_admin")
    browser, root = client(), client()
    await browser.sign_in("ada@example.org")
    await root.sign_in("root@example.org")
    robot, given = await program(client, client="Backup script")
    assert (await robot("GET", HOME)).status == 200
    listed = (await browser("GET", "/api/v1/sessions")).body["items"]
    mine = next(item for item in listed if item["client"] is not None)
    assert mine["client"] == "Backup script"
    assert [item["current"] for item in listed if item["client"] is None] == [True]
    match how:
        case "device list":
            done = await browser("DELETE", f"/api/v1/sessions/{mine['id']}")
        case "others":
            done = await browser("DELETE", "/api/v1/sessions")
        case "forced":
            done = await root("DELETE", f"/api/v1/users/{ada.id}/sessions")
        case "deactivated":
            done = await root("PATCH", f"/api/v1/users/{ada.id}", {"active": False})
        case "password":
            change = {"current_password": PASSWORD, "new_password": "four unrelated tall words"}
            done = await browser("POST", "/api/v1/me/password", change)
        case _:
            async with hub.database.work(system("test")) as work:
                await work.session.execute(text("delete from sessions where client is not null"))
            done = await root("GET", "/api/v1/session")
    assert done.status < 300, done.body
    await refuses(robot, HOME, 401)
    assert (await refresh(client(), given["refresh_token"])).status == 401


async def test_an_account_switched_off_in_sql_gets_no_new_tokens(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    robot, given = await program(client)
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update users set active = false"))
    await refuses(robot, HOME, 401)
    assert (await refresh(client(), given["refresh_token"])).code == "auth.refresh_refused"


async def test_a_cookie_is_no_token_and_a_token_no_cookie(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    _, given = await program(client)
    for secret in (given["access_token"], given["refresh_token"]):
        assert (await client(cookie=secret)("GET", HOME)).status == 401
    assert (await client(key=given["refresh_token"])("GET", HOME)).status == 401
    assert (await refresh(client(), browser.cookie or "")).status == 401
    assert (await refresh(client(), given["access_token"][:200])).status == 401
    assert (await browser("DELETE", "/api/v1/tokens")).code == "auth.session_required"
    assert (await browser("GET", HOME)).status == 200
    stored = await one(hub, "select string_agg(r::text, ' ') from refresh_tokens r")
    assert given["refresh_token"] not in stored


async def test_a_second_factor_is_asked_for_and_remembered(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    begun = await browser("POST", "/api/v1/second-factor/totp")
    app = pyotp.TOTP(begun.body["secret"])
    assert (
        await browser("POST", "/api/v1/second-factor/totp/confirm", {"code": app.at(clock.at)})
    ).status == 200
    asked = await tokens(client())
    assert (asked.status, asked.code) == (401, "auth.code_needed")
    assert (await tokens(client(), code="000000")).code == "auth.code_wrong"
    clock.at += timedelta(seconds=30)
    robot, given = await program(client, code=app.at(clock.at))
    listed = (await robot("GET", "/api/v1/sessions")).body["items"]
    assert next(item for item in listed if item["current"])["second_factor"] is True
    # A refresh is no proof: ten minutes after the sign-in, steps that need one ask again.
    clock.at += timedelta(minutes=11)
    robot.key = (await refresh(client(), given["refresh_token"])).body["access_token"]
    stale = await robot("POST", "/api/v1/keys", {"name": "k"})
    assert (stale.status, stale.code) == (403, "auth.fresh_proof_needed")
    clock.at += timedelta(seconds=30)
    assert (await robot("POST", "/api/v1/session/proof", {"code": app.at(clock.at)})).status == 204
    assert (await robot("POST", "/api/v1/keys", {"name": "k"})).status == 201


async def test_a_role_that_needs_a_second_factor_needs_it_of_programs_too(
    client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    await make_user("ada", "manager")
    hub.get(service.IdentityAuthenticator).second_factor_roles = frozenset({"manager"})
    for scopes in ([], ["users:read"]):
        robot, _ = await program(client, scopes=scopes)
        refused = await robot("GET", "/api/v1/users")
        assert (refused.status, refused.code) == (403, "auth.second_factor_needed")


async def test_being_used_is_noted_once_a_minute_and_remembered_in_between(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("ada")
    robot, _ = await program(client)
    rows = "select xmin::text || last_seen_at::text from sessions"
    before = await one(hub, rows)
    for _ in range(10):
        assert (await robot("GET", HOME)).status == 200
    assert await one(hub, rows) == before
    clock.at += timedelta(minutes=2)
    hub.get(Cache)._forget_all()
    assert (await robot("GET", HOME)).status == 200
    assert await one(hub, rows) != before


async def test_old_tokens_are_forgotten(
    client: MakeClient, make_user: MakeUser, hub: Runtime, clock: FixedClock
) -> None:
    await make_user("ada")
    _, given = await program(client)
    await refresh(client(), given["refresh_token"])
    assert await one(hub, "select count(*) from refresh_tokens") == 2
    await tidy(hub)
    assert await one(hub, "select count(*) from refresh_tokens") == 2
    clock.at += timedelta(days=38)
    await tidy(hub)
    assert await one(hub, "select count(*) from refresh_tokens") == 0


async def tidy(hub: Runtime) -> None:
    class Context:
        runtime = hub

    await jobs.tidy(Context())  # type: ignore[arg-type]
