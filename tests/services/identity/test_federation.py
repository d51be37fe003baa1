"""Signing in through a real OpenID Connect provider."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.conftest import PASSWORD, Client, MakeClient, MakeUser
from tests.services.identity.federated import HANDLE, Guest, actions, change, roles_of, set_up
from tests.support.oidc import SECRET, RealProvider, Visitor

from aihub.kernel.clock import FixedClock
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.kernel.settings import SettingsError
from aihub.services.identity import queries, service
from aihub.services.identity.service.federation import seed_provider
from aihub.services.identity.settings import IdentitySettings


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with RealProvider() as running:
        yield running


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with Visitor() as one:
        yield one


@pytest.fixture
async def admin(client: MakeClient, make_user: MakeUser) -> Client:
    await make_user("ada", "super_admin")
    ada = client()
    await ada.sign_in("ada@example.org")
    return ada


@pytest.fixture
async def guest(client: MakeClient, admin: Client, provider: RealProvider, visitor: Visitor) -> Guest:
    """A browser at a hub that knows the provider."""
    await set_up(admin, provider)
    return Guest(client(), visitor)


async def test_somebody_new_gets_an_account_and_comes_back_to_the_same_one(
    guest: Guest, provider: RealProvider, hub: Runtime, client: MakeClient
) -> None:
    provider.person("grace", email="Grace@Example.org", email_verified=True, name="Grace Hopper")
    first = await guest.enter("grace")
    assert (first["email"], first["name"], first["roles"]) == ("grace@example.org", "Grace Hopper", ["user"])
    assert first["email_verified"] is True
    provider.person("grace", email="grace@elsewhere.example", email_verified=True)
    async with Visitor() as other:
        second = await Guest(client(), other).enter("grace")
    assert second["id"] == first["id"]
    assert second["email"] == "grace@example.org"
    links = await guest("GET", "/api/v1/linked-sign-ins")
    assert [(link["provider"], link["email"]) for link in links.body["items"]] == [
        ("Team login", "grace@elsewhere.example")
    ]
    assert {"user.create", "sign_in.link", "session.create"} <= set(await actions(hub))


async def test_the_page_goes_on_to_where_somebody_wanted_to_go_and_never_to_another_site(
    guest: Guest, provider: RealProvider
) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    assert await guest.sign_in("grace", next="/admin/users?search=a#b") == "/admin/users?search=a#b"
    for bad in ("https://evil.example/", "//evil.example", "/\\evil.example", "/a\\b", "javascript:alert(1)"):
        assert await guest.sign_in("grace", next=bad) == "/"


async def test_what_the_browser_takes_along_proves_the_sign_in_and_hides_its_secrets(
    guest: Guest, hub: Runtime
) -> None:
    asked = parse_qs(urlsplit(await guest.depart()).query)
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    assert len(asked["state"][0]) >= 43
    assert len(asked["nonce"][0]) >= 43
    assert "prompt" not in asked
    async with hub.database.work(system("test")) as work:
        kept = (await work.session.execute(text("select * from federation_attempts"))).mappings().one()
    assert asked["state"][0].encode() not in {bytes(v) for v in kept.values() if isinstance(v, bytes)}
    assert asked["state"][0] not in map(str, kept.values())


async def test_an_answer_works_once(guest: Guest, provider: RealProvider, hub: Runtime) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    back = await guest.back_from(await guest.depart(), "grace")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(guest("GET", back)) for _ in range(6)]
    pages = sorted(task.result().headers["location"] for task in tasks)
    assert pages == ["/"] + ["/sign-in?problem=federation.attempt_invalid"] * 5
    assert (await actions(hub)).count("session.create") == 2  # the administrator's and this one


async def test_a_code_works_once_even_with_a_new_state(guest: Guest, provider: RealProvider) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    back = await guest.back_from(await guest.depart(), "grace")
    assert (await guest("GET", back)).headers["location"] == "/"
    code = parse_qs(urlsplit(back).query)["code"][0]
    state = parse_qs(urlsplit(await guest.depart()).query)["state"][0]
    again = f"{urlsplit(back).path}?code={code}&state={state}&iss={provider.issuer}"
    assert (await guest("GET", again)).headers["location"] == "/sign-in?problem=federation.attempt_invalid"


async def test_an_answer_that_was_begun_in_another_browser_signs_nobody_in(
    guest: Guest, provider: RealProvider, client: MakeClient
) -> None:
    """Login CSRF: somebody else's answer, opened here, must not make this browser theirs."""
    provider.person("mallory", email="mallory@example.org", email_verified=True)
    back = await guest.back_from(await guest.depart(), "mallory")
    async with Visitor() as unused:
        victim = Guest(client(), unused)
        for browser in (None, "x" * 43):
            victim.browser = browser
            answer = await victim("GET", back)
            assert answer.headers["location"] == "/sign-in?problem=federation.attempt_invalid"
            assert victim.client.cookie is None
    assert (await guest("GET", back)).headers["location"] == "/"  # and it was not used up by that


