"""Every page in a real browser: for everyone, in both languages, at both sizes, in good and bad times.

One hub and one browser serve all journeys of a group; they run in the order in which they stand here.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.support.furnished import (
    ADA,
    BOB,
    LOOKS,
    PASSWORD,
    PHONE,
    WIDE,
    Furnished,
    Look,
    furnish,
    new_page,
    prefer,
    sign_in,
)
from tests.support.hub import running_hub
from tests.support.pages import (
    at_rest,
    keep_picture,
    lasting_faults,
    settled,
    unreached_by_tab,
    widest_while_opening,
)
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.browser, pytest.mark.slow]
in_both_looks = pytest.mark.parametrize(
    "look",
    [pytest.param(look, id=look.name, marks=pytest.mark.xdist_group(f"pages-{look.name}")) for look in LOOKS],
)
in_use = pytest.mark.xdist_group("pages-in-use")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def furnished(upstream: Upstream) -> Iterator[Furnished]:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo") as hub:
        yield furnish(hub, upstream)


def examine(page: Page, name: str) -> list[str]:
    """Everything that is wrong with the page on show."""
    faults = [f"{name}: {fault}" for fault in lasting_faults(page)]
    keep_picture(page, name)
    return faults


def clean(faults: list[str]) -> None:
    assert not faults, "\n".join(faults)


@in_use
def test_the_first_pages_are_for_everyone(browser: Browser) -> None:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        for look in LOOKS:
            page, watch = new_page(browser, look, hub)
            faults = []
            for name, path in (("setup-needed", "/"), ("setup", "/setup#token=x"), ("sign-in", "/sign-in")):
                page.goto("about:blank")
                page.goto(hub.url + path)
                settled(page)
                expect(page.locator("html")).to_have_attribute("lang", look.locale)
                faults += examine(page, f"{look.name}-{name}")
            clean(faults + watch.faults)
            page.context.close()


# What Ada sees; `{…}` names one of her conversations.
PAGES = {
    "chat-many": "/chat",
    "chat-one": "/chat/{markdown}",
    "chat-failed": "/chat/{failed}",
    "chat-cut": "/chat/{cut}",
    "chat-tool": "/chat/{tool}",
    "profile": "/account/profile",
    "keys": "/account/keys",
    "credits": "/account/credits",
    "users": "/admin/users",
    "roles": "/admin/roles",
    "sign-in-providers": "/admin/sign-in",
    "models": "/admin/models",
    "jobs": "/admin/jobs",
    "settings": "/admin/settings",
    "audit": "/admin/audit",
    "audit-filtered": "/admin/audit?action=user.create&q=wolfe&since=2026-01-01",
    "security-events": "/admin/security-events",
    "activity": "/account/activity",
    "security": "/account/security",
    "privacy": "/account/privacy",
    "invitations": "/admin/invitations",
    "outbox": "/admin/outbox",
    "not-found": "/nowhere",
}


@in_both_looks
def test_every_page_is_for_everyone(furnished: Furnished, browser: Browser, look: Look) -> None:
    hub = furnished.hub
    page, watch = new_page(browser, look, hub)
    sign_in(page, hub, ADA)
    prefer(page, hub, locale=look.locale)
    faults = []
    for name, path in PAGES.items():
        page.goto(hub.url + path.format(**furnished.conversations))
        settled(page)
        expect(page.locator("html")).to_have_attribute("lang", look.locale)
        faults += examine(page, f"{look.name}-{name}")
        if look.locale == "fr" and name == "chat-failed":
            # Also what the hub itself says in English is said in the reader's language.
            expect(page.get_by_role("alert")).to_contain_text("Le fournisseur du modèle a échoué")
    clean(faults + watch.faults)
    page.context.close()


@in_both_looks
def test_a_shared_page_is_for_everyone(furnished: Furnished, browser: Browser, look: Look) -> None:
    hub = furnished.hub
    page, watch = new_page(browser, look, hub, "status of 404")
    faults = []
    for name, token in (("shared", furnished.shared), ("shared-gone", "shr_" + "x" * 32)):
        page.goto(f"{hub.url}/s/{token}")
        settled(page)
        faults += examine(page, f"{look.name}-{name}")
    clean(faults + watch.faults)
    page.context.close()


@in_both_looks
def test_dialogs_and_menus_are_for_everyone(furnished: Furnished, browser: Browser, look: Look) -> None:
    hub = furnished.hub
    page, watch = new_page(browser, look, hub)
    sign_in(page, hub, ADA)
    prefer(page, hub, locale=look.locale)
    faults: list[str] = []

    def open_and_close(name: str, opener: Locator) -> None:
        opener.click()
        layers = page.locator("[role=dialog]:visible, [role=menu]:visible, [role=listbox]:visible")
        expect(layers.first).to_be_visible()
        faults.extend(examine(page, f"{look.name}-{name}"))
        page.keyboard.press("Escape")
        expect(page.locator("[role=dialog]:visible, [role=menu]:visible")).to_have_count(0)

    page.goto(f"{hub.url}/chat/{furnished.conversations['markdown']}")
    settled(page)
    english = look is WIDE
    open_and_close("palette", page.get_by_role("button", name="Search" if english else "Rechercher").first)
    head = page.get_by_role("banner")
    options = "Conversation options" if english else "Actions de la conversation"
    open_and_close("conversation-menu", head.get_by_role("button", name=options))
    head.get_by_role("button", name=options).click()
    open_and_close("share", page.get_by_role("menuitem", name="Share" if english else "Partager"))
    open_and_close(
        "system-prompt", page.get_by_role("button", name="System prompt" if english else "Consigne")
    )
    model = "Model for this conversation" if english else "Modèle de cette conversation"
    open_and_close("model-picker", page.get_by_role("combobox", name=model))
    if not english:
        open_and_close("navigation", page.get_by_role("button", name="Ouvrir la navigation"))
        open_and_close("conversations", page.get_by_role("button", name="Afficher les conversations"))
    for name, path, opener in (
        ("create-key", "/account/keys", "Create key|Créer une clé"),
        ("add-user", "/admin/users", "Add user|Ajouter une personne"),
        ("add-provider", "/admin/models", "Add provider|Ajouter un fournisseur"),
    ):
        page.goto(hub.url + path)
        settled(page)
        open_and_close(name, page.get_by_role("button", name=re.compile(opener)).first)
    clean(faults + watch.faults)
    page.context.close()


@in_use
def test_what_opens_widens_the_page_at_no_moment(furnished: Furnished, browser: Browser) -> None:
    """Neither do menus and lists before they have found their place."""
    hub = furnished.hub
    page, watch = new_page(browser, PHONE, hub)
    sign_in(page, hub, ADA)
    prefer(page, hub, locale="en")
    layers = page.locator("[role=dialog]:visible, [role=menu]:visible, [role=listbox]:visible")
    for path, openers in (
        ("/chat/{markdown}", "[role=combobox], [role=banner] [aria-haspopup=menu], [aria-haspopup=menu]"),
        ("/account/keys", "main button"),
        ("/admin/users", "main [aria-haspopup=menu]"),
        ("/admin/models", "main [aria-haspopup=menu]"),
    ):
        page.goto(hub.url + path.format(**furnished.conversations))
        settled(page)
        for opener in page.locator(openers).filter(visible=True).all()[:6]:
            opener.scroll_into_view_if_needed()
            widest, window = widest_while_opening(opener)
            assert widest <= window, (path, opener.evaluate("(e) => e.outerHTML"))
            expect(layers.first).to_be_visible()
            at_rest(page)
            page.keyboard.press("Escape")
            expect(layers).to_have_count(0)
    clean(watch.faults)
    page.context.close()


@in_use
def test_a_new_person_sees_what_each_page_is_for_and_nothing_of_the_administration(
    furnished: Furnished, browser: Browser
) -> None:
    hub = furnished.hub
    page, watch = new_page(browser, WIDE, hub)
    sign_in(page, hub, BOB)
    page.goto(f"{hub.url}/chat")
    settled(page)
    faults = examine(page, "new-chat")
    rail = page.get_by_role("navigation", name="Main")
    expect(rail.get_by_role("link", name="Chat")).to_be_visible()
    expect(rail.get_by_role("link", name="API keys")).to_be_visible()
    expect(rail.get_by_text("Administration")).to_have_count(0)
    for link in rail.get_by_role("link").all():
        assert "/admin/" not in (link.get_attribute("href") or "")

    for name, path in (("keys", "/account/keys"), ("credits", "/account/credits")):
        page.goto(hub.url + path)
        settled(page)
        faults += examine(page, f"new-{name}")
    for name in ("users", "models", "jobs", "settings", "audit"):
        page.goto(f"{hub.url}/admin/{name}")
        expect(page.get_by_role("heading", name="This page is not for your role")).to_be_visible()
    faults += examine(page, "forbidden")
    clean(faults + watch.faults)
    page.context.close()


@in_use
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    furnished: Furnished, browser: Browser
) -> None:
    hub = furnished.hub
    page, watch = new_page(browser, WIDE, hub)
    page.goto(f"{hub.url}/sign-in")
    expect(page.get_by_label("E-mail")).to_be_focused()
    clean(unreached_by_tab(page))

    # In by keyboard alone, with a wrong password first: the slip is told, what was typed stays.
    page.get_by_label("E-mail").focus()
    page.keyboard.type(BOB)
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The e-mail address or the password is wrong")
    expect(page.get_by_label("E-mail")).to_have_value(BOB)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    message = page.get_by_role("textbox", name="Message")
    expect(message).to_be_focused()
    furnished.asked("bob", "What is this?", "echo", furnished.bob_key)
    page.goto(f"{hub.url}/chat/{furnished.conversations['bob']}")
    settled(page)
    expect(page.get_by_text("You said: What is this?")).to_be_visible()
    message.fill("So that the question can be sent")
    clean(unreached_by_tab(page))

    # The palette: it opens, filters, goes there, and gives the focus back.
    message.fill("")
    message.focus()
    field = page.get_by_role("combobox", name="Find a page")

    def palette(words: str) -> None:
        page.keyboard.press("Control+k")
        expect(field).to_be_focused()
        page.keyboard.type(words)

    palette("keys")
    expect(page.get_by_role("option", selected=True)).to_have_text("API keys")
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/keys")
    expect(page.get_by_role("dialog")).to_have_count(0)
    palette("zzzz")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    palette("dark")
    expect(page.get_by_role("option", selected=True)).to_contain_text("dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    clean(watch.faults)
    page.context.close()


UNSAFE = """<script>window.taken = 'script'</script>

