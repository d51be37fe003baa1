"""Single sign-on in a real browser, with a real provider at another site.

An administrator sets the provider up → somebody new signs in with its button → somebody with an account
links it, after proof of both sides → a step that needs a fresh proof is answered at the provider.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import PATIENCE
from tests.support.hub import Hub, running_hub
from tests.support.oidc import CLIENT_ID, SECRET, RealProvider
from tests.support.pages import keep_picture, lasting_faults, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PASSWORD = "correct horse battery"
BUTTON = "Sign in with Team login"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        hub.person(hub.set_up("ada@example.org", PASSWORD), "bob@example.org", PASSWORD)
        yield hub


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with RealProvider() as running:
        running.person("grace", email="grace@example.org", email_verified=True, name="Grace Hopper")
        running.person("bob-there", email="bob@example.org", email_verified=True)
        running.person("eve", email="eve@example.org", email_verified=False)
        yield running


def _page(browser: Browser, width: int = 1280, scheme: str = "light") -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        locale="en-GB",
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    return context.new_page()


def _address(hub: Hub) -> str:
    """By name, so that the provider at 127.0.0.1 is another site."""
    return f"http://localhost:{hub.port}"


def _sound(page: Page, name: str) -> None:
    settled(page)
    faults = lasting_faults(page)
    keep_picture(page, name)
    assert faults == []


def _local(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _at_provider(page: Page, login: str) -> None:
    expect(page.get_by_role("heading", name="Test provider")).to_be_visible()
    page.get_by_label("Name").fill(login)
    page.get_by_role("button", name="Enter").click()


def _inside(page: Page) -> None:
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def _age_proofs(hub: Hub) -> None:
    hub.sql("update sessions set proved_at = proved_at - %s", timedelta(minutes=11))


def _set_up(page: Page, hub: Hub, provider: RealProvider) -> None:
    page.goto(f"{_address(hub)}/admin/sign-in")
    _local(page, "ada@example.org")
    expect(page.get_by_text("No provider yet")).to_be_visible()
    _sound(page, "sso-empty")
    page.get_by_role("button", name="Add a provider").first.click()
    dialog = page.get_by_role("dialog", name="Add a provider")
    dialog.get_by_label("Name", exact=True).fill("Team login")
    dialog.get_by_label("Short name").fill("team")
    redirect = dialog.get_by_role("textbox", name="Address to come back to").input_value()
    provider.client(redirect)
    dialog.get_by_label("Issuer").fill(provider.issuer)
    dialog.get_by_label("Client id").fill(CLIENT_ID)
    dialog.get_by_label("Client secret").fill(SECRET)
    dialog.get_by_label("Make an account for whoever is new").check()
    dialog.get_by_role("button", name="Add a provider").click()
    expect(dialog.get_by_text("an http address can only be used").first).to_be_visible()
    dialog.get_by_label("Allow private and http addresses").check()
    dialog.get_by_label("Claim with the groups").fill("groups")
    dialog.get_by_role("button", name="Add a group").click()
    dialog.get_by_label("Group", exact=True).fill("staff")
    dialog.locator(".mantine-MultiSelect-input").click()
    page.get_by_role("option", name="Manager").click()
    dialog.get_by_label("Group", exact=True).click()  # closes the list
    _sound(page, "sso-dialog")
    dialog.get_by_role("button", name="Add a provider").click()
    expect(page.get_by_role("table").get_by_text("Team login")).to_be_visible()
    page.get_by_role("button", name="Actions: Team login").click()
    page.get_by_role("menuitem", name="Check now").click()
    expect(page.get_by_text("Team login answers and signs with 1 key")).to_be_visible()
    _sound(page, "sso-list")


def test_from_the_first_provider_to_a_linked_account(
    hub: Hub, browser: Browser, provider: RealProvider
) -> None:
    _set_up(_page(browser), hub, provider)
    _somebody_new(hub, browser)
    _somebody_unverified(hub, browser)
    _somebody_known(hub, browser)


def _somebody_new(hub: Hub, browser: Browser) -> None:
    # Somebody new, on a phone: one button, the provider, and in.
    phone = _page(browser, 390, "dark")
    phone.goto(f"{_address(hub)}/sign-in")
    expect(phone.get_by_role("button", name=BUTTON)).to_be_visible()
    _sound(phone, "sso-button")
    phone.get_by_role("button", name=BUTTON).click()
    _at_provider(phone, "grace")
    _inside(phone)

    # Eleven minutes later a step needs a fresh proof; she has no password, and gives it at the provider.
    _age_proofs(hub)
    phone.goto(f"{_address(hub)}/account/security")
    expect(phone.get_by_role("table", name="Linked sign-ins")).to_contain_text("grace@example.org")
    _sound(phone, "sso-links")
    phone.get_by_role("button", name="Set up an app").click()
    proof = phone.get_by_role("dialog", name="Is it still you?")
    expect(proof.get_by_role("button", name="Use Team login")).to_be_visible()
    expect(proof.get_by_label("Your password")).to_have_count(0)
    with phone.expect_popup() as opened:
        proof.get_by_role("button", name="Use Team login").click()
    _at_provider(opened.value, "grace")
    expect(phone.get_by_role("img", name="Picture for the authenticator app")).to_be_visible()
    phone.keyboard.press("Escape")


def _somebody_unverified(hub: Hub, browser: Browser) -> None:
    # An address that the provider does not vouch for: said on the sign-in page, with what to do.
    other = _page(browser)
    other.goto(f"{_address(hub)}/sign-in")
    other.get_by_role("button", name=BUTTON).click()
    _at_provider(other, "eve")
    expect(other.get_by_role("alert")).to_contain_text("does not vouch for your e-mail address")
    _sound(other, "sso-refused")


def _somebody_known(hub: Hub, browser: Browser) -> None:
    # The same address is no proof: both sides have to be shown.
    page = _page(browser)
    page.goto(f"{_address(hub)}/sign-in?next=/account/profile")
    page.get_by_role("button", name=BUTTON).click()
    _at_provider(page, "bob-there")
    expect(page.get_by_role("heading", name="You have an account already")).to_be_visible()
    _sound(page, "sso-link-first")
    page.get_by_role("link", name="Sign in to my account").click()
    _local(page, "bob@example.org")
    expect(page.get_by_role("heading", name="Link Team login?")).to_be_visible()
    expect(page.get_by_text("signs you in as bob@example.org")).to_be_visible()
    _sound(page, "sso-confirm")
    page.get_by_role("button", name="Link", exact=True).click()
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()

    # From now on the button is enough.
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("button", name=BUTTON).click()
    _inside(page)

    # And it can be taken off again: he has a password.
    page.goto(f"{_address(hub)}/account/security")
    page.get_by_role("button", name="Unlink: Team login").click()
    page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("Nothing linked yet")).to_be_visible()

    # Linking from here is a trip to the provider, which still knows him.
    page.get_by_role("button", name="Link Team login").click()
    expect(page.get_by_role("table", name="Linked sign-ins")).to_contain_text("bob@example.org")