async def test_an_attempt_ends_after_ten_minutes(
    guest: Guest, provider: RealProvider, clock: FixedClock
) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    back = await guest.back_from(await guest.depart(), "grace")
    clock.at += timedelta(minutes=10, seconds=1)
    assert (await guest("GET", back)).headers["location"] == "/sign-in?problem=federation.attempt_invalid"


async def test_an_address_that_the_provider_does_not_vouch_for_opens_nothing(
    guest: Guest, provider: RealProvider, admin: Client
) -> None:
    provider.person("eve", email="ada@example.org", email_verified=False)
    assert await guest.sign_in("eve") == "/sign-in?problem=federation.email_unverified"
    provider.person("eve2", email="eve@example.org")
    assert await guest.sign_in("eve2") == "/sign-in?problem=federation.email_unverified"
    provider.person("eve3")
    assert await guest.sign_in("eve3") == "/sign-in?problem=federation.email_missing"
    await change(admin, trust_addresses=True)
    assert await guest.sign_in("eve") == "/sign-in?problem=federation.email_unverified"  # it says no
    assert await guest.sign_in("eve2") == "/"
    words = await guest("GET", "/api/v1/session/oidc/problem?code=federation.email_unverified")
    assert "vouch" in words.body["title"]
    assert words.body["remedy"]
    assert (await guest("GET", "/api/v1/session/oidc/problem?code=auth.required")).status == 404


async def test_accounts_are_made_only_where_that_is_wanted(
    guest: Guest, provider: RealProvider, admin: Client
) -> None:
    await change(admin, domains=["Example.ORG"])
    provider.person("grace", email="grace@elsewhere.example", email_verified=True)
    assert await guest.sign_in("grace") == "/sign-in?problem=federation.domain_refused"
    provider.person("sub", email="sub@sub.example.org", email_verified=True)
    assert await guest.sign_in("sub") == "/sign-in?problem=federation.domain_refused"
    await change(admin, create_accounts=False, domains=[])
    assert await guest.sign_in("grace") == "/sign-in?problem=federation.no_account"
    await change(admin, enabled=False)
    assert (await guest("POST", "/api/v1/session/oidc", {"provider": HANDLE})).code == (
        "federation.provider_unknown"
    )
    assert (await guest("GET", "/api/v1/session/oidc")).body["items"] == []


async def test_a_deactivated_account_stays_outside(
    guest: Guest, provider: RealProvider, admin: Client
) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    grace = await guest.enter("grace")
    assert (await admin("PATCH", f"/api/v1/users/{grace['id']}", {"active": False})).status == 200
    assert (await guest("GET", "/api/v1/session")).status == 401
    guest.client.cookie = guest.client.csrf = None
    assert await guest.sign_in("grace") == "/sign-in?problem=federation.account_inactive"


async def test_groups_follow_the_provider_and_what_was_given_by_hand_stays(
    guest: Guest, provider: RealProvider, admin: Client, hub: Runtime
) -> None:
    await change(
        admin,
        scopes=["email", "profile", "groups"],
        group_claim="groups",
        groups=[{"group": "staff", "roles": ["manager"]}, {"group": "ops", "roles": ["admin", "guest"]}],
    )
    claims = {"email": "grace@example.org", "email_verified": True}
    provider.person("grace", **claims, groups=["staff", "ops", "unknown"])
    grace = await guest.enter("grace")
    assert await roles_of(hub, "grace@example.org") == {"user", "manager", "admin", "guest"}

    provider.person("grace", **claims, groups=["staff"])
    await guest.enter("grace")
    assert await roles_of(hub, "grace@example.org") == {"user", "manager"}

    given = await admin("PATCH", f"/api/v1/users/{grace['id']}", {"roles": ["user", "manager", "guest"]})
    assert given.status == 200
    provider.person("grace", **claims, groups=["ops"])
    await guest.enter("grace")
    assert await roles_of(hub, "grace@example.org") == {"user", "admin", "guest"}
    provider.person("grace", **claims, groups=[])
    await guest.enter("grace")
    assert await roles_of(hub, "grace@example.org") == {"user", "guest"}  # guest was given by hand
    assert (await actions(hub)).count("user.roles_followed") == 4


