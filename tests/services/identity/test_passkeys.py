"""Passkeys: making them, signing in with them, and everything that must not work."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text
from tests.services.conftest import Answer, Client, MakeClient, MakeUser, cookie_of
from tests.support.authenticator import Authenticator

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import PasskeyAddress
from aihub.services.identity.service.passkeys import place_of


def _by_name(browser: Client) -> Client:
    """The browser at http://localhost, where passkeys work."""
    host = f"localhost:{browser.http.base_url.port}"
    browser.headers |= {"Host": host, "Origin": f"http://{host}"}
    return browser


def _device(browser: Client, **how: Any) -> Authenticator:
    return Authenticator(browser.headers["Origin"], "localhost", **how)


async def _add(browser: Client, device: Authenticator, name: str = "Laptop") -> Answer:
    asked = await browser("POST", "/api/v1/passkey-options")
    assert asked.status == 200, asked.body
    body = {"challenge_id": asked.body["challenge_id"], "credential": device.create(asked.body["options"])}
    return await browser("POST", "/api/v1/passkeys", body | {"name": name})


async def _enter(browser: Client, device: Authenticator) -> Answer:
    asked = await browser("POST", "/api/v1/session/passkey/options")
    assert asked.status == 200, asked.body
    body = {"challenge_id": asked.body["challenge_id"], "credential": device.get(asked.body["options"])}
    return await browser("POST", "/api/v1/session/passkey", body)


