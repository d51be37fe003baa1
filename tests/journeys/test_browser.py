"""The story a newcomer lives, in a real browser against a real hub.

Set-up link → chat → streamed answer → reload while it streams → it goes on → another branch → export.
Nothing may break the content security policy or ask a foreign host for anything.
"""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.support.hub import Hub, running_hub
from tests.support.pages import Watch
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.browser, pytest.mark.slow]
EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
LAST_WORD = "word60"  # of the fake provider's script `slow`: sixty words, four a second


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def hub(upstream: Upstream) -> Iterator[Hub]:
    provider = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "sk-upstream", "OPENAI_MODEL": "slow"}
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="slow", **provider) as hub:
        yield hub


def test_from_the_first_link_to_an_exported_conversation(hub: Hub, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page = context.new_page()
    watch = Watch(page, hub.url)

    page.goto(f"{hub.url}/setup#token={hub.setup_token()}")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    message = page.get_by_role("textbox", name="Message")
    expect(message).to_be_visible()

    # Out and in again.
    context.clear_cookies()
    page.goto(hub.url)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(message).to_be_visible()

    # Ask; the answer starts to stream.
    message.fill("Tell me sixty words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_text("word3 ", exact=False).first).to_be_visible()
    seen = _words(page)
    assert seen
    assert LAST_WORD not in page.content()

    # Reload in the middle: what was shown is still there, and it goes on to the end.
    page.reload()
    expect(page.get_by_text(f"word{max(seen)}", exact=False).first).to_be_visible()
    assert min(_words(page)) == 1
    expect(page.get_by_text(LAST_WORD, exact=False).first).to_be_visible()
    assert _words(page) == list(range(1, 61)), "each word once and in order"
    expect(page.get_by_role("button", name="Send")).to_be_visible()

    # Stop an answer half way; what was shown stays.
    message.fill("And again")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()

    # A branch: edit the first question, and walk back to the original.
    page.get_by_text("Tell me sixty words").first.hover()
    page.get_by_role("button", name="Edit message").first.click()
    editor = page.get_by_role("textbox", name="Your edit")
    editor.fill("Tell me something else")
    page.get_by_role("button", name="Save and ask").click()
    expect(page.get_by_text("Tell me something else").first).to_be_visible()
    expect(page.get_by_role("group", name="Version 2 of 2")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_role("button", name="Previous version").first.click()
    expect(page.get_by_text("Tell me sixty words").first).to_be_visible()

    # Export, as data and as text.
    exported = _export(page, "JSON")
    texts = json.dumps(json.loads(exported))
    assert "Tell me sixty words" in texts
    assert "Tell me something else" in texts
    assert LAST_WORD in texts
    assert LAST_WORD in _export(page, "Markdown")

    assert watch.faults == []
    context.close()


def _words(page: Page) -> list[int]:
    article = page.get_by_role("main").inner_text()
    return [int(n) for n in re.findall(r"\bword(\d+)\b", article)]


def _export(page: Page, kind: str) -> str:
    page.get_by_role("button", name=re.compile("^Conversation options")).first.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=re.compile(kind)).click()
    return download.value.path().read_text("utf-8")