async def test_the_last_super_admin_is_not_lost_to_a_change_at_the_provider(
    guest: Guest, provider: RealProvider, admin: Client, hub: Runtime
) -> None:
    await change(
        admin,
        scopes=["email", "groups"],
        group_claim="groups",
        groups=[{"group": "root", "roles": ["super_admin"]}],
    )
    claims = {"email": "grace@example.org", "email_verified": True}
    provider.person("grace", **claims, groups=["root"])
    await guest.enter("grace")
    async with hub.database.work(system("test")) as work:
        ada = await service.find_user_by_email(work, "ada@example.org")
        assert ada is not None
        await queries.take_roles(work, ada.id, ["super_admin"])
    provider.person("grace", **claims, groups=[])
    await guest.enter("grace")
    assert "super_admin" in await roles_of(hub, "grace@example.org")
    async with hub.database.work(system("test")) as work:
        await queries.give_roles(work, ada.id, ["super_admin"], None)
    await guest.enter("grace")
    assert await roles_of(hub, "grace@example.org") == {"user"}


async def test_two_at_once_make_one_account(
    guest: Guest, provider: RealProvider, client: MakeClient, hub: Runtime
) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    visitors = [Visitor() for _ in range(4)]
    guests = [Guest(client(), visitor) for visitor in visitors]
    backs = [await one.back_from(await one.depart(), "grace") for one in guests]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one("GET", back)) for one, back in zip(guests, backs, strict=True)]
    for visitor in visitors:
        await visitor.http.aclose()
    assert {task.result().headers["location"] for task in tasks} == {"/"}
    assert (await actions(hub)).count("sign_in.link") == 1


async def test_a_new_key_at_the_provider_is_found_at_once(guest: Guest, provider: RealProvider) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    await guest.enter("grace")
    provider.new_keys()
    await guest.enter("grace")


async def test_a_provider_that_is_down_says_so_and_nothing_else_breaks(
    client: MakeClient, admin: Client, visitor: Visitor
) -> None:
    with RealProvider() as gone:
        await set_up(admin, gone)
        guest = Guest(client(), visitor)
        back = await guest.back_from(await guest.depart(), "grace")
    assert (await guest("GET", back)).headers[
        "location"
    ] == "/sign-in?problem=federation.provider_unreachable"
    provider_id = (await admin("GET", "/api/v1/sign-in-providers")).body["items"][0]["id"]
    checked = await admin("POST", f"/api/v1/sign-in-providers/{provider_id}/check")
    assert (checked.status, checked.code) == (503, "federation.provider_unreachable")
    assert (await client().sign_in("ada@example.org")).status == 200


async def test_who_stops_at_the_provider_can_try_again(guest: Guest, provider: RealProvider) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    assert await guest.sign_in(None) == "/sign-in?problem=federation.denied"
    assert await guest.sign_in("grace") == "/"


async def test_the_provider_vouches_for_a_second_factor_only_when_it_says_so(
    guest: Guest, provider: RealProvider
) -> None:
    for amr, strong in ((("pwd",), False), (("pwd", "mfa"), True)):
        name = f"grace-{strong}"
        provider.person(name, amr=amr, email=f"{name.lower()}@example.org", email_verified=True)
        await guest.enter(name)
        devices = await guest("GET", "/api/v1/sessions")
        assert [d["second_factor"] for d in devices.body["items"] if d["current"]] == [strong]


async def test_a_session_of_this_morning_at_the_provider_is_no_fresh_proof(
    guest: Guest, provider: RealProvider, clock: FixedClock, hub: Runtime
) -> None:
    provider.person("grace", email="grace@example.org", email_verified=True)
    grace = await guest.enter("grace")
    clock.at += timedelta(seconds=50)
    guest.stays = True
    await guest.enter("grace")
    assert guest.asked is False  # the provider knew them
    async with hub.database.work(system("test")) as work:
        proved = await work.session.scalar(
            text("select max(proved_at) from sessions where owner_id = :id"), {"id": UUID(str(grace["id"]))}
        )
    assert proved < clock.now() - timedelta(seconds=20)


