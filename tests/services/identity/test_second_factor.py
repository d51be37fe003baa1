"""Authenticator apps, recovery codes, and roles that need a second factor."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx2
import pyotp
import pytest
from sqlalchemy import text
from tests.services.conftest import MODULES, PASSWORD, Answer, Client, MakeClient, MakeUser, served
from tests.support.authenticator import Authenticator
from tests.support.runtime import open_runtime, settings_for

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.domain import TOTP_PERIOD, recovery_code, totp_code


@pytest.mark.parametrize(
    ("at", "digits"),
    [(59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")],
)
def test_codes_are_those_of_rfc_6238(at: int, digits: str) -> None:
    """Its appendix B has eight digits; six are their last six."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert pyotp.TOTP(secret, digits=8, interval=TOTP_PERIOD).at(at) == digits
    assert pyotp.TOTP(secret, interval=TOTP_PERIOD).at(at) == digits[2:]


def test_codes_are_read_as_people_type_them() -> None:
    assert totp_code(" 123 456 ") == "123456"
    assert totp_code("12345") is None
    assert totp_code("١٢٣٤٥٦") is None
    assert recovery_code("ABCD-efgh ijkl-mnop") == "abcdefghijklmnop"
    assert recovery_code("abcd-efgh-ijkl-mno1") is None


async def _enrol(browser: Client, clock: FixedClock) -> tuple[pyotp.TOTP, list[str]]:
    begun = await browser("POST", "/api/v1/second-factor/totp")
    assert begun.status == 200, begun.body
    totp = pyotp.TOTP(begun.body["secret"])
    confirmed = await browser("POST", "/api/v1/second-factor/totp/confirm", {"code": totp.at(clock.now())})
    assert confirmed.status == 200, confirmed.body
    return totp, confirmed.body["recovery_codes"]


async def _enter(browser: Client, code: str | None) -> Answer:
    body = {"email": "ada@example.org", "password": PASSWORD} | ({} if code is None else {"code": code})
    answer = await browser("POST", "/api/v1/session", body)
    if answer.status == 200:
        browser.remember(answer)
    return answer


