"""A colleague is invited by mail, comes in, forgets the password and chooses a new one: in a real browser,
with the letters of a real mail server. And the same links from the outbox of a hub without one."""

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.browser import fresh_page
from tests.support.hub import Hub, running_hub
from tests.support.mail import link_in, mail_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ADA, KIM = "ada@example.org", "kim@example.org"
ADAS, FIRST, SECOND = "correct horse battery", "gloomy tractor violin", "camion violet parapluie"


def administrators_page(hub: Hub, browser: Browser) -> Page:
    page = fresh_page(browser)
    page.goto(f"{hub.url}/setup#token={hub.setup_token()}")
    page.get_by_label("E-mail").fill(ADA)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(ADAS)
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", "4")
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    return page


def invite(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/admin/invitations")
    page.get_by_role("button", name="Invite", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(KIM)
    dialog.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("cell", name=KIM, exact=True)).to_be_visible()


def accept(page: Page, link: str) -> None:
    page.goto(link)
    expect(page.get_by_text(KIM)).to_be_visible()
    page.get_by_label("Name").fill("Kim")
    password = page.get_by_label("Password", exact=True)
    password.fill("kim@example.org")
    expect(page.get_by_text("It is made of your name")).to_be_visible()
    password.fill(FIRST)
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", "4")
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def sign_in(page: Page, hub: Hub, password: str) -> None:
    page.goto(f"{hub.url}/sign-in")
    page.get_by_label("E-mail").fill(KIM)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def forget(page: Page, hub: Hub) -> None:
    page.goto(f"{hub.url}/sign-in")
    page.get_by_role("link", name="Forgotten your password?").click()
    # The page before has a field of the same name.
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.get_by_label("E-mail").fill(KIM)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("a letter is on its way")).to_be_visible()


def choose_another(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("New password").fill(SECOND)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_text("Your password is changed")).to_be_visible()


def test_with_a_mail_server(browser: Browser) -> None:
    with (
        mail_server() as mailbox,
        running_hub(
            AIHUB_EMBEDDED="false", SMTP_HOST="127.0.0.1", SMTP_PORT=str(mailbox.port), SMTP_TLS="none"
        ) as hub,
    ):
        invite(administrators_page(hub, browser), hub)
        invitation = link_in(mailbox.letter_to(KIM))
        assert invitation.startswith(f"{hub.url}/invite#token=")

        kims = fresh_page(browser)
        accept(kims, invitation)
        # A link works once.
        kims.goto("about:blank")
        kims.goto(invitation)
        expect(kims.get_by_text("This link does not work")).to_be_visible()

        elsewhere = fresh_page(browser)
        forget(elsewhere, hub)
        choose_another(elsewhere, link_in(mailbox.letter_to(KIM, 2)))
        kims.goto(f"{hub.url}/chat")
        expect(kims.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        sign_in(kims, hub, FIRST)
        expect(kims.get_by_text("The e-mail address or the password is wrong")).to_be_visible()
        sign_in(kims, hub, SECOND)
        expect(kims.get_by_role("textbox", name="Message")).to_be_visible()
        assert mailbox.letter_to(KIM, 3)["Subject"] == "Your password was changed"


def test_without_one_the_links_wait_in_the_outbox(browser: Browser) -> None:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        ada = administrators_page(hub, browser)
        ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
        invite(ada, hub)

        def newest_link() -> str:
            ada.goto(f"{hub.url}/admin/outbox")
            expect(ada.get_by_text("No mail server is configured")).to_be_visible()
            ada.get_by_role("button", name="Read").first.click()
            ada.get_by_role("button", name="Copy the link").click()
            expect(ada.get_by_role("button", name="Copied")).to_be_visible()
            return str(ada.evaluate("navigator.clipboard.readText()"))

        kims = fresh_page(browser)
        accept(kims, newest_link())

        # A new address is proven before it counts.
        kims.goto(f"{hub.url}/account/profile")
        expect(kims.get_by_text("Confirmed", exact=True)).to_be_visible()
        kims.get_by_role("button", name="Change the address").click()
        dialog = kims.get_by_role("dialog")
        dialog.get_by_label("New address").fill("kim@example.net")
        dialog.get_by_role("button", name="Send the link").click()
        expect(kims.get_by_text("on its way to kim@example.net")).to_be_visible()
        kims.goto(newest_link())
        kims.get_by_role("button", name="Confirm the address").click()
        expect(kims.get_by_text("kim@example.net is the address of your account")).to_be_visible()
