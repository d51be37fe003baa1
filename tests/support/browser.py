"""Debian's Chromium, driven headless."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

PATIENCE = 40_000
"""Milliseconds for what takes one on a quiet machine: others share it, and it may stall."""

expect.set_options(timeout=PATIENCE)

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium(playwright: Playwright) -> Browser:
    """A browser. AIHUB_TEST_CHROMIUM names another one than the system's."""
    path = os.environ.get("AIHUB_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium was found: 'make test' installs it where it may"
    return playwright.chromium.launch(executable_path=path, args=_FLAGS, timeout=120_000)


def fresh_page(browser: Browser, width: int = 1280, height: int = 900, **context: Any) -> Page:
    """A page of somebody whom the browser does not know."""
    fresh = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **context)
    fresh.set_default_timeout(PATIENCE)
    return fresh.new_page()


class Fingerprint:
    """A reader in the browser of one new page, with the passkeys that it makes.

    Nobody's finger is on it unless it is `touched`, which has to be so when the page asks.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self._devtools = context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": False,
        }
        added = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = added["authenticatorId"]

    @contextmanager
    def touched(self) -> Iterator[None]:
        self._touch(True)
        yield
        self._touch(False)

    def _touch(self, on: bool) -> None:
        whose = {"authenticatorId": self._id, "enabled": on}
        self._devtools.send("WebAuthn.setAutomaticPresenceSimulation", whose)
