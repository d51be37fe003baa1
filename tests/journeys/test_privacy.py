"""One's own data in a browser: a copy of it, its end, and changing one's mind, in both looks."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.furnished import LOOKS, Look, new_page
from tests.support.hub import Hub, Person, running_hub
from tests.support.mail import Mailbox, mail_server, token_in
from tests.support.pages import keep_picture, lasting_faults, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PASSWORD = "correct horse battery"
CHIEF = "chief@example.org"
WORDS = {
    "en": {
        "ask": "Export my data", "ready": "Ready", "download": "Download", "delete": "Delete my account",
        "type": "Type {email} to confirm", "gate": "This account is about to be deleted",
        "keep": "Keep my account", "title": "Privacy", "show": "Show them",
        "certificate": "Show the certificate", "save": "Save as a file", "actions": "Actions",
        "deleteSomebody": "Delete", "reason": "Reason", "immediately": "Erase immediately",
    },
    "fr": {
        "ask": "Exporter mes données", "ready": "Prêt", "download": "Télécharger",
        "delete": "Supprimer mon compte", "type": "Tapez {email} pour confirmer",
        "gate": "Ce compte va être supprimé", "keep": "Garder mon compte", "title": "Vie privée",
        "show": "Les montrer", "certificate": "Montrer le certificat", "save": "Enregistrer en fichier",
        "actions": "Actions", "deleteSomebody": "Supprimer", "reason": "Motif",
        "immediately": "Effacer immédiatement",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture(scope="module")
def hub(mailbox: Mailbox) -> Iterator[Hub]:
    mail = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port), "SMTP_TLS": "none"}
    with running_hub(AIHUB_EMBEDDED="false", **mail) as hub:
        yield hub


@pytest.fixture(scope="module")
def chief(hub: Hub) -> Person:
    return hub.set_up(CHIEF, PASSWORD)


def enter(page: Page, hub: Hub, email: str) -> None:
    page.goto(f"{hub.url}/sign-in")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    settled(page)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_export_delete_keep_and_be_erased(
    hub: Hub, chief: Person, browser: Browser, look: Look, mailbox: Mailbox, tmp_path: Path
) -> None:
    words = WORDS[look.locale]
    email = f"{look.name}@example.org"
    hub.person(chief, email, PASSWORD, name=look.name)
    page, watch = new_page(browser, look, hub, "status of 403")
    faults: list[str] = []

    def look_at(name: str) -> None:
        faults.extend(f"{name}: {fault}" for fault in lasting_faults(page))
        keep_picture(page, f"{look.name}-privacy-{name}")

    enter(page, hub, email)
    session = page.request.get(f"{hub.url}/api/v1/session").json()
    page.request.patch(
        f"{hub.url}/api/v1/me",
        data={"locale": look.locale},
        headers={"x-csrf-token": session["csrf_token"]},
    )
    page.goto(f"{hub.url}/account/privacy")
    settled(page)
    look_at("empty")
    page.get_by_role("button", name=words["ask"]).click()
    expect(page.get_by_text(words["ready"], exact=True)).to_be_visible()
    page.get_by_role("button", name=words["show"]).click()
    look_at("ready")
    with page.expect_download() as downloading:
        page.get_by_role("link", name=words["download"]).first.click()
    file = tmp_path / "data.zip"
    downloading.value.save_as(file)
    with zipfile.ZipFile(file) as bundle:
        (account,) = json.loads(bundle.read("data/account.json"))["rows"]
    assert account["email"] == email

    page.get_by_role("button", name=words["delete"]).click()
    typing = page.get_by_label(words["type"].format(email=email))
    confirm = page.get_by_role("dialog").get_by_role("button", name=words["delete"])
    typing.fill("somebody else")
    expect(confirm).to_be_disabled()
    look_at("confirm")
    typing.fill(email)
    confirm.click()
    expect(page.get_by_role("heading", name=words["gate"])).to_be_visible()
    look_at("gate")
    page.goto(f"{hub.url}/chat")
    expect(page.get_by_role("heading", name=words["gate"])).to_be_visible()
    page.get_by_role("button", name=words["keep"]).click()
    expect(page.get_by_role("heading", name=words["gate"])).to_have_count(0)
    page.goto(f"{hub.url}/account/privacy")
    expect(page.get_by_role("heading", name=words["title"], exact=True)).to_be_visible()

    hub.cli("user", "delete", email, "--reason", "they asked", "--immediately", "--confirm", email)
    mailbox.letter_to(email, 1)
    last = next(
        letter
        for number in range(1, 8)
        if (letter := mailbox.letter_to(email, number)) and letter.get_content_type() == "multipart/mixed"
    )
    page.goto(f"{hub.url}/certificate#token={token_in(last)}")
    page.get_by_role("button", name=words["certificate"]).click()
    expect(page.get_by_role("link", name=words["save"])).to_be_visible()
    look_at("certificate")
    assert not faults + watch.faults, "\n".join(faults + watch.faults)
    page.context.close()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_an_administrator_deletes_somebody(hub: Hub, chief: Person, browser: Browser, look: Look) -> None:
    words = WORDS[look.locale]
    name = f"Leaver {look.name}"
    email = f"leaver-{look.name}@example.org"
    hub.person(chief, email, PASSWORD, name=name)
    page, watch = new_page(browser, look, hub)
    enter(page, hub, CHIEF)
    session = page.request.get(f"{hub.url}/api/v1/session").json()
    page.request.patch(
        f"{hub.url}/api/v1/me",
        data={"locale": look.locale},
        headers={"x-csrf-token": session["csrf_token"]},
    )
    page.goto(f"{hub.url}/admin/users?search={email}")
    settled(page)
    page.get_by_role("button", name=f"{words['actions']}: {name}").click()
    page.get_by_role("menuitem", name=words["deleteSomebody"], exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(words["reason"]).fill("left the company")
    dialog.get_by_label(words["immediately"]).check()
    act = dialog.get_by_role("button", name=words["deleteSomebody"], exact=True)
    expect(act).to_be_disabled()
    dialog.get_by_label(words["type"].format(email=email)).fill(email)
    faults = lasting_faults(page)
    keep_picture(page, f"{look.name}-privacy-delete-somebody")
    act.click()
    expect(dialog).to_have_count(0)
    assert not faults + watch.faults, "\n".join(faults + watch.faults)
    page.context.close()
