"""A hub in use and the people who look at it."""

import json
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, Page
from tests.support.hub import Hub
from tests.support.pages import Watch, settled
from tests.support.upstream import Upstream

ADA, BOB, PASSWORD = "ada@example.org", "bob@example.org", "correct horse battery"
MANY = 300
FREE = {"input_price": "0", "output_price": "0"}


@dataclass(frozen=True)
class Look:
    """How a reader sees the pages."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]
    locale: Literal["en", "fr"]


WIDE = Look("wide-light-en", 1440, 900, "light", "en")
PHONE = Look("phone-dark-fr", 390, 844, "dark", "fr")
LOOKS = (WIDE, PHONE)


@dataclass
class Furnished:
    """A hub in use: Ada runs it and has far too much of everything, Bob is new."""

    hub: Hub
    ada: dict[str, str]
    """The headers of her session: people are not made with a key."""
    bob_key: str = ""
    conversations: dict[str, str] = field(default_factory=dict)
    shared: str = ""

    def post(self, path: str, body: object, key: str | None = None) -> dict[str, object]:
        answer = self.hub.request("POST", path, body, key=key, headers={} if key else self.ada)
        assert answer.status < 300, (path, answer.status, answer.body)
        made = answer.json()
        assert isinstance(made, dict)
        return made

    def asked(self, name: str, text: str, model: str, key: str | None = None) -> str:
        """A conversation with one question in it; its id."""
        made = self.post("/api/v1/conversations", {"model": model}, key)
        conversation = self.conversations[name] = str(made["id"])
        self.post(f"/api/v1/conversations/{conversation}/messages", {"text": text}, key)
        return conversation


def furnish(hub: Hub, upstream: Upstream) -> Furnished:
    """Fill an empty hub: providers, people, keys, conversations of every kind."""
    hub.create_admin(ADA, PASSWORD)
    entered = hub.post("/api/v1/session", {"email": ADA, "password": PASSWORD})
    cookie = next(text for name, text in entered.headers.items() if name.lower() == "set-cookie")
    session = entered.json()
    assert isinstance(session, dict)
    home = Furnished(hub, {"Cookie": cookie.split(";")[0], "X-CSRF-Token": str(session["csrf_token"])})
    provider = home.post(
        "/api/v1/providers",
        {
            "name": "Scripted",
            "kind": "openai",
            "base_url": upstream.url,
            "api_key": "sk-x",
            "allow_private": True,
        },
    )
    for model in ("echo", "slow", "markdown", "cut", "down", "weather"):
        prices = {"input_price": "1200", "output_price": "4800"} if model != "echo" else FREE
        names = {"name": model, "upstream_name": model, "provider_id": provider["id"]}
        home.post("/api/v1/models", names | prices)
    bob = {"email": BOB, "name": "Bob", "password": PASSWORD, "roles": ["user"]}
    home.post("/api/v1/users", bob)
    for number in range(12):
        long = "Wolfeschlegelsteinhausenbergerdorff" if number == 3 else f"Person {number}"
        email = f"{long.replace(' ', '.').lower()}@a-rather-long-domain-name.example.org"
        role = "manager" if number % 3 else "user"
        home.post("/api/v1/users", {"email": email, "name": long, "password": PASSWORD, "roles": [role]})
    out = hub.cli("key", "create", "--email", BOB, "--name", "tests", "--scopes", "*", "--json")
    home.bob_key = str(json.loads(out)["key"])
    for number in range(4):
        home.post(
            "/api/v1/keys",
            {"name": f"A program with a long name, number {number}", "scopes": ["gateway:use"]},
        )
    for number in range(MANY):
        home.post(
            "/api/v1/conversations", {"title": f"Conversation {number} about something that takes some words"}
        )
    home.asked("markdown", "Show me what you can do", "markdown")
    home.asked("failed", "Will this work?", "down")
    home.asked("cut", "And this?", "cut")
    home.asked("tool", "What is the weather like?", "weather")
    home.shared = str(home.post(f"/api/v1/conversations/{home.conversations['markdown']}/share", {})["token"])
    return home


def new_page(browser: Browser, look: Look, hub: Hub, *expected: str) -> tuple[Page, Watch]:
    context = browser.new_context(
        viewport={"width": look.width, "height": look.height},
        locale="fr-FR" if look.locale == "fr" else "en-GB",
        color_scheme=look.scheme,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    return page, Watch(page, hub.url, *expected)


def sign_in(page: Page, hub: Hub, email: str) -> None:
    page.goto(f"{hub.url}/sign-in")
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat")
    settled(page)


def prefer(page: Page, hub: Hub, **wish: str) -> None:
    """Change the language or the theme of the account that is signed in."""
    session = page.request.get(f"{hub.url}/api/v1/session").json()
    changed = page.request.patch(
        f"{hub.url}/api/v1/me", data=wish, headers={"x-csrf-token": session["csrf_token"]}
    )
    assert changed.ok, changed.text()
