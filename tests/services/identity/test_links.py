"""Invitations, new passwords and proven addresses: links that work once and for a time."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, PASSWORD, Answer, Client, MakeClient, MakeUser
from tests.support.waiting import until

from aihub.kernel import audit
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.jobs.runner import JobRunner
from aihub.kernel.runtime import Runtime

NEW_PASSWORD = "gloomy tractor violin"


@pytest.fixture
async def worker(hub: Runtime) -> AsyncIterator[None]:
    """Runs the hub's jobs."""
    runner = JobRunner(hub, [job for module in MODULES for job in module.jobs], heartbeat=0.2)
    task = asyncio.create_task(runner.run())
    yield
    await runner.close()
    await task


@pytest.fixture
async def admin(client: MakeClient, make_user: MakeUser) -> Client:
    await make_user("ada", "super_admin")
    signed_in = client()
    await signed_in.sign_in("ada@example.org")
    return signed_in


async def letters(admin: Client, to: str) -> list[dict[str, Any]]:
    answer = await admin("GET", "/api/v1/outbox")
    return [letter for letter in answer.body["items"] if letter["to"] == to]


async def token_for(admin: Client, to: str, kind: str, number: int = 1) -> str:
    """The token in the `number`th letter of this kind to this address, once it is there."""

    async def arrived() -> list[dict[str, Any]] | None:
        found = [letter for letter in await letters(admin, to) if letter["kind"] == kind]
        return found if len(found) >= number else None

    found = await until(arrived)
    letter = await admin("GET", f"/api/v1/outbox/{found[0]['id']}")  # type: ignore[index]
    assert letter.status == 200, letter.body
    assert letter.body["link"] in letter.body["text"]
    return str(letter.body["link"]).partition("#token=")[2]


async def deeds(hub: Runtime) -> list[str]:
    async with hub.database.work(system("test")) as work:
        return list(await work.session.scalars(text("select action from audit_log order by seq")))


async def accept(who: Client, token: str, password: str = NEW_PASSWORD) -> Answer:
    return await who(
        "POST",
        "/api/v1/invitation/accept",
        {"token": token, "name": "Kim", "password": password, "locale": "fr"},
    )


async def test_an_invited_colleague_comes_in_with_the_role_given(
    hub: Runtime, admin: Client, client: MakeClient
) -> None:
    made = await admin(
        "POST", "/api/v1/invitations", {"email": " Kim@Example.org", "roles": ["manager"], "locale": "fr"}
    )
    assert made.status == 201
    assert (made.body["email"], made.body["roles"], made.body["expired"]) == (
        "kim@example.org",
        ["manager"],
        False,
    )
    assert made.body["invited_by"] == "ada@example.org"
    listed = await admin("GET", "/api/v1/invitations")
    assert [row["id"] for row in listed.body["items"]] == [made.body["id"]]
    [letter] = await letters(admin, "kim@example.org")
    assert (letter["subject"], letter["status"]) == ("Vous êtes invité à rejoindre Smart AI Hub", "waiting")
    token = await token_for(admin, "kim@example.org", "invitation")

    kim = client()
    seen = await kim("POST", "/api/v1/invitation", {"token": token})
    assert (seen.status, seen.body["email"]) == (200, "kim@example.org")
    weak = await accept(kim, token, "kim@example.org")
    assert (weak.status, weak.code, weak.body["errors"][0]["code"]) == (422, "auth.weak_password", "personal")
    assert (await accept(kim, token)).status == 201
    entered = await kim.sign_in("kim@example.org", NEW_PASSWORD)
    assert entered.status == 200
    user = entered.body["user"]
    assert (user["roles"], user["locale"], user["email_verified"]) == (["manager"], "fr", True)
    assert (await admin("GET", "/api/v1/invitations")).body["items"] == []
    again = await accept(client(), token)
    assert (again.status, again.code) == (403, "links.invalid")
    assert {"user.invite", "mail.open", "user.create"} <= set(await deeds(hub))
    # Whoever is invited has no account that could be erased with its entries: they do not name them.
    async with hub.database.work(system("test")) as work:
        said = (await audit.page(work, cursor=None, limit=100)).items
    assert {"k…@example.org"} == {
        line.details.get("email", line.details.get("to"))
        for line in said
        if line.details and line.action in ("user.invite", "mail.open")
    }


