"""Roles in the browser: made, given for a time, explained, taken away while their person looks at a page."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.furnished import ADA, BOB, PASSWORD, PHONE, WIDE, Look, new_page, prefer, sign_in
from tests.support.hub import Hub, running_hub
from tests.support.pages import Watch, keep_picture, lasting_faults, settled
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("roles")]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Upstream() as upstream, running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo") as hub:
        ada = hub.set_up(ADA, PASSWORD)
        hub.person(ada, BOB, PASSWORD, name="Bob")
        hub.connect(ada, upstream.url, "echo", "markdown")
        yield hub


def person(browser: Browser, hub: Hub, email: str, look: Look = WIDE) -> tuple[Page, Watch]:
    page, watch = new_page(browser, look, hub, "status of 403", "status of 422")
    page.clock.install()
    sign_in(page, hub, email)
    prefer(page, hub, locale=look.locale)
    page.goto(f"{hub.url}/chat")
    settled(page)
    return page, watch


def some_time_later(page: Page) -> None:
    """For a page that nobody touches: as long as it waits until it asks again who its reader is."""
    page.clock.fast_forward(16_000)


def looks_right(page: Page, name: str) -> None:
    keep_picture(page, name)
    faults = lasting_faults(page)
    assert not faults, "\n".join(faults)


def menu(page: Page, row: str, entry: str) -> None:
    page.get_by_role("row").filter(has_text=row).get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_role_is_made_given_explained_and_taken_while_its_person_looks(hub: Hub, browser: Browser) -> None:
    ada, ada_watch = person(browser, hub, ADA)
    bob, bob_watch = person(browser, hub, BOB)

    # A role that inherits, made on its page.
    ada.goto(f"{hub.url}/admin/roles")
    settled(ada)
    looks_right(ada, "roles")
    ada.get_by_role("button", name="New role").click()
    ada.get_by_label("Title").fill("Looks after jobs")
    expect(ada.get_by_label("Name", exact=True)).to_have_value("looks-after-jobs")
    choose(ada, "Inherits from", "User")
    dialog = ada.get_by_role("dialog")
    inherited = dialog.get_by_role("checkbox", name="Hold conversations with the models")
    expect(inherited).to_be_checked()
    expect(inherited).to_be_disabled()
    dialog.get_by_label("See background jobs").check()
    dialog.get_by_label("See people").check()
    looks_right(ada, "role-new")
    dialog.get_by_role("button", name="New role").click()
    expect(ada.get_by_role("row").filter(has_text="Looks after jobs")).to_contain_text("0 people")

    # Given to Bob until a date; he sees the new places without doing anything.
    ada.goto(f"{hub.url}/admin/users")
    settled(ada)
    menu(ada, BOB, "Roles and access")
    choose(ada, "Give a role", "Looks after jobs")
    ada.get_by_label("Until").fill("2040-01-31T18:00")
    ada.get_by_label("Reason").fill("holiday cover")
    ada.get_by_role("dialog").get_by_role("button", name="Give", exact=True).click()
    given = ada.get_by_role("listitem").filter(has_text="Looks after jobs")
    expect(given).to_contain_text("2040")
    expect(given).to_contain_text("holiday cover")
    looks_right(ada, "user-roles")
    some_time_later(bob)
    expect(bob.get_by_role("link", name="Jobs")).to_be_visible()
    bob.get_by_role("link", name="Users").click()
    expect(bob.get_by_role("row").filter(has_text=ADA)).to_be_visible()

    # Why he may, and why he may not.
    ada.get_by_role("tab", name="Why may").click()
    choose(ada, "Permission", "See background jobs")
    answer = ada.get_by_role("dialog")
    expect(answer.get_by_text("Bob may do this.")).to_be_visible()
    expect(answer.get_by_text("holiday cover")).to_be_visible()
    looks_right(ada, "why-may")
    choose(ada, "Permission", "Read the audit trail")
    expect(answer.get_by_text("Bob may not do this.")).to_be_visible()
    expect(answer.get_by_text("These would: Super administrator, Administrator.")).to_be_visible()
    ada.get_by_role("tab", name="Roles", exact=True).click()

    # Taken away while he looks at people: his page shows what is left, without a hand on it.
    given.get_by_role("button", name="Take away").click()
    expect(given).to_have_count(0)
    some_time_later(bob)
    expect(bob.get_by_text("This page is not for your role")).to_be_visible()
    expect(bob.get_by_role("link", name="Jobs")).to_have_count(0)
    looks_right(bob, "role-taken")

    # Nobody has it now, so it can be deleted.
    ada.goto(f"{hub.url}/admin/roles")
    settled(ada)
    menu(ada, "Looks after jobs", "Delete")
    ada.get_by_label("Type looks-after-jobs to delete it").fill("looks-after-jobs")
    ada.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(ada.get_by_role("row").filter(has_text="Looks after jobs")).to_have_count(0)
    for watch, page in ((ada_watch, ada), (bob_watch, bob)):
        assert not watch.faults, watch.faults
        page.context.close()


def test_a_model_is_kept_for_certain_people(hub: Hub, browser: Browser) -> None:
    ada, ada_watch = person(browser, hub, ADA)
    bob, bob_watch = person(browser, hub, BOB)
    names = """() => fetch('/api/v1/models').then((r) => r.json()).then((r) => r.items.map((m) => m.name))"""

    def bob_sees(wanted: bool) -> None:
        bob.wait_for_function(
            f"(wanted) => ({names})().then((names) => names.includes('markdown') === wanted)", arg=wanted
        )

    bob_sees(True)
    ada.goto(f"{hub.url}/admin/models")
    settled(ada)
    menu(ada, "markdown", "Who may use it")
    ada.get_by_label("Only for people named here").check()
    expect(ada.get_by_text("Nobody is named yet")).to_be_visible()
    bob_sees(False)
    ada.get_by_role("textbox", name="Person").fill("nobody@example.org")
    ada.get_by_role("dialog").get_by_role("button", name="Give", exact=True).click()
    expect(ada.get_by_text("nobody here has this address")).to_be_visible()
    ada.get_by_role("textbox", name="Person").fill(BOB)
    ada.get_by_role("dialog").get_by_role("button", name="Give", exact=True).click()
    expect(ada.get_by_role("listitem").filter(has_text="Bob")).to_contain_text("May use it")
    bob_sees(True)
    looks_right(ada, "model-access")
    ada.get_by_role("listitem").filter(has_text="Bob").get_by_role("button", name="Take away").click()
    bob_sees(False)
    for watch, page in ((ada_watch, ada), (bob_watch, bob)):
        assert not watch.faults, watch.faults
        page.context.close()


def test_roles_on_a_phone_in_the_dark_in_french(hub: Hub, browser: Browser) -> None:
    ada, watch = person(browser, hub, ADA, PHONE)
    ada.goto(f"{hub.url}/admin/roles")
    settled(ada)
    looks_right(ada, "phone-roles")
    ada.get_by_role("button", name="Nouveau rôle").click()
    expect(ada.get_by_role("checkbox", name="Voir les tâches de fond")).to_be_visible()
    looks_right(ada, "phone-role-new")
    ada.keyboard.press("Escape")
    ada.goto(f"{hub.url}/admin/users")
    settled(ada)
    ada.get_by_role("row").filter(has_text=BOB).get_by_role("button", name="Actions").click()
    ada.get_by_role("menuitem", name="Rôles et accès").click()
    expect(ada.get_by_role("listitem").filter(has_text="Utilisateur")).to_be_visible()
    looks_right(ada, "phone-user-roles")
    ada.get_by_role("tab", name=re.compile("Pourquoi")).click()
    looks_right(ada, "phone-why")
    assert not watch.faults, watch.faults
    ada.context.close()
