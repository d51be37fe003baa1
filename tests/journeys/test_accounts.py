"""Two accounts from their first minute to their last, in a real browser with a passkey device of its own.

Ada makes a passkey and signs in with it, adds an authenticator app, loses it and recovers. She invites Kim,
gives her a role and takes it away while Kim looks at a page. Kim takes a copy of her data along, asks for the
end of her account, changes her mind, asks again, and is erased. The audit log tells all of it, in order.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.support.browser import Fingerprint, fresh_page
from tests.support.hub import Hub, running_hub

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
ADA, ADAS = "ada@example.org", "correct horse battery"
KIM, KIMS = "kim@example.org", "gloomy tractor violin"

STORY = (
    "user.create", "session.create",
    "passkey.add", "session.end", "session.create",
    "totp.enable", "session.end", "recovery_code.use", "session.create", "totp.disable",
    "user.invite", "user.create", "session.create",
    "role.give", "role.take",
    "privacy.export",
    "privacy.deletion_request", "privacy.deletion_cancel", "privacy.deletion_request",
    "privacy.erasing", "privacy.erased",
)  # fmt: skip


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        yield hub


def address(hub: Hub) -> str:
    """By name: browsers bind passkeys to names only."""
    return f"http://localhost:{hub.port}"


def inside(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message")


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def with_password(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def newest_letter(page: Page, hub: Hub) -> str:
    """The link of the newest letter in the outbox, of those that have one."""
    page.goto(f"{address(hub)}/admin/outbox")
    page.get_by_role("button", name="Read").first.click()
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def make_due(hub: Hub) -> None:
    """Seven days later."""
    hub.sql("update deletions set due_at = due_at - %s where stage = 'waiting'", timedelta(days=8))
    hub.sql("update procrastinate_jobs set scheduled_at = now() where task_name = 'privacy.erase'")


def ask_for_the_end(page: Page) -> None:
    page.get_by_role("button", name="Delete my account").click()
    dialog = page.get_by_role("dialog", name="Delete your account")
    dialog.get_by_label(f"Type {KIM} to confirm").fill(KIM)
    dialog.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("heading", name="This account is about to be deleted")).to_be_visible()


def told(page: Page, hub: Hub) -> list[str]:
    """The actions on the page of the audit log, the oldest first."""
    page.goto(f"{address(hub)}/admin/audit")
    table = page.get_by_role("table", name="Audit log")
    entries = table.get_by_role("button", name="Details of")
    expect(entries.first).to_be_visible()
    more = page.get_by_role("button", name="Load more")
    while more.is_visible():
        before = entries.count()
        more.click()
        expect(entries.nth(before)).to_be_visible()
    return [text.strip() for text in reversed(entries.all_inner_texts())]


def in_order(story: Sequence[str], actions: Sequence[str]) -> str | None:
    """The first chapter that is missing or comes too early; None when all stand in their order."""
    rest = iter(actions)
    return next((chapter for chapter in story if chapter not in rest), None)


def erased(page: Page, hub: Hub) -> None:
    """The last letter comes once everything is gone, and its certificate names nobody."""
    page.goto(f"{address(hub)}/admin/outbox")
    expect(page.get_by_text("Your account was erased")).to_be_visible(timeout=90_000)
    page.goto(newest_letter(page, hub))
    page.get_by_role("button", name="Show the certificate").click()
    expect(page.get_by_text("rows were erased")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    certificate = json.loads(download.value.path().read_text("utf-8"))
    assert certificate.pop("signature")
    certificate.pop("public_key", None)
    assert "kim" not in json.dumps(certificate).lower()


def set_up(page: Page, hub: Hub) -> None:
    page.goto(f"{address(hub)}/setup#token={hub.setup_token()}")
    page.get_by_label("E-mail").fill(ADA)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(ADAS)
    page.get_by_role("button", name="Create administrator").click()
    expect(inside(page)).to_be_visible()


def passkey_and_app(finger: Fingerprint, hub: Hub) -> list[str]:
    """In by passkey, then with an app beside the password; the recovery codes."""
    page, security = finger.page, f"{address(hub)}/account/security"
    page.goto(security)
    page.get_by_role("button", name="Add a passkey").click()
    dialog = page.get_by_role("dialog", name="Add a passkey")
    dialog.get_by_label("Name").fill("Laptop")
    with finger.touched():
        dialog.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("table", name="Passkeys").get_by_text("Laptop")).to_be_visible()
    sign_out(page)
    with finger.touched():
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(inside(page)).to_be_visible()

    page.goto(security)
    page.get_by_role("button", name="Set up an app").click()
    dialog = page.get_by_role("dialog", name="Set up an app")
    app = pyotp.TOTP(dialog.get_by_label("Or type this into the app").input_value())
    dialog.get_by_label("The code that the app shows now").fill(app.now())
    dialog.get_by_role("button", name="Confirm").click()
    listed = dialog.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(listed).to_have_count(10)
    codes = listed.all_inner_texts()
    dialog.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("10 codes left")).to_be_visible()
    return codes


def recover(page: Page, hub: Hub, codes: list[str]) -> None:
    """The phone is gone: a recovery code lets in, once, and the app is taken off."""
    sign_out(page)
    with_password(page, ADA, ADAS)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(inside(page)).to_be_visible()
    page.goto(f"{address(hub)}/account/security")
    expect(page.get_by_text("9 codes left")).to_be_visible()
    page.get_by_role("button", name="Remove the app").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("Not set up")).to_be_visible()


def test_two_accounts_from_their_first_minute_to_their_last(hub: Hub, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    finger = Fingerprint(context)
    ada = finger.page
    set_up(ada, hub)
    recover(ada, hub, passkey_and_app(finger, hub))

    # A colleague, by a letter from the outbox.
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    ada.goto(f"{address(hub)}/admin/invitations")
    ada.get_by_role("button", name="Invite", exact=True).click()
    dialog = ada.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill(KIM)
    dialog.get_by_role("button", name="Invite").click()
    expect(ada.get_by_role("cell", name=KIM, exact=True)).to_be_visible()
    kim = fresh_page(browser)
    kim.clock.install()
    kim.goto(newest_letter(ada, hub))
    kim.get_by_label("Name").fill("Kim")
    kim.get_by_label("Password", exact=True).fill(KIMS)
    kim.get_by_role("button", name="Create my account").click()
    expect(inside(kim)).to_be_visible()
    rail = kim.get_by_role("navigation", name="Main")
    expect(rail.get_by_role("link", name="Users")).to_have_count(0)

    # A role; its places are there without a reload, and it is gone while she looks at one of them.
    ada.goto(f"{address(hub)}/admin/users")
    ada.get_by_role("row").filter(has_text=KIM).get_by_role("button", name="Actions").click()
    ada.get_by_role("menuitem", name="Roles and access").click()
    choose(ada, "Give a role", "Administrator")
    ada.get_by_role("dialog").get_by_role("button", name="Give", exact=True).click()
    given = ada.get_by_role("listitem").filter(has_text="Administrator")
    expect(given).to_be_visible()
    kim.evaluate("window.loadedOnce = true")
    kim.clock.fast_forward(16_000)  # until her page asks again who she is
    rail.get_by_role("link", name="Users").click()
    expect(kim.get_by_role("row").filter(has_text=ADA)).to_be_visible()
    given.get_by_role("button", name="Take away").click()
    expect(given).to_have_count(0)
    kim.clock.fast_forward(16_000)
    expect(kim.get_by_text("This page is not for your role")).to_be_visible()
    expect(rail.get_by_role("link", name="Users")).to_have_count(0)
    assert kim.evaluate("window.loadedOnce") is True

    # Her data, to take along: a zip that programs and people can read, and nothing of Ada's.
    here = kim.url.split("/admin")[0]
    kim.goto(f"{here}/account/privacy")
    kim.get_by_role("button", name="Export my data").click()
    with kim.expect_download() as download:
        kim.get_by_role("link", name="Download").click(timeout=60_000)
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        account = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("account.json"))))
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    assert KIM in json.dumps(account)
    assert ADAS not in everything
    assert KIMS not in everything
    assert "$argon2id$" not in everything

    # The end of her account: asked for, regretted, asked for again, carried out.
    ask_for_the_end(kim)
    kim.get_by_role("button", name="Keep my account").click()
    kim.goto(f"{here}/account/privacy")
    ask_for_the_end(kim)
    make_due(hub)
    erased(ada, hub)
    kim.goto(f"{here}/sign-in")
    with_password(kim, KIM, KIMS)
    expect(kim.get_by_role("alert")).to_contain_text("The e-mail address or the password is wrong")

    # And all of it is told.
    actions = told(ada, hub)
    assert in_order(STORY, actions) is None, (in_order(STORY, actions), actions)
    expect(ada.get_by_text(KIM)).to_have_count(0)
