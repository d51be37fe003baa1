"""Accounts at a provider that are linked to one's own: only after proof of both sides, and as a proof."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, Client, MakeClient, MakeUser
from tests.services.identity.federated import HANDLE, Guest, actions, change, roles_of, set_up
from tests.support.oidc import RealProvider, Visitor

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime

BOB = "bob@example.org"


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with RealProvider() as running:
        running.person("bob-there", email=BOB, email_verified=True, name="Bob")
        running.person("grace", email="grace@example.org", email_verified=True)
        yield running


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with Visitor() as one:
        yield one


@pytest.fixture
async def admin(client: MakeClient, make_user: MakeUser, provider: RealProvider) -> Client:
    await make_user("ada", "super_admin")
    ada = client()
    await ada.sign_in("ada@example.org")
    await set_up(ada, provider)
    return ada


@pytest.fixture
async def guest(client: MakeClient, admin: Client, visitor: Visitor, make_user: MakeUser) -> Guest:
    """A browser at a hub that knows the provider, and where Bob has an account with a password."""
    await make_user("bob")
    return Guest(client(), visitor)


async def link(guest: Guest, login: str) -> str:
    """Link an account at the provider to the one that is signed in; the page that follows."""
    url = await guest.depart("/api/v1/linked-sign-ins")
    return str((await guest("GET", await guest.back_from(url, login))).headers["location"])


async def linked(guest: Guest) -> list[str]:
    return [item["email"] for item in (await guest("GET", "/api/v1/linked-sign-ins")).body["items"]]


async def test_the_same_address_alone_links_nothing(guest: Guest, hub: Runtime) -> None:
    assert await guest.sign_in("bob-there", next="/admin/users") == "/sign-in/link"
    assert guest.client.cookie is None
    waits = (await guest("GET", "/api/v1/session/oidc/waiting")).body
    assert waits == {"step": "link", "provider": "Team login", "email": BOB}
    assert "sign_in.link" not in await actions(hub)
    # Without the other side nothing comes of it.
    assert (await guest("POST", "/api/v1/linked-sign-ins/waiting")).status == 401

    await guest.client.sign_in(BOB)
    done = await guest("POST", "/api/v1/linked-sign-ins/waiting")
    assert (done.status, done.body) == (200, {"next": "/admin/users"})
    assert (await guest("POST", "/api/v1/linked-sign-ins/waiting")).code == "federation.attempt_invalid"
    guest.client.cookie = guest.client.csrf = None
    assert (await guest.enter("bob-there"))["email"] == BOB


async def test_what_waits_is_bound_to_the_browser_and_ends(
    guest: Guest, client: MakeClient, clock: FixedClock
) -> None:
    assert await guest.sign_in("bob-there") == "/sign-in/link"
    async with Visitor() as unused:
        other = Guest(client(), unused)
        await other.client.sign_in("ada@example.org")
        assert (await other("POST", "/api/v1/linked-sign-ins/waiting")).code == "federation.attempt_invalid"
    clock.at += timedelta(minutes=10, seconds=1)
    assert (await guest("GET", "/api/v1/session/oidc/waiting")).status == 404
    await guest.client.sign_in(BOB)
    assert (await guest("POST", "/api/v1/linked-sign-ins/waiting")).code == "federation.attempt_invalid"


async def test_linking_needs_a_fresh_proof_and_the_session_that_began_it(
    guest: Guest, client: MakeClient, clock: FixedClock, make_user: MakeUser, hub: Runtime
) -> None:
    await guest.client.sign_in(BOB)
    url = await guest.depart("/api/v1/linked-sign-ins")
    back = await guest.back_from(url, "bob-there")
    mine, guest.client.cookie = guest.client.cookie, None
    assert (await guest("GET", back)).headers["location"] == (
        "/account/security?problem=federation.attempt_invalid"
    )
    back = await guest.back_from(await _again(guest, mine), "bob-there")
    await make_user("carol")
    await guest.client.sign_in("carol@example.org")
    assert (await guest("GET", back)).headers["location"] == (
        "/account/security?problem=federation.attempt_invalid"
    )
    assert "sign_in.link" not in await actions(hub)
    await guest.client.sign_in(BOB)
    clock.at += timedelta(minutes=11)
    stale = await guest("POST", "/api/v1/linked-sign-ins", {"provider": HANDLE})
    assert stale.code == "auth.fresh_proof_needed"


async def _again(guest: Guest, cookie: str | None) -> str:
    guest.client.cookie = cookie
    return await guest.depart("/api/v1/linked-sign-ins")


async def test_an_account_at_the_provider_belongs_to_one_person(
    guest: Guest, make_user: MakeUser, client: MakeClient
) -> None:
    await guest.client.sign_in(BOB)
    assert await link(guest, "bob-there") == "/account/security?linked=Team%20login"
    assert await link(guest, "bob-there") == "/account/security?linked=Team%20login"  # twice is once
    assert await link(guest, "grace") == "/account/security?linked=Team%20login"
    assert await linked(guest) == ["grace@example.org", BOB]
    await make_user("carol")
    async with Visitor() as unused:
        carol = Guest(client(), unused)
        await carol.client.sign_in("carol@example.org")
        assert await link(carol, "grace") == "/account/security?problem=federation.link_taken"
        assert await linked(carol) == []
        # and she cannot take away what is not hers
        links = (await guest("GET", "/api/v1/linked-sign-ins")).body["items"]
        gone = await carol("DELETE", f"/api/v1/linked-sign-ins/{links[0]['id']}")
        assert gone.status == 404
    assert len(await linked(guest)) == 2


async def test_unlinking_takes_the_roles_along_but_never_the_last_way_in(
    guest: Guest, admin: Client, provider: RealProvider, hub: Runtime
) -> None:
    groups = [{"group": "staff", "roles": ["manager"]}]
    await change(admin, scopes=["email", "groups"], group_claim="groups", groups=groups)
    provider.person("dora", email="dora@example.org", email_verified=True, groups=["staff"])
    await guest.enter("dora")
    links = (await guest("GET", "/api/v1/linked-sign-ins")).body["items"]
    path = f"/api/v1/linked-sign-ins/{links[0]['id']}"
    assert (await guest("DELETE", path)).code == "federation.last_way"
    assert await roles_of(hub, "dora@example.org") == {"user", "manager"}
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update users set password_hash = 'x' where email like 'dora@%'"))
    assert (await guest("DELETE", path)).status == 204
    assert await roles_of(hub, "dora@example.org") == {"user"}
    assert await linked(guest) == []
    assert "sign_in.unlink" in await actions(hub)


async def test_a_proof_is_of_the_linked_person_and_of_now(
    guest: Guest, hub: Runtime, provider: RealProvider
) -> None:
    await guest.enter("grace")
    await _forget_proof(hub)
    begin = ("POST", "/api/v1/linked-sign-ins", {"provider": HANDLE})
    assert (await guest(*begin)).code == "auth.fresh_proof_needed"

    url = await guest.depart("/api/v1/session/proof/oidc")
    page = (await guest("GET", await guest.back_from(url, "bob-there"))).headers["location"]
    assert page == "/proven?problem=federation.proof_of_another"
    assert (await guest(*begin)).code == "auth.fresh_proof_needed"

    # A provider's session from before does not count, although nobody tampers with anything.
    url = await guest.depart("/api/v1/session/proof/oidc")
    softened = url.replace("prompt=login", "prompt=none").replace("max_age=0", "max_age=9999")
    guest.visitor.http.cookies.clear()
    await guest.visitor.sign_in(
        await guest.depart(), "grace", f"{guest.client.http.base_url}/api/v1/session/oidc/"
    )
    guest.stays = True
    async with hub.database.work(system("test")) as work:
        await work.session.execute(
            text("update federation_attempts set created_at = created_at + interval '2 minutes'")
        )
    back = await guest.back_from(softened, "grace")
    assert (await guest("GET", back)).headers["location"] == "/proven?problem=federation.proof_stale"
    assert (await guest(*begin)).code == "auth.fresh_proof_needed"

    url = await guest.depart("/api/v1/session/proof/oidc")
    asked = parse_qs(urlsplit(url).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    assert (await guest("GET", await guest.back_from(url, "grace"))).headers["location"] == "/proven"
    assert guest.asked is True  # although the provider knew them
    assert (await guest(*begin)).status == 200


async def _forget_proof(hub: Runtime) -> None:
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update sessions set proved_at = now() - interval '1 hour'"))


async def test_an_authenticator_app_is_asked_for_unless_the_provider_did_more(
    guest: Guest, provider: RealProvider, hub: Runtime, clock: FixedClock
) -> None:
    await guest.client.sign_in(BOB)
    await link(guest, "bob-there")
    begun = (await guest("POST", "/api/v1/second-factor/totp")).body
    app = pyotp.TOTP(begun["secret"])
    kept = await guest("POST", "/api/v1/second-factor/totp/confirm", {"code": app.at(clock.at)})
    recovery = kept.body["recovery_codes"]
    guest.client.cookie = guest.client.csrf = None

    assert await guest.sign_in("bob-there", next="/chat") == "/sign-in/code"
    assert guest.client.cookie is None
    wrong = await guest("POST", "/api/v1/session/oidc/code", {"code": "000000"})
    assert wrong.code == "auth.code_wrong"
    right = await guest("POST", "/api/v1/session/oidc/code", {"code": recovery[0]})
    assert (right.status, right.body["next"]) == (200, "/chat")
    assert right.body["session"]["user"]["email"] == BOB
    again = await guest("POST", "/api/v1/session/oidc/code", {"code": recovery[1]})
    assert again.code == "federation.attempt_invalid"

    guest.client.cookie = guest.client.csrf = None
    provider.person("bob-there", amr=("pwd", "hwk"), email=BOB, email_verified=True)
    assert await guest.sign_in("bob-there") == "/"


async def test_wrong_codes_after_a_provider_are_stopped_like_wrong_passwords(
    guest: Guest, provider: RealProvider, clock: FixedClock
) -> None:
    provider.person("bob-there", amr=("pwd",), email=BOB, email_verified=True)
    await guest.client.sign_in(BOB)
    await link(guest, "bob-there")
    begun = (await guest("POST", "/api/v1/second-factor/totp")).body
    app = pyotp.TOTP(begun["secret"])
    await guest("POST", "/api/v1/second-factor/totp/confirm", {"code": app.at(clock.at)})
    guest.client.cookie = guest.client.csrf = None
    assert await guest.sign_in("bob-there") == "/sign-in/code"
    codes = [(await guest("POST", "/api/v1/session/oidc/code", {"code": "000000"})).code for _ in range(6)]
    assert codes == ["auth.code_wrong"] * 5 + ["auth.too_many_attempts"]


async def test_a_password_can_still_be_chosen_by_letter(guest: Guest) -> None:
    """Somebody who came through a provider is not locked in: a forgotten password's way is theirs, too."""
    await guest.enter("grace")
    await guest("DELETE", "/api/v1/session")
    guest.client.cookie = guest.client.csrf = None
    assert (await guest.client.sign_in("grace@example.org", PASSWORD)).code == "auth.sign_in_failed"
    asked = await guest("POST", "/api/v1/password-reset", {"email": "grace@example.org"})
    assert asked.status == 202