<img src=x onerror="window.taken = 'onerror'"> <svg onload="window.taken = 'svg'"></svg>

<iframe src="https://elsewhere.example/frame"></iframe>

<a href="javascript:window.taken='html link'">html link</a>

[plain](javascript:window.taken='link') [coded](java&#115;cript:window.taken='coded')
[data](data:text/html,<script>window.taken='data'</script>) [vb](vbscript:window.taken)
![remote](https://elsewhere.example/pixel.png) ![inline](data:image/svg+xml,<svg/onload=alert(1)>)
<style>body { display: none }</style>

[real](https://elsewhere.example/page)
<https://elsewhere.example/auto>"""


@in_use
def test_an_answer_can_neither_act_nor_fetch(furnished: Furnished, browser: Browser) -> None:
    hub = furnished.hub
    conversation = furnished.asked("unsafe", UNSAFE, "echo")
    token = furnished.post(f"/api/v1/conversations/{conversation}/share", {})["token"]
    page, watch = new_page(browser, WIDE, hub)
    page.on("dialog", lambda dialog: watch.faults.append(f"dialog: {dialog.message}"))
    sign_in(page, hub, ADA)
    prefer(page, hub, locale="en")
    for path in (f"/chat/{conversation}", f"/s/{token}"):
        page.goto(hub.url + path)
        settled(page)
        expect(page.get_by_role("link", name="real")).to_be_visible()
        article = page.get_by_role("article", name="Assistant")
        # What is no Markdown is there to read, as text.
        expect(article).to_contain_text("window.taken = 'onerror'")
        for text in ("plain", "coded", "data", "vb"):
            article.get_by_text(text, exact=True).click()
        assert page.evaluate("window.taken") is None
        assert page.locator("main").locator("img, iframe, script, style, object, embed").count() == 0
        hrefs = page.locator("main a").evaluate_all("(links) => links.map((a) => a.href)")
        assert {href.split(":")[0] for href in hrefs} <= {"http", "https"}, hrefs
        for link in article.locator("a").all():
            assert link.get_attribute("target") == "_blank"
            assert "noopener" in (link.get_attribute("rel") or "")
        clean(examine(page, "unsafe"))
    clean(watch.faults)
    page.context.close()


EXTREME = "\n\n".join(
    (
        "W" * 3000,
        "https://elsewhere.example/" + "path/" * 200,
        "```python\n" + "\n".join(f"value_{n} = {'x' * 400!r}  # line {n}" for n in range(300)) + "\n```",
        "| " + " | ".join(f"column {n}" for n in range(24)) + " |\n" + "|---" * 24 + "|\n"
        + "| " + " | ".join("a long cell" for n in range(24)) + " |",
        "مرحبا بالعالم، هذه فقرة مكتوبة من اليمين إلى اليسار.",
        "`" + "y" * 500 + "`",
        "> " * 12 + "deep",
        "\n".join("  " * n + "- level" for n in range(14)),
        "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 e\u0301 ﷽ Z̸͇̈́a̷l̶g̴o̵ 漢字かな交じり文 한국어",
        "# " + "A very long heading " * 12,
    )
)  # fmt: skip


@in_both_looks
def test_extreme_text_stays_in_its_place(furnished: Furnished, browser: Browser, look: Look) -> None:
    hub = furnished.hub
    conversation = furnished.conversations.get("extreme") or furnished.asked("extreme", EXTREME, "echo")
    page, watch = new_page(browser, look, hub)
    sign_in(page, hub, ADA)
    prefer(page, hub, locale=look.locale)
    page.goto(f"{hub.url}/chat/{conversation}")
    settled(page)
    article = page.get_by_role("article").last
    expect(article.locator("pre")).to_be_visible()
    expect(page.locator("main textarea")).to_be_in_viewport()
    # A long question makes room for its answer until one asks for all of it.
    question = page.get_by_role("article").first
    assert question.evaluate("(e) => e.offsetHeight") < 600
    question.get_by_role("button", name=re.compile("Show all|Tout afficher")).click()
    assert question.evaluate("(e) => e.offsetHeight") > 2000
    arabic = article.get_by_text("مرحبا")
    assert arabic.evaluate("(e) => getComputedStyle(e).direction") == "rtl"
    faults = examine(page, f"{look.name}-extreme")
    article.get_by_text("مرحبا").scroll_into_view_if_needed()
    keep_picture(page, f"{look.name}-extreme-middle")
    page.get_by_role("article").first.scroll_into_view_if_needed()
    keep_picture(page, f"{look.name}-extreme-top")
    clean(faults + watch.faults)
    page.context.close()


@in_both_looks
def test_an_answer_on_its_way_is_for_everyone(furnished: Furnished, browser: Browser, look: Look) -> None:
    hub = furnished.hub
    conversation = str(furnished.post("/api/v1/conversations", {"model": "slow"})["id"])
    page, watch = new_page(browser, look, hub)
    sign_in(page, hub, ADA)
    prefer(page, hub, locale=look.locale)
    page.goto(f"{hub.url}/chat/{conversation}")
    settled(page)
    page.locator("main textarea").fill("Count the words for me\nslowly")
    page.keyboard.press("Enter")
    # The conversation has its name everywhere before its first answer is complete.
    expect(page.get_by_role("heading", level=1)).to_have_text("Count the words for me")
    expect(page).to_have_title(re.compile("^Count the words for me"))
    if look is WIDE:
        expect(page.get_by_role("link", name="Count the words for me")).to_be_visible()
    expect(page.get_by_text("word3")).to_be_visible()
    faults = examine(page, f"{look.name}-streaming")
    stop = "Stop" if look is WIDE else "Arrêter"
    page.get_by_role("button", name=stop).click()
    stopped = "You stopped this answer." if look is WIDE else "Vous avez arrêté cette réponse."
    expect(page.get_by_text(stopped)).to_be_visible()
    faults += examine(page, f"{look.name}-stopped")
    clean(faults + watch.faults)
    page.context.close()


@pytest.mark.xdist_group("pages-outage")
def test_a_hub_that_stops_is_told_and_taken_up_again_when_it_returns(
    upstream: Upstream, browser: Browser
) -> None:
    with running_hub(AIHUB_EMBEDDED="false", AIHUB_DEFAULT_MODEL="echo") as hub:
        ada = hub.set_up(ADA, PASSWORD)
        hub.connect(ada, upstream.url, "echo", "slow")
        bob = hub.person(ada, BOB, PASSWORD)
        told_and_taken_up_again(Furnished(hub, dict(bob.headers)), browser)


def told_and_taken_up_again(bobs: Furnished, browser: Browser) -> None:
    hub = bobs.hub
    page, watch = new_page(browser, WIDE, hub, "ERR_", "Failed to fetch dynamically imported module")
    other, other_watch = new_page(browser, PHONE, hub, "ERR_")
    conversation = str(bobs.post("/api/v1/conversations", {"model": "slow"})["id"])
    quiet = bobs.asked("quiet", "Are you there?", "echo")
    sign_in(page, hub, BOB)
    other.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    other.goto(f"{hub.url}/chat/{quiet}")
    expect(other.get_by_text("You said: Are you there?")).to_be_visible()

    page.goto(f"{hub.url}/chat/{conversation}")
    message = page.get_by_role("textbox", name="Message")
    message.fill("Tell me sixty words")
    page.keyboard.press("Enter")
    expect(page.get_by_text("word3")).to_be_visible()
    message.fill("A thought for later")
    hub.stop()

    # In the middle of an answer: what was shown stays, and the page says what it waits for.
    lost = page.get_by_text("Connection lost. The answer goes on as soon as it is back.")
    expect(lost).to_be_visible()
    expect(lost).to_have_css("opacity", "1")
    expect(page.get_by_text("word3")).to_be_visible()
    clean(examine(page, "lost-while-streaming"))

    # A question that does not get through: a way to try again, and nothing typed is lost.
    box = other.get_by_role("textbox", name="Message")
    box.fill("Does this arrive?")
    other.keyboard.press("Enter")
    expect(other.get_by_role("alert")).to_contain_text("The hub does not answer")
    expect(box).to_have_value("Does this arrive?")
    clean(examine(other, "question-not-sent"))

    # A page that was not loaded yet.
    page.get_by_role("link", name="Credits and usage").first.click()
    expect(page.get_by_role("heading", name="The hub does not answer")).to_be_visible()
    keep_picture(page, "page-not-loaded")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="The hub does not answer")).to_be_visible()

    hub.start()
    expect(page.get_by_role("heading", name="Credits and usage")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("This answer was interrupted. What arrived is kept.")).to_be_visible()
    expect(message).to_have_value("A thought for later")
    clean(examine(page, "interrupted"))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("word60")).to_be_visible()

    other.get_by_role("button", name="Try again").click()
    expect(other.get_by_text("You said: Does this arrive?")).to_be_visible()
    expect(other.get_by_text("Does this arrive?", exact=True)).to_have_count(1)
    expect(box).to_have_value("")
    clean(watch.faults + other_watch.faults)
    page.context.close()
    other.context.close()
