"""What every page of the web app owes its readers, as questions one can ask a page."""

import os
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

ROOT = Path(__file__).resolve().parents[2]
SERIOUS = ("serious", "critical")
# A page that is on its way somewhere is nobody's fault: a fault may pass within seconds, and so many looks.
PASSING, LOOKS = 6.0, 5


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


def lasting_faults(page: Page) -> list[str]:
    """What is wrong with the page on show and stays wrong: for axe-core, sideways, outside the window."""
    deadline, looks = time.monotonic() + PASSING, 0
    while True:
        at_rest(page)
        looks += 1
        faults = axe_findings(page) + overflows(page) + lost_layers(page)
        if not faults or (looks >= LOOKS and time.monotonic() > deadline):
            return faults
        page.wait_for_timeout(100)


def at_rest(page: Page) -> None:
    """Wait until what moves and ends has ended, and what was laid out is painted."""
    page.evaluate(
        """async () => {
          const ends = (a) => a.effect?.getComputedTiming().endTime < Infinity
          const moving = document.getAnimations().filter(ends).map((a) => a.finished.catch(() => undefined))
          const enough = new Promise((go) => setTimeout(go, 2000))
          await Promise.race([Promise.all(moving), enough])
          for (let n = 0; n < 2; n++) await new Promise((go) => requestAnimationFrame(go))
        }"""
    )


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


def lost_layers(page: Page) -> list[str]:
    """Menus, lists and dialogs that stand out over an edge of the window (they widen no page)."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(
            '[role=dialog], [role=menu], [role=listbox], [role=tooltip]')]
          .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 0)
          .filter((e) => {
            const at = e.getBoundingClientRect()
            return at.left < -1 || at.right > innerWidth + 1
          })
          .map((e) => `${e.role} ${e.className} from ${e.getBoundingClientRect().left} of ${innerWidth}`)"""
    )
    return found


_WIDEST = """async (opener) => {
  let widest = 0
  const look = () => { widest = Math.max(widest, document.scrollingElement.scrollWidth) }
  opener.click()
  for (let n = 0; n < 10; n++) { look(); await null }
  for (let n = 0; n < 20; n++) { await new Promise((go) => requestAnimationFrame(go)); look() }
  return [widest, innerWidth]
}"""


def widest_while_opening(opener: Locator) -> tuple[int, int]:
    """How wide the page gets in any moment after a click, and how wide the window is."""
    widest, window = opener.evaluate(_WIDEST)
    return widest, window


_FOCUSABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, textarea, select, summary, [tabindex], [contenteditable=true]'
  )].filter((e) => !e.disabled && e.checkVisibility({opacityProperty: false})
      && !e.closest('[inert], [aria-hidden=true]') && e.type !== 'hidden' && e.id !== 'content')
    .map((e, n) => {
      e.dataset.stop = n
      return `${n} ${e.tagName} ${e.ariaLabel ?? e.name ?? ''} ${e.innerText}`
    })"""


def unreached_by_tab(page: Page) -> list[str]:
    """What can be operated and Tab does not lead to, or leads to without showing where one is."""
    wanted: list[str] = page.evaluate(_FOCUSABLE)
    page.evaluate("document.activeElement?.blur()")
    unseen: dict[int, bytes] = {}
    reached: set[int] = set()
    faults = []
    for _ in range(len(wanted) + 5):
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement?.dataset?.stop ?? null")
        if stop is None or int(stop) in reached:
            continue
        reached.add(int(stop))
        at = page.locator(f"[data-stop='{stop}']")
        at.scroll_into_view_if_needed()
        box = at.bounding_box()
        assert box is not None, wanted[int(stop)]
        clip = {
            "x": max(0, box["x"] - 8), "y": max(0, box["y"] - 8),
            "width": box["width"] + 16, "height": box["height"] + 16,
        }  # fmt: skip
        unseen[int(stop)] = page.screenshot(clip=clip)  # type: ignore[arg-type]
        before = page.evaluate_handle("document.activeElement")
        before.evaluate("(e) => e.blur()")
        if page.screenshot(clip=clip) == unseen[int(stop)]:  # type: ignore[arg-type]
            faults.append(f"no visible focus: {wanted[int(stop)]}")
        before.evaluate("(e) => e.focus({focusVisible: true})")
    return faults + [f"not reached: {name}" for n, name in enumerate(wanted) if n not in reached]


def keep_picture(page: Page, name: str) -> None:
    """A screenshot, for people who want to look: AIHUB_TEST_PICTURES names the folder."""
    if folder := os.environ.get("AIHUB_TEST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