async def test_signing_in_takes_a_password_and_then_a_code(
    hub: Runtime, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    user = await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    begun = await browser("POST", "/api/v1/second-factor/totp")
    assert begun.body["uri"].startswith("otpauth://totp/Smart%20AI%20Hub:ada%40example.org?")
    assert begun.body["picture"].startswith("M4 4h7v1h-7z")
    assert begun.body["size"] > 30
    # Begun is not yet had.
    assert (await _enter(client(), None)).status == 200
    wrong = await browser("POST", "/api/v1/second-factor/totp/confirm", {"code": "000000"})
    assert (wrong.status, wrong.code) == (422, "auth.wrong_code")

    totp, codes = await _enrol(browser, clock)
    assert len(set(codes)) == 10
    state = (await browser("GET", "/api/v1/second-factor")).body
    assert (state["recovery_codes_left"], state["required"]) == (10, False)
    assert state["totp_since"] is not None

    needed = await _enter(client(), None)
    assert (needed.status, needed.code) == (401, "auth.code_needed")
    assert "set-cookie" not in needed.headers
    clock.at += timedelta(seconds=30)
    assert (await _enter(client(), totp.at(clock.now()))).status == 200
    async with hub.database.work(system("test")) as work:
        row = (await work.session.execute(text("select secret, pending from totp_secrets"))).one()
        by = await work.session.scalars(
            text("select details::jsonb->>'by' from audit_log where action = 'session.create' order by seq")
        )
        assert list(by)[-1] == "password and totp code"
    assert totp.secret.encode() not in bytes(row.secret)
    assert row.pending is None
    assert user.email == "ada@example.org"


async def test_a_code_works_once_and_only_near_its_time(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    totp, _ = await _enrol(browser, clock)
    # The code that confirmed it is used up.
    again = await _enter(client(), totp.at(clock.now()))
    assert (again.status, again.code) == (401, "auth.code_wrong")
    clock.at += timedelta(minutes=2)
    for steps in (-2, 2):
        assert (await _enter(client(), totp.at(clock.now(), counter_offset=steps))).status == 401, steps
    assert (await _enter(client(), totp.at(clock.now(), counter_offset=-1))).status == 200
    assert (await _enter(client(), totp.at(clock.now(), counter_offset=1))).status == 200
    # One that is older than the last one used does not work either.
    assert (await _enter(client(), totp.at(clock.now()))).status == 401


async def test_wrong_codes_are_counted_like_wrong_passwords(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    totp, _ = await _enrol(browser, clock)
    clock.at += timedelta(minutes=1)
    for number in range(5):
        # A right password on the way, without its code, forgives nothing.
        assert (await _enter(client(), None)).code == "auth.code_needed"
        assert (await _enter(client(), f"00000{number}")).code == "auth.code_wrong"
    stopped = await _enter(client(), totp.at(clock.now()))
    assert (stopped.status, stopped.code) == (429, "auth.too_many_attempts")


async def test_a_recovery_code_opens_once_also_for_two_at_the_same_time(
    hub: Runtime, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    _, codes = await _enrol(browser, clock)
    answers = await asyncio.gather(*(_enter(client(), codes[0].upper()) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    assert (await browser("GET", "/api/v1/second-factor")).body["recovery_codes_left"] == 9
    async with hub.database.work(system("test")) as work:
        used = await work.session.scalar(
            text("select count(*) from audit_log where action = 'recovery_code.use'")
        )
    assert used == 1


async def test_one_code_of_the_app_opens_once_for_two_at_the_same_time(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    totp, _ = await _enrol(browser, clock)
    clock.at += timedelta(minutes=1)
    code = totp.at(clock.now())
    answers = await asyncio.gather(*(_enter(client(), code) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401]


async def test_new_recovery_codes_replace_the_old_ones(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    refused = await browser("POST", "/api/v1/second-factor/recovery-codes")
    assert (refused.status, refused.code) == (409, "auth.no_second_factor")
    _, old = await _enrol(browser, clock)
    new = (await browser("POST", "/api/v1/second-factor/recovery-codes")).body["recovery_codes"]
    assert not set(old) & set(new)
    assert (await _enter(client(), old[0])).status == 401
    assert (await _enter(client(), new[0])).status == 200


async def test_another_phone_replaces_the_first_only_once_it_is_confirmed(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    old, _ = await _enrol(browser, clock)
    await browser("POST", "/api/v1/second-factor/totp")
    clock.at += timedelta(minutes=1)
    assert (await _enter(client(), old.at(clock.now()))).status == 200
    new, _ = await _enrol(browser, clock)
    clock.at += timedelta(minutes=1)
    assert (await _enter(client(), old.at(clock.now()))).status == 401
    assert (await _enter(client(), new.at(clock.now()))).status == 200


async def test_without_the_app_the_password_is_enough_again(
    client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    await _enrol(browser, clock)
    for _ in range(2):
        assert (await browser("DELETE", "/api/v1/second-factor/totp")).status == 204
    state = (await browser("GET", "/api/v1/second-factor")).body
    assert (state["totp_since"], state["recovery_codes_left"]) == (None, 0)
    assert (await _enter(client(), None)).status == 200


async def test_a_code_is_a_fresh_proof(client: MakeClient, make_user: MakeUser, clock: FixedClock) -> None:
    await make_user("ada")
    browser = client()
    await browser.sign_in("ada@example.org")
    totp, _ = await _enrol(browser, clock)
    clock.at += timedelta(minutes=11)
    assert (await browser("POST", "/api/v1/keys", {"name": "k"})).code == "auth.fresh_proof_needed"
    assert (await browser("POST", "/api/v1/session/proof", {"code": totp.at(clock.now())})).status == 204
    assert (await browser("POST", "/api/v1/keys", {"name": "k"})).status == 201


async def test_an_administrator_resets_what_somebody_lost(
    hub: Runtime, client: MakeClient, make_user: MakeUser, clock: FixedClock
) -> None:
    root = await make_user("root", "super_admin")
    await make_user("admin", "admin")
    ada = await make_user("ada")
    admin, browser = client(), client()
    await admin.sign_in("admin@example.org")
    await browser.sign_in("ada@example.org")
    await _enrol(browser, clock)
    assert (await browser("DELETE", f"/api/v1/users/{root.id}/second-factor")).status == 403
    refused = await admin("DELETE", f"/api/v1/users/{root.id}/second-factor")
    assert (refused.status, refused.code) == (403, "roles.beyond_own")
    assert (await admin("DELETE", f"/api/v1/users/{ada.id}/second-factor")).status == 204
    assert (await _enter(client(), None)).status == 200
    async with hub.database.work(system("test")) as work:
        reset = await work.session.scalar(
            text("select count(*) from audit_log where action = 'second_factor.reset' and target_id = :id"),
            {"id": str(ada.id)},
        )
    assert reset == 1


async def test_a_role_that_needs_a_second_factor_does_nothing_without_one(
    hub: Runtime, dsn: str, home: Path, make_user: MakeUser, clock: FixedClock
) -> None:
    await make_user("ada", "manager")
    await make_user("bob")
    generous = "edge.auth=1000/1s burst 1000,edge.api=1000/1s burst 1000"
    settings = settings_for(home, MODULES, AIHUB_LIMITS=generous, AIHUB_SECOND_FACTOR_ROLES="manager, admin")
    async with (
        open_runtime(dsn, settings, MODULES, clock=clock) as strict,
        served(strict) as url,
        httpx2.AsyncClient(base_url=url, timeout=60) as http,
    ):
        bob, ada = Client(http), Client(http)
        assert (await bob.sign_in("bob@example.org")).body["second_factor_needed"] is None
        host = f"localhost:{http.base_url.port}"
        ada.headers |= {"Host": host, "Origin": f"http://{host}"}
        assert (await ada.sign_in("ada@example.org")).body["second_factor_needed"] == "enrol"
        assert (await ada("GET", "/api/v1/session")).body["second_factor_needed"] == "enrol"
        for call in (
            ("GET", "/api/v1/users", None),
            ("GET", "/api/v1/sessions", None),
            ("PATCH", "/api/v1/me", {"name": "x"}),
            ("POST", "/api/v1/keys", {"name": "x"}),
            ("POST", "/api/v1/me/password", {"current_password": PASSWORD, "new_password": "y"}),
        ):
            answer = await ada(*call)
            assert (answer.status, answer.code) == (403, "auth.second_factor_needed"), call
        _, codes = await _enrol(ada, clock)
        assert (await ada("GET", "/api/v1/users")).status == 200
        assert (await ada("GET", "/api/v1/session")).body["second_factor_needed"] is None
        last = await ada("DELETE", "/api/v1/second-factor/totp")
        assert (last.status, last.code) == (409, "auth.last_second_factor")

        # With a passkey instead of the app, the password alone neither goes on nor adds a factor.
        device = Authenticator(ada.headers["Origin"], "localhost")
        asked = (await ada("POST", "/api/v1/passkey-options")).body
        body = {"challenge_id": asked["challenge_id"], "credential": device.create(asked["options"])}
        added = await ada("POST", "/api/v1/passkeys", body | {"name": "Laptop"})
        assert added.status == 201
        assert (await ada("DELETE", "/api/v1/second-factor/totp")).status == 204
        assert (await ada("DELETE", f"/api/v1/passkeys/{added.body['id']}")).code == "auth.last_second_factor"
        assert (await ada.sign_in("ada@example.org")).body["second_factor_needed"] == "prove"
        for path in ("/api/v1/second-factor/totp", "/api/v1/passkey-options"):
            assert (await ada("POST", path)).code == "auth.second_factor_needed"
        asked = (await ada("POST", "/api/v1/session/proof/options")).body
        proof = {"challenge_id": asked["challenge_id"], "credential": device.get(asked["options"])}
        assert (await ada("POST", "/api/v1/session/proof", {"passkey": proof})).status == 204
        assert (await ada("GET", "/api/v1/users")).status == 200
        assert len(codes) == 10
