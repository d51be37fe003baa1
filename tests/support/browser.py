"""Debian's Chromium, driven headless."""

import os
import shutil

from playwright.sync_api import Browser, Playwright, expect

# A machine with a dozen other tests on it takes longer than the five seconds that are the default.
expect.set_options(timeout=20_000)

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
    return playwright.chromium.launch(executable_path=path, args=_FLAGS)