async def test_a_passkey_signs_in_without_an_address_typed(
    hub: Runtime, client: MakeClient, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    asked = await browser("POST", "/api/v1/passkey-options")
    options = asked.body["options"]
    assert options["rp"] == {"id": "localhost", "name": "Smart AI Hub"}
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    device = _device(browser)
    made = await _add(browser, device)
    assert made.status == 201, made.body
    assert (made.body["name"], made.body["host"], made.body["last_used_at"]) == ("Laptop", "localhost", None)

    stranger = _by_name(client())
    entered = await _enter(stranger, device)
    assert entered.status == 200, entered.body
    assert entered.body["user"]["id"] == str(user.id)
    stranger.remember(entered)
    assert (await stranger("GET", "/api/v1/session")).status == 200
    items = (await stranger("GET", "/api/v1/passkeys")).body["items"]
    assert items[0]["last_used_at"] is not None
    current = [d for d in (await stranger("GET", "/api/v1/sessions")).body["items"] if d["current"]]
    assert current[0]["second_factor"] is True
    actions = await _audited(hub)
    assert "passkey.add" in actions
    assert cookie_of(entered).startswith("ahs_")


async def test_several_passkeys_are_named_renamed_and_removed(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    await make_user("bob")
    browser, other = _by_name(client()), _by_name(client())
    await browser.sign_in("ada@example.org")
    await other.sign_in("bob@example.org")
    laptop, phone = _device(browser), _device(browser)
    first = (await _add(browser, laptop)).body["id"]
    await _add(browser, phone, "Phone")
    items = (await browser("GET", "/api/v1/passkeys")).body["items"]
    assert [item["name"] for item in items] == ["Phone", "Laptop"]
    renamed = await browser("PATCH", f"/api/v1/passkeys/{first}", {"name": "Work laptop"})
    assert renamed.body["name"] == "Work laptop"
    for call in (("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (await other(call[0], f"/api/v1/passkeys/{first}", call[1])).status == 404
    assert (await other("GET", "/api/v1/passkeys")).body["items"] == []
    assert (await browser("DELETE", f"/api/v1/passkeys/{first}")).status == 204
    refused = await _enter(_by_name(client()), laptop)
    assert (refused.status, refused.code) == (401, "auth.passkey_refused")
    assert (await _enter(_by_name(client()), phone)).status == 200


Bend = Callable[[Authenticator], None]


@pytest.mark.parametrize(
    "bend",
    [
        lambda device: setattr(device, "origin", "http://evil.example"),
        lambda device: setattr(device, "rp_id", "evil.example"),
        lambda device: setattr(device, "verifies", False),
        lambda device: setattr(device, "key", ec.generate_private_key(ec.SECP256R1())),
        lambda device: setattr(device, "credential_id", b"somebody else's"),
    ],
    ids=["origin", "host", "person not verified", "signature", "unknown credential"],
)
async def test_an_answer_that_does_not_fit_signs_nobody_in(
    client: MakeClient, make_user: MakeUser, bend: Bend
) -> None:
    await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    assert (await _add(browser, device)).status == 201
    bend(device)
    answer = await _enter(_by_name(client()), device)
    assert (answer.status, answer.code) == (401, "auth.passkey_refused")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "bend",
    [
        lambda device: setattr(device, "origin", "http://evil.example"),
        lambda device: setattr(device, "rp_id", "evil.example"),
        lambda device: setattr(device, "verifies", False),
    ],
    ids=["origin", "host", "person not verified"],
)
async def test_a_passkey_that_does_not_fit_is_not_kept(
    client: MakeClient, make_user: MakeUser, bend: Bend
) -> None:
    await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    bend(device)
    answer = await _add(browser, device)
    assert (answer.status, answer.code) == (422, "auth.passkey_not_added")
    assert (await browser("GET", "/api/v1/passkeys")).body["items"] == []


async def test_a_challenge_is_answered_once_also_by_two_at_the_same_time(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser, counts=False)
    await _add(browser, device)
    stranger = _by_name(client())
    asked = (await stranger("POST", "/api/v1/session/passkey/options")).body
    body = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["options"])}
    answers = await asyncio.gather(*(stranger("POST", "/api/v1/session/passkey", body) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    assert (await stranger("POST", "/api/v1/session/passkey", body)).status == 401


async def test_a_challenge_serves_its_own_purpose_for_five_minutes(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    await make_user("bob")
    browser, other = _by_name(client()), _by_name(client())
    await browser.sign_in("ada@example.org")
    await other.sign_in("bob@example.org")
    device = _device(browser)
    await _add(browser, device)

    def answered(asked: Answer) -> dict[str, Any]:
        options = asked.body["options"]
        return {"challenge_id": asked.body["challenge_id"], "credential": device.get(options)}

    proof = answered(await browser("POST", "/api/v1/session/proof/options"))
    assert (await _by_name(client())("POST", "/api/v1/session/passkey", proof)).status == 401
    assert (await other("POST", "/api/v1/session/proof", {"passkey": proof})).status == 401
    assert (await browser("POST", "/api/v1/session/proof", {"passkey": proof})).status == 204

    late = answered(await browser("POST", "/api/v1/session/passkey/options"))
    clock.at += timedelta(minutes=5)
    assert (await _by_name(client())("POST", "/api/v1/session/passkey", late)).status == 401
    # Another person's passkey is no proof, even at one's own challenge.
    foreign = answered(await other("POST", "/api/v1/session/proof/options"))
    assert (await other("POST", "/api/v1/session/proof", {"passkey": foreign})).status == 401


async def test_a_passkey_is_a_fresh_proof(client: MakeClient, make_user: MakeUser, clock: FixedClock) -> None:
    await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    await _add(browser, device)
    clock.at += timedelta(minutes=11)
    assert (await browser("POST", "/api/v1/keys", {"name": "k"})).code == "auth.fresh_proof_needed"
    asked = (await browser("POST", "/api/v1/session/proof/options")).body
    assert [each["id"] for each in asked["options"]["allowCredentials"]]
    proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["options"])}
    assert (await browser("POST", "/api/v1/session/proof", {"passkey": proof})).status == 204
    assert (await browser("POST", "/api/v1/keys", {"name": "k"})).status == 201


async def test_a_counter_that_goes_back_is_refused_and_reported(
    hub: Runtime, client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    await _add(browser, device)
    copy = replace(device)
    for _ in range(2):
        assert (await _enter(_by_name(client()), device)).status == 200
    answer = await _enter(_by_name(client()), copy)
    assert (answer.status, answer.code) == (401, "auth.passkey_refused")
    assert "passkey.counter_regression" in await _audited(hub)


async def test_an_inactive_account_has_no_way_in(
    hub: Runtime, client: MakeClient, make_user: MakeUser
) -> None:
    user = await make_user("ada")
    browser = _by_name(client())
    await browser.sign_in("ada@example.org")
    device = _device(browser)
    await _add(browser, device)
    async with hub.database.work(system("test")) as work:
        await work.session.execute(text("update users set active = false where id = :id"), {"id": user.id})
    assert (await _enter(_by_name(client()), device)).status == 401


async def test_an_address_of_numbers_says_why_passkeys_do_not_work(
    client: MakeClient, make_user: MakeUser
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    answer = await browser("POST", "/api/v1/passkey-options")
    assert (answer.status, answer.code) == (409, "auth.passkey_address")
    assert "http://localhost" in answer.body["remedy"]
    assert (await client()("POST", "/api/v1/session/passkey/options")).code == "auth.passkey_address"


@pytest.mark.parametrize(
    ("origin", "host", "public", "rp_id"),
    [
        ("http://localhost:8000", "localhost:8000", None, "localhost"),
        ("https://hub.example.org", "hub.example.org", None, "hub.example.org"),
        ("https://hub.example.org", "10.0.0.7:8000", "https://hub.example.org/", "hub.example.org"),
        ("http://localhost:8000", "localhost:8000", "https://hub.example.org", "localhost"),
        ("https://evil.example", "evil.example", "https://hub.example.org", None),
        ("https://evil.example", "hub.example.org", None, None),
        ("http://hub.lan:8000", "hub.lan:8000", None, None),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", None, None),
        ("http://[::1]:8000", "[::1]:8000", None, None),
        ("null", "localhost:8000", None, None),
    ],
)
def test_passkeys_belong_to_the_hubs_own_name(
    origin: str, host: str, public: str | None, rp_id: str | None
) -> None:
    if rp_id is None:
        with pytest.raises(PasskeyAddress):
            place_of(origin, host, public)
    else:
        assert place_of(origin, host, public).rp_id == rp_id


@pytest.mark.parametrize(
    "credential", [{}, {"rawId": "%%"}, {"rawId": ["x"]}, {"rawId": "AAAA", "response": 3}]
)
async def test_nonsense_is_refused_not_a_failure(client: MakeClient, credential: dict[str, Any]) -> None:
    browser = _by_name(client())
    asked = (await browser("POST", "/api/v1/session/passkey/options")).body
    body = {"challenge_id": asked["challenge_id"], "credential": credential}
    assert (await browser("POST", "/api/v1/session/passkey", body)).status == 401


async def _audited(hub: Runtime) -> set[str]:
    async with hub.database.work(system("test")) as work:
        return set(await work.session.scalars(text("select action from audit_log")))
