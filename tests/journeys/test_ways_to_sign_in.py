"""Somebody's ways to sign in, in a real browser with a passkey device of its own.

Passkey → sign in with it → authenticator app → password and code → the phone is gone, a recovery code →
a fresh proof before a key is made → another browser is signed out from here.
"""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.support.browser import Fingerprint
from tests.support.hub import Hub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        yield hub


def _address(hub: Hub) -> str:
    """By name: browsers bind passkeys to names only."""
    return f"http://localhost:{hub.port}"


def _inside(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Main")


def _sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def _password(page: Page) -> None:
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _held(page: Page, address: str) -> Callable[[], None]:
    """The next request to `address` waits until this is called."""
    waiting: list[Route] = []
    page.route(address, lambda route: waiting.append(route), times=1)  # noqa: PLW0108 - no builtin takes

    def let_go() -> None:
        while not waiting:
            page.wait_for_timeout(20)
        waiting[0].continue_()

    return let_go


def _age_proofs(hub: Hub) -> None:
    """Everybody's last proof was eleven minutes ago."""
    hub.sql("update sessions set proved_at = proved_at - %s", timedelta(minutes=11))


def test_from_the_first_passkey_to_the_last_session(hub: Hub, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    finger = Fingerprint(context)
    page = finger.page
    security = f"{_address(hub)}/account/security"

    page.goto(f"{_address(hub)}/setup#token={hub.setup_token()}")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    expect(_inside(page)).to_be_visible()

    # A passkey, and in with it: nothing typed.
    page.goto(security)
    page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog", name="Add a passkey")
    dialog.get_by_label("Name").fill("Laptop")
    with finger.touched():
        dialog.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("table", name="Passkeys").get_by_text("Laptop")).to_be_visible()
    page.evaluate("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    _sign_out(page)
    with finger.touched():
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(_inside(page)).to_be_visible()

    # Nor clicked: the browser lists passkeys at the field for the address, and takes the one that is touched.
    # While somebody is on their way in, the button is no second way.
    _sign_out(page)
    page.goto("about:blank")
    on_the_way = _held(page, "**/api/v1/session/passkey")
    with finger.touched():
        page.goto(f"{_address(hub)}/sign-in?next=/account/profile")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_disabled()
        on_the_way()
        expect(page.get_by_role("heading", name="Profile")).to_be_visible()

    # An authenticator app, from its picture to the recovery codes.
    page.goto(security)
    page.get_by_role("button", name="Set up an app").click()
    dialog = page.get_by_role("dialog", name="Set up an app")
    expect(dialog.get_by_role("img", name="Picture for the authenticator app")).to_be_visible()
    app = pyotp.TOTP(dialog.get_by_label("Or type this into the app").input_value())
    dialog.get_by_label("The code that the app shows now").fill(app.now())
    dialog.get_by_role("button", name="Confirm").click()
    listed = dialog.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(listed).to_have_count(10)
    recovery = listed.all_inner_texts()
    dialog.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("10 codes left")).to_be_visible()

    # Password, then code. The one just used does not work again; the next one does.
    _sign_out(page)
    _password(page)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    _code(page, "000000")
    expect(page.get_by_text("This code is wrong or has been used")).to_be_visible()
    _code(page, app.at(int(time.time()), counter_offset=1))
    expect(_inside(page)).to_be_visible()

    # The phone is gone: a recovery code lets in, and the app is taken off.
    _sign_out(page)
    _password(page)
    _code(page, recovery[3])
    expect(_inside(page)).to_be_visible()
    page.goto(security)
    expect(page.get_by_text("9 codes left")).to_be_visible()

    # Eleven minutes later a key needs a fresh proof; given, the key is made without another click.
    _age_proofs(hub)
    page.goto(f"{_address(hub)}/account/keys")
    page.get_by_role("button", name="Create key").first.click()
    page.get_by_label("Name").fill("Notebook")
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    proof = page.get_by_role("dialog", name="Is it still you?")
    proof.get_by_label("Your password").fill("not my password")
    proof.get_by_role("button", name="Go on").click()
    expect(proof.get_by_text("The current password is wrong")).to_be_visible()
    with finger.touched():
        proof.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_label("Key", exact=True)).to_have_value(re.compile("^ahk_"))
    page.goto(security)
    page.get_by_role("button", name="Remove the app").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Not set up")).to_be_visible()

    # Another browser, seen and signed out from here.
    elsewhere = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB").new_page()
    elsewhere.goto(f"{_address(hub)}/sign-in")
    _password(elsewhere)
    expect(elsewhere.get_by_role("textbox", name="Message")).to_be_visible()
    page.reload()
    table = page.get_by_role("table", name="Where you are signed in")
    expect(table.get_by_role("row")).to_have_count(3)
    expect(table.get_by_text("Chrome on Linux")).to_have_count(2)
    table.get_by_role("button", name=re.compile("^Sign out")).click()
    expect(table.get_by_role("row")).to_have_count(2)
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()

    # By numbers there are no passkeys, and the page says where there are.
    numbers = browser.new_context(locale="en-GB").new_page()
    numbers.goto(f"{hub.url}/sign-in")
    expect(numbers.get_by_role("link", name=f"Open {_address(hub)}")).to_be_visible()
    expect(numbers.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)


def test_a_role_that_needs_a_second_factor_adds_one_first(browser: Browser) -> None:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_SECOND_FACTOR_ROLES="super_admin") as strict:
        finger = Fingerprint(browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB"))
        page = finger.page
        page.goto(f"{_address(strict)}/setup#token={strict.setup_token()}")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Name").fill("Ada")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create administrator").click()
        expect(page.get_by_role("heading", name="Add a second factor")).to_be_visible()
        page.goto(f"{_address(strict)}/account/profile")
        expect(page.get_by_role("heading", name="Add a second factor")).to_be_visible()
        with finger.touched():
            page.get_by_role("button", name="Add a passkey").click()
            expect(page.get_by_role("heading", name="Profile")).to_be_visible()

        # With the password alone the passkey has to be shown before anything else.
        page.context.clear_cookies()
        page.goto(f"{_address(strict)}/sign-in")
        _password(page)
        expect(page.get_by_role("heading", name="Show your second factor")).to_be_visible()
        with finger.touched():
            page.get_by_role("button", name="Use a passkey").click()
            expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def test_a_list_of_passkeys_is_renewed_before_the_hub_forgets_it(hub: Hub, browser: Browser) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    page.clock.install()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def times() -> int:
        return sum(url.endswith("/session/passkey/options") for url in asked)

    with page.expect_request("**/session/passkey/options"):
        page.goto(f"{_address(hub)}/sign-in")
    expect(page.get_by_label("E-mail")).to_have_attribute("autocomplete", "username webauthn")
    page.wait_for_load_state("networkidle")
    assert times() == 1
    with page.expect_request("**/session/passkey/options"):
        page.clock.fast_forward("04:30")
    # Whoever goes on by password is asked for no passkey any more.
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("is wrong")
