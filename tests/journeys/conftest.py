"""One browser for the journeys of a file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.support.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for longer than a module: while Playwright runs, its thread runs no other event loop."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()