async def test_wishes_that_do_not_fit_are_refused(admin: Client, provider: RealProvider) -> None:
    good = {"handle": HANDLE, "issuer": provider.issuer, "client_id": "x", "allow_private": True}
    bad = {
        "handle": "Not A Handle",
        "issuer": "ftp://example.org",
        "scopes": ["two words"],
        "domains": ["no domain"],
        "groups": [{"group": "a", "roles": ["no-such-role"]}],
    }
    for name, value in bad.items():
        answer = await admin("POST", "/api/v1/sign-in-providers", good | {name: value})
        assert answer.status == 422, (name, answer.body)
    plain = await admin("POST", "/api/v1/sign-in-providers", good | {"allow_private": False})
    assert plain.status == 422
    for issuer in ("https://login.example.org/?a=b", "https://u:p@login.example.org", "https://x.example/#a"):
        assert (await admin("POST", "/api/v1/sign-in-providers", good | {"issuer": issuer})).status == 422
    made = await admin("POST", "/api/v1/sign-in-providers", good | {"client_secret": SECRET})
    assert made.status == 201
    assert SECRET not in str(made.body)
    assert (
        await admin("POST", "/api/v1/sign-in-providers", good | {"issuer": "https://a.example"})
    ).code == ("federation.handle_taken")
    assert (await admin("POST", "/api/v1/sign-in-providers", good | {"handle": "other"})).code == (
        "federation.handle_taken"
    )


async def test_nobody_sets_up_a_provider_that_gives_more_than_they_have(
    client: MakeClient, make_user: MakeUser, admin: Client, provider: RealProvider
) -> None:
    made = await set_up(admin, provider, groups=[{"group": "root", "roles": ["super_admin"]}])
    await make_user("bob", "admin")
    bob = client()
    await bob.sign_in("bob@example.org")
    path = f"/api/v1/sign-in-providers/{made['id']}"
    # Whoever says which claim holds the groups says who gets the role.
    for wish in ({"group_claim": "email"}, {"client_id": "mine"}, {"groups": []}):
        assert (await bob("PATCH", path, wish)).code == "roles.beyond_own"
    assert (await bob("DELETE", path)).code == "roles.beyond_own"
    wish = {"handle": "mine", "issuer": "https://b.example", "client_id": "x"}
    mapped = wish | {"groups": [{"group": "a", "roles": ["super_admin"]}]}
    assert (await bob("POST", "/api/v1/sign-in-providers", mapped)).code == "roles.beyond_own"
    assert (await bob("POST", "/api/v1/sign-in-providers", wish)).status == 201
    await make_user("carol")
    carol = client()
    await carol.sign_in("carol@example.org")
    assert (await carol("GET", "/api/v1/sign-in-providers")).code == "auth.forbidden"


async def test_a_forgotten_provider_takes_its_links_and_roles_along(
    guest: Guest, provider: RealProvider, admin: Client, hub: Runtime
) -> None:
    groups = [{"group": "staff", "roles": ["manager"]}]
    await change(admin, scopes=["email", "groups"], group_claim="groups", groups=groups)
    provider.person("grace", email="grace@example.org", email_verified=True, groups=["staff"])
    await guest.enter("grace")
    listed = (await admin("GET", "/api/v1/sign-in-providers")).body["items"]
    assert listed[0]["linked"] == 1
    assert (await admin("DELETE", f"/api/v1/sign-in-providers/{listed[0]['id']}")).status == 204
    assert await roles_of(hub, "grace@example.org") == {"user"}
    assert (await guest("GET", "/api/v1/linked-sign-ins")).body["items"] == []
    assert PASSWORD not in str(await actions(hub))


async def test_the_environment_sets_up_one_provider_and_wins_over_what_is_stored(
    hub: Runtime, admin: Client, provider: RealProvider
) -> None:
    async def start(**environment: str) -> None:
        settings = IdentitySettings(**environment)
        async with hub.database.work(system("test")) as work:
            await seed_provider(work, hub.get(Crypto), settings)

    async def stored() -> list[dict[str, object]]:
        return list((await admin("GET", "/api/v1/sign-in-providers")).body["items"])

    await start()
    assert await stored() == []
    with pytest.raises(SettingsError):
        await start(oidc_issuer=provider.issuer)
    with pytest.raises(SettingsError):
        await start(oidc_issuer="login.example.org", oidc_client_id="x")
    for _ in range(2):
        await start(oidc_issuer=provider.issuer, oidc_client_id="first", oidc_client_secret=SECRET)
    (made,) = await stored()
    assert (made["handle"], made["client_id"], made["has_secret"]) == ("sso", "first", True)
    path = f"/api/v1/sign-in-providers/{made['id']}"
    assert (await admin("PATCH", path, {"name": "Ours", "client_id": "typed"})).status == 200
    await start(oidc_issuer=provider.issuer, oidc_client_id="second")
    (changed,) = await stored()
    assert (changed["name"], changed["client_id"], changed["has_secret"]) == ("Ours", "second", False)
    assert (await actions(hub)).count("identity_provider.create") == 1
