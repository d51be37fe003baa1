"""What every page of the web app owes its readers, as questions one can ask a page."""

import os
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, expect

ROOT = Path(__file__).resolve().parents[2]
SERIOUS = ("serious", "critical")


@cache
def _axe() -> str:
    return (ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


class Watch:
    """Collects what must never happen on any page: script errors, policy violations, foreign hosts.

    `expected` are parts of messages that the test brings about itself, such as "status of 404".
    """

    def __init__(self, page: Page, own: str, *expected: str) -> None:
        # A 401 for "who am I" before sign-in is an answer; the browser logs every 4xx.
        self.faults: list[str] = []
        self.expected = ["status of 401", *expected]
        page.on("console", self._console)
        page.on("pageerror", lambda e: self.faults.append(f"script error: {e}"))
        page.on("request", lambda r: self._request(r.url, own))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.expected):
            self.faults.append(f"console: {message.text}")

    def _request(self, url: str, own: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and f"{parts.scheme}://{parts.netloc}" != own:
            self.faults.append(f"foreign host: {url}")


def settled(page: Page) -> None:
    """Wait until a page shows its content rather than its skeleton."""
    expect(page.locator("#root h1, [role=dialog]").first).to_be_attached()
    expect(page.locator(".mantine-Skeleton-root:visible")).to_have_count(0)


def axe_findings(page: Page) -> list[str]:
    """What axe-core calls serious or critical on the page as it is now."""
    # Evaluated by the debugger, which the content security policy does not bind.
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(_axe())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
    return [
        f"{finding['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for finding in found
        if finding["impact"] in SERIOUS
        for node in finding["nodes"][:4]
    ]


def overflows(page: Page) -> list[str]:
    """What makes the page, or a part of it that is not meant to, scroll sideways."""
    found: list[str] = page.evaluate(
        """() => {
          const say = (e) => `${e.tagName.toLowerCase()}.${e.className} ${e.scrollWidth} > ${e.clientWidth}`
          const page = document.scrollingElement
          const wide = page.scrollWidth > innerWidth ? [say(page)] : []
          for (const box of document.querySelectorAll('body *')) {
            if (box.scrollWidth <= box.clientWidth + 1) continue
            if (!['auto', 'scroll'].includes(getComputedStyle(box).overflowX)) continue
            // Code and tables scroll in a frame of their own.
            if (box.matches('pre, textarea') || box.querySelector(':scope > table')) continue
            wide.push(say(box))
          }
          return wide
        }"""
    )
    return found


def keep_picture(page: Page, name: str) -> None:
    """A screenshot, for people who want to look: AIHUB_TEST_PICTURES names the folder."""
    if folder := os.environ.get("AIHUB_TEST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
