"""An administrator brings a model of their own, in a real browser: no restart, no demonstration label."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.hub import Hub, prepared_hub
from tests.support.weights import cached_weights, link_weights

from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("embedded")]
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
READY = 90_000


@pytest.fixture
def hub() -> Iterator[Hub]:
    with prepared_hub() as hub:
        link_weights(cached_weights(), hub.home, SMOLLM2)
        yield hub.start()


def test_a_file_of_ones_own_answers_without_the_label(hub: Hub, browser: Browser, tmp_path: Path) -> None:
    own = tmp_path / "Moulin 7B (Q4).gguf"
    own.symlink_to(SMOLLM2.folder(hub.home) / SMOLLM2.files[0].name)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(range(256)) * 20)
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"PK\3\4 no model")
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{hub.url}/setup#token={hub.setup_token()}")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()

    # Where people choose a model, the demonstration says what it is, and leads to the dialog.
    picker = page.get_by_role("combobox", name=re.compile("^Model for this conversation"))
    expect(picker).to_contain_text("demonstration model")
    picker.click()
    page.get_by_role("option", name="Use your own GGUF").click()
    dialog = page.get_by_role("dialog", name="Use your own GGUF")
    expect(dialog.get_by_text(str(hub.home / "models" / "chat"), exact=True)).to_be_visible()
    expect(dialog.get_by_role("button", name="Copy the folder")).to_be_visible()

    _upload(page, wrong)
    expect(dialog.get_by_text("This is not a GGUF file.")).to_be_visible()
    _upload(page, broken)
    dialog.get_by_role("button", name="Use broken.gguf").click()
    expect(dialog.get_by_text("model.unusable")).to_be_visible(timeout=READY)
    dialog.get_by_role("button", name="Back to the demonstration model").click()
    expect(dialog.get_by_role("status").get_by_text("Ready", exact=True)).to_be_visible(timeout=READY)

    _upload(page, own)
    dialog.get_by_role("button", name="Use Moulin 7B (Q4).gguf").click(timeout=READY)
    expect(dialog.get_by_role("status").get_by_text("Moulin 7B (Q4)", exact=True)).to_be_visible()
    expect(dialog.get_by_role("status").get_by_text("Ready", exact=True)).to_be_visible(timeout=READY)
    dialog.get_by_role("button", name="Close").click()
    here = page.get_by_role("region", name="Model on this machine")
    expect(here).to_contain_text("Moulin 7B (Q4)")
    expect(here).not_to_contain_text("demonstration model")
    demonstration = page.get_by_role("row").filter(has_text="smollm2-135m")
    expect(demonstration).to_contain_text("Not running")
    expect(page.get_by_role("row").filter(has_text="moulin-7b-q4")).to_contain_text("Ready")

    page.goto(hub.url)
    expect(picker).to_contain_text("moulin-7b-q4")
    message = page.get_by_role("textbox", name="Message")
    message.fill("Say hello.")
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Assistant")
    expect(answer.get_by_role("button", name="Regenerate")).to_be_visible(timeout=READY)
    expect(answer).to_contain_text("moulin-7b-q4")
    expect(answer).to_contain_text("free")
    for place in (answer, picker):
        expect(place).not_to_contain_text("demonstration model")
    assert faults == []


def _upload(page: Page, file: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload a file").click()
    chooser.value.set_files(file)
