"""A hub in use and the people who look at it."""

from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, Page
from tests.support.browser import PATIENCE
from tests.support.hub import Hub
from tests.support.pages import Watch
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
    ada = hub.set_up(ADA, PASSWORD)
    home = Furnished(hub, dict(ada.headers))
    costly = ("slow", "markdown", "cut", "down", "weather")
    provider = hub.connect(ada, upstream.url, *costly, input_price="1200", output_price="4800")
    home.post("/api/v1/models", {"name": "echo", "upstream_name": "echo", "provider_id": provider} | FREE)
    home.bob_key = hub.person(ada, BOB, PASSWORD, name="Bob").key
    for number in range(12):
        long = "Wolfeschlegelsteinhausenbergerdorff" if number == 3 else f"Person {number}"
        email = f"{long.replace(' ', '.').lower()}@a-rather-long-domain-name.example.org"
        role = "manager" if number % 3 else "user"
        home.post("/api/v1/users", {"email": email, "name": long, "password": PASSWORD, "roles": [role]})
    for number in range(4):
        home.post(
            "/api/v1/keys",
            {"name": f"A program with a long name, number {number}", "scopes": ["gateway:use"]},
        )
    hub.sql(
        "insert into conversations (id, owner_id, title) select uuidv7(), users.id, "
        "'Conversation ' || number || ' about something that takes some words' "
        "from users, generate_series(0, %s) as number where email = %s",
        MANY - 1, ADA,
    )  # fmt: skip
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
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    return page, Watch(page, hub.url, *expected)


def sign_in(page: Page, hub: Hub, email: str) -> None:
    """Give the browser of a page a session, as its form of that name does; the page stays where it is."""
    given = page.request.post(f"{hub.url}/api/v1/session", data={"email": email, "password": PASSWORD})
    assert given.ok, given.text()


def prefer(page: Page, hub: Hub, **wish: str) -> None:
    """Change the language or the theme of the account that is signed in."""
    session = page.request.get(f"{hub.url}/api/v1/session").json()
    changed = page.request.patch(
        f"{hub.url}/api/v1/me", data=wish, headers={"x-csrf-token": session["csrf_token"]}
    )
    assert changed.ok, changed.text()