async def test_an_invitation_taken_by_two_at_once_makes_one_account(
    admin: Client, client: MakeClient
) -> None:
    await admin("POST", "/api/v1/invitations", {"email": "kim@example.org"})
    token = await token_for(admin, "kim@example.org", "invitation")
    answers = await asyncio.gather(*(accept(client(), token) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [201, 403, 403, 403, 403, 403]


async def test_an_invitation_ends_when_it_is_revoked_sent_again_or_a_week_old(
    admin: Client, client: MakeClient, clock: FixedClock
) -> None:
    first = await admin("POST", "/api/v1/invitations", {"email": "kim@example.org"})
    old = await token_for(admin, "kim@example.org", "invitation")
    again = await admin("POST", f"/api/v1/invitations/{first.body['id']}/resend")
    assert again.status == 200
    assert again.body["id"] != first.body["id"]
    new = await token_for(admin, "kim@example.org", "invitation", 2)
    assert (await accept(client(), old)).status == 403
    clock.at += timedelta(days=7, seconds=1)
    await admin.sign_in("ada@example.org")
    assert (await accept(client(), new)).status == 403
    listed = await admin("GET", "/api/v1/invitations")
    assert [row["expired"] for row in listed.body["items"]] == [True]
    third = await admin("POST", "/api/v1/invitations", {"email": "kim@example.org"})
    token = await token_for(admin, "kim@example.org", "invitation", 3)
    path = f"/api/v1/invitations/{third.body['id']}"
    assert (await admin("DELETE", path)).status == 204
    assert (await admin("DELETE", path)).status == 404
    assert (await admin("POST", f"{path}/resend")).status == 404
    assert (await accept(client(), token)).status == 403


async def test_nobody_invites_to_more_than_they_may_give(
    admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("bo", "admin")
    await make_user("uma")
    bo, uma = client(), client()
    await bo.sign_in("bo@example.org")
    await uma.sign_in("uma@example.org")
    beyond = await bo("POST", "/api/v1/invitations", {"email": "kim@example.org", "roles": ["manager"]})
    assert (beyond.status, beyond.code) == (403, "roles.beyond_own")
    assert (await bo("POST", "/api/v1/invitations", {"email": "kim@example.org"})).status == 201
    assert (await uma("POST", "/api/v1/invitations", {"email": "eve@example.org"})).status == 403
    assert (await uma("GET", "/api/v1/invitations")).status == 403
    assert (await client()("GET", "/api/v1/invitations")).status == 401
    # An administrator sees that a letter waits, but only those who may do everything read the link in it.
    [letter] = await letters(bo, "kim@example.org")
    assert (await bo("GET", f"/api/v1/outbox/{letter['id']}")).status == 403
    # Nor does an invitation outlive the right of whoever made it.
    token = await token_for(admin, "kim@example.org", "invitation")
    bo_id = (await admin("GET", "/api/v1/users?search=bo@")).body["items"][0]["id"]
    assert (await admin("PATCH", f"/api/v1/users/{bo_id}", {"active": False})).status == 200
    refused = await accept(client(), token)
    assert (refused.status, refused.code) == (403, "links.invalid")


async def test_who_has_an_account_is_not_invited(admin: Client, make_user: MakeUser) -> None:
    await make_user("kim")
    taken = await admin("POST", "/api/v1/invitations", {"email": "KIM@example.org"})
    assert (taken.status, taken.code) == (409, "users.email_taken")
    wrong = await admin("POST", "/api/v1/invitations", {"email": "kim"})
    assert (wrong.status, wrong.body["errors"][0]["field"]) == (422, "email")


async def reset(who: Client, token: str, password: str = NEW_PASSWORD) -> Answer:
    return await who("POST", "/api/v1/password-reset/complete", {"token": token, "new_password": password})


@pytest.mark.usefixtures("worker")
async def test_a_forgotten_password_is_replaced_and_every_session_ends(
    hub: Runtime, admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("kim")
    here = client()
    await here.sign_in("kim@example.org")
    assert (await client()("POST", "/api/v1/password-reset", {"email": " KIM@example.org"})).status == 202
    token = await token_for(admin, "kim@example.org", "password_reset")
    assert (await reset(client(), token, "password123")).code == "auth.weak_password"
    answers = await asyncio.gather(*(reset(client(), token) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [204, 403, 403, 403]

    async def out() -> bool:
        return (await here("GET", "/api/v1/session")).status == 401

    await until(out, 1)
    assert (await client().sign_in("kim@example.org", PASSWORD)).status == 401
    assert (await client().sign_in("kim@example.org", NEW_PASSWORD)).status == 200
    assert [letter["kind"] for letter in await letters(admin, "kim@example.org")] == [
        "password_changed",
        "password_reset",
    ]
    assert {"user.password_reset_asked", "user.password_reset"} <= set(await deeds(hub))


@pytest.mark.usefixtures("worker")
async def test_a_reset_link_works_for_an_hour_and_only_the_newest(
    hub: Runtime, admin: Client, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("kim")
    await client()("POST", "/api/v1/password-reset", {"email": "kim@example.org"})
    old = await token_for(admin, "kim@example.org", "password_reset")
    await client()("POST", "/api/v1/password-reset", {"email": "kim@example.org"})
    new = await token_for(admin, "kim@example.org", "password_reset", 2)
    assert (await reset(client(), old)).status == 403
    clock.at += timedelta(hours=1, seconds=1)
    assert (await reset(client(), new)).status == 403
    gone = await admin("GET", "/api/v1/outbox")
    unread = await admin("GET", f"/api/v1/outbox/{gone.body['items'][0]['id']}")
    assert (unread.status, unread.code) == (409, "mail.letter_gone")


@pytest.mark.usefixtures("worker")
async def test_asking_tells_nobody_whether_there_is_an_account(
    hub: Runtime, admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    for number in range(8):
        await make_user(f"known{number}")
    inactive = await make_user("gone")
    await admin("PATCH", f"/api/v1/users/{inactive.id}", {"active": False})
    answers, spent = [], {"known": [], "absent": []}  # type: ignore[var-annotated]
    for number in range(5):
        for kind in ("known", "absent"):
            who = client(headers={"X-Forwarded-For": f"10.{number}.0.1"})
            began = time.perf_counter()
            answers.append(
                await who("POST", "/api/v1/password-reset", {"email": f"{kind}{number}@example.org"})
            )
            spent[kind].append(time.perf_counter() - began)
    assert {(answer.status, str(answer.body)) for answer in answers} == {(202, "None")}
    # Both write one job and nothing else: what differs happens after the answer.
    # The least of five in turns: a busy machine is slow now and then, a different path is slow each time.
    known, absent = (min(spent[kind]) for kind in ("known", "absent"))
    assert abs(known - absent) < max(0.05, min(known, absent))
    await token_for(admin, "known3@example.org", "password_reset")
    assert await letters(admin, "absent3@example.org") == []


@pytest.mark.usefixtures("worker")
async def test_asking_is_limited_per_network_and_per_address(
    hub: Runtime, admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("kim")
    ask = [await client()("POST", "/api/v1/password-reset", {"email": "kim@example.org"}) for _ in range(11)]
    assert [answer.status for answer in ask] == [202] * 10 + [429]
    assert int(ask[-1].headers["retry-after"]) > 60

    async def quiet() -> bool:
        async with hub.database.work(system("test")) as work:
            waiting = await work.session.scalar(
                text("select count(*) from procrastinate_jobs where status in ('todo', 'doing')")
            )
        return waiting == 0

    await until(quiet)
    assert len(await letters(admin, "kim@example.org")) == 4


async def test_an_address_is_proven_with_a_letter(
    admin: Client, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("kim")
    kim = client()
    entered = await kim.sign_in("kim@example.org")
    assert entered.body["user"]["email_verified"] is False
    assert (await kim("POST", "/api/v1/me/email", {})).status == 202
    old = await token_for(admin, "kim@example.org", "email_verification")
    assert (await kim("POST", "/api/v1/me/email", {})).status == 202
    token = await token_for(admin, "kim@example.org", "email_verification", 2)
    verify = "/api/v1/email-verification"
    assert (await client()("POST", verify, {"token": old})).status == 403
    assert (await client()("POST", verify, {"token": token})).body == {"email": "kim@example.org"}
    assert (await client()("POST", verify, {"token": token})).status == 403
    assert (await kim("GET", "/api/v1/session")).body["user"]["email_verified"] is True


async def test_a_new_address_counts_once_it_is_proven_and_the_old_one_is_told(
    admin: Client, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("kim")
    await make_user("eve")
    kim = client()
    await kim.sign_in("kim@example.org")
    clock.at += timedelta(minutes=10, seconds=1)
    asked = {"email": "K@example.net"}
    stale = await kim("POST", "/api/v1/me/email", asked)
    assert (stale.status, stale.code) == (403, "auth.fresh_proof_needed")
    assert await letters(admin, "k@example.net") == []
    assert (await kim("POST", "/api/v1/session/proof", {"password": PASSWORD})).status == 204
    taken = await kim("POST", "/api/v1/me/email", asked | {"email": "eve@example.org"})
    assert (taken.status, taken.code) == (409, "users.email_taken")
    assert (await kim("POST", "/api/v1/me/email", asked)).body == {"email": "k@example.net"}
    assert (await kim("GET", "/api/v1/session")).body["user"]["email"] == "kim@example.org"
    token = await token_for(admin, "k@example.net", "email_verification")
    assert (await client()("POST", "/api/v1/email-verification", {"token": token})).status == 200
    assert (await kim("GET", "/api/v1/session")).body["user"]["email"] == "k@example.net"
    assert [letter["kind"] for letter in await letters(admin, "kim@example.org")] == ["email_changed"]
    assert (await client().sign_in("kim@example.org")).status == 401
    assert (await client().sign_in("k@example.net")).status == 200


async def test_an_address_somebody_else_got_first_is_not_taken(
    admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("kim")
    kim = client()
    await kim.sign_in("kim@example.org")
    await kim("POST", "/api/v1/me/email", {"email": "eve@example.org"})
    token = await token_for(admin, "eve@example.org", "email_verification")
    await make_user("eve")
    late = await client()("POST", "/api/v1/email-verification", {"token": token})
    assert (late.status, late.code) == (409, "users.email_taken")
    assert (await kim("GET", "/api/v1/session")).body["user"]["email"] == "kim@example.org"


async def test_a_key_cannot_change_the_address(
    client: MakeClient, make_user: MakeUser, make_key: Any
) -> None:
    kim = await make_user("kim")
    program = client(key=await make_key(kim.id))
    refused = await program("POST", "/api/v1/me/email", {})
    assert (refused.status, refused.code) == (403, "auth.session_required")


async def test_a_sign_in_with_an_unknown_browser_is_told_by_mail(
    admin: Client, client: MakeClient, make_user: MakeUser
) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0"
    newer = firefox.replace("149.0", "150.0")
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"
    await make_user("kim")
    for agent, told in ((firefox, 0), (newer, 0), (chrome, 1), (chrome, 1), (firefox, 1)):
        assert (await client(headers={"User-Agent": agent}).sign_in("kim@example.org")).status == 200
        assert len(await letters(admin, "kim@example.org")) == told
    [letter] = await letters(admin, "kim@example.org")
    assert letter["kind"] == "new_device"
    said = await admin("GET", f"/api/v1/outbox/{letter['id']}")
    assert "Chrome · Windows · 127.0.0.1 · " in said.body["text"]
    assert said.body["link"] is None


async def test_tokens_are_kept_as_hashes_and_letters_sealed(hub: Runtime, admin: Client) -> None:
    await admin("POST", "/api/v1/invitations", {"email": "kim@example.org"})
    token = await token_for(admin, "kim@example.org", "invitation")
    async with hub.database.work(system("test")) as work:
        for table in ("one_time_links", "outbox", "procrastinate_jobs", "audit_log"):
            rows = await work.session.scalars(text(f"select t::text from {table} t"))
            assert not [row for row in rows if re.search(re.escape(token), row)], table
            hexed = await work.session.scalars(text(f"select t::text from {table} t"))
            assert not [row for row in hexed if token.encode().hex() in row], table


async def test_the_strength_of_a_password_is_told_without_an_account(client: MakeClient) -> None:
    ask = client()
    path = "/api/v1/password-strength"
    weak = await ask(
        "POST", path, {"password": "kimberley1", "email": "kim@example.org", "name": "Kimberley"}
    )
    assert (weak.status, weak.body["problem"]) == (200, "personal")
    strong = await ask("POST", path, {"password": NEW_PASSWORD})
    assert (strong.body["score"], strong.body["problem"], strong.body["message"]) == (4, None, None)
    assert (await ask("POST", path, {"password": ""})).body["score"] == 0
