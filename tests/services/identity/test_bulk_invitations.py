"""Inviting many people at once: a preview that promises nothing false, and letters that are sent once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from tests.services.conftest import Answer, Client, MakeClient, MakeUser

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.domain import INVITATION_LIFE, PROOF_LIFE

PREVIEW, BULK = "/api/v1/invitations/bulk/preview", "/api/v1/invitations/bulk"
Inviter = Callable[..., Awaitable[Client]]


@pytest.fixture
def inviter(client: MakeClient, make_user: MakeUser) -> Inviter:
    async def make(*roles: str, name: str = "ada") -> Client:
        await make_user(name, *roles)
        browser: Client = client()
        assert (await browser.sign_in(f"{name}@example.org")).status == 200
        return browser

    return make


async def preview(browser: Client, csv: str | bytes, **query: str) -> Answer:
    response = await browser.http.post(
        PREVIEW,
        params=query,
        content=csv if isinstance(csv, bytes) else csv.encode(),
        headers={
            "Content-Type": "text/csv",
            "Cookie": f"__Host-aihub={browser.cookie}",
            "X-CSRF-Token": browser.csrf or "",
        },
    )
    browser.http.cookies.clear()
    return Answer(response.status_code, httpx2.Headers(response.headers), response.json())


async def invite(browser: Client, rows: list[dict[str, Any]], key: str = "k1") -> Answer:
    items = [{name: row[name] for name in ("line", "email", "name", "roles", "locale")} for row in rows]
    return await browser("POST", BULK, {"items": items}, headers={"Idempotency-Key": key})


async def letters(hub: Runtime) -> Counter[str]:
    """How many letters each address got."""
    async with hub.database.work(system("test")) as work:
        letters = text("select to_address from outbox where kind = 'invitation'")
        return Counter((await work.session.scalars(letters)).all())


async def test_the_preview_says_what_will_become_of_each_row(
    inviter: Inviter, make_user: MakeUser, hub: Runtime
) -> None:
    browser = await inviter("super_admin")
    await make_user("bob")
    assert (await browser("POST", "/api/v1/invitations", {"email": "waits@example.org"})).status == 201
    sent = await letters(hub)
    answer = await preview(
        browser,
        "email;name;role;language\r\n"
        "New@Example.org;New One;manager;fr\r\n"
        "bob@example.org;;;\r\n"
        "WAITS@example.org;;;\r\n"
        "nonsense;;;\r\n"
        "new@example.org;Twice;;\r\n"
        "x@example.org;;emperor;\r\n"
        "y@example.org;;;de\r\n",
    )
    assert answer.status == 200
    rows = answer.body["items"]
    assert [(row["line"], row["outcome"]) for row in rows] == [
        (2, "invite"), (3, "account"), (4, "invited"), (5, "wrong"), (6, "wrong"), (7, "wrong"), (8, "wrong"),
    ]  # fmt: skip
    assert rows[0] | {"problems": []} == {
        "line": 2, "email": "new@example.org", "name": "New One", "roles": ["manager"], "locale": "fr",
        "outcome": "invite", "problems": [],
    }  # fmt: skip
    problems = [(p["field"], p["code"]) for row in rows for p in row["problems"]]
    assert problems == [("email", "email"), ("email", "repeated"), ("roles", "unknown"), ("locale", "locale")]
    assert "line 2" in rows[4]["problems"][0]["message"]
    assert await letters(hub) == sent


async def test_exactly_the_previewed_rows_are_invited_once(inviter: Inviter, hub: Runtime) -> None:
    browser = await inviter("super_admin")
    rows = (await preview(browser, "a@x.org,Ann,manager,fr\nb@x.org\n", locale="fr")).body["items"]
    first = await invite(browser, rows)
    assert [row["outcome"] for row in first.body["items"]] == ["sent", "sent"]
    again = await invite(browser, rows)
    assert again.body == first.body
    assert await letters(hub) == {"a@x.org": 1, "b@x.org": 1}
    listed = (await browser("GET", "/api/v1/invitations")).body["items"]
    assert {(i["email"], i["name"], tuple(i["roles"]), i["locale"]) for i in listed} == {
        ("a@x.org", "Ann", ("manager",), "fr"), ("b@x.org", "", ("user",), "fr"),
    }  # fmt: skip
    # Another request, not a repetition: they are told apart, and nobody is written to again.
    other = await invite(browser, rows, "k2")
    assert [row["outcome"] for row in other.body["items"]] == ["invited", "invited"]
    mixed = await invite(browser, rows[:1], "k1")
    assert (mixed.status, mixed.code) == (409, "request.idempotency_mismatch")
    assert sum((await letters(hub)).values()) == 2


async def test_two_lists_at_once_write_to_nobody_twice(inviter: Inviter, hub: Runtime) -> None:
    one, other = await inviter("super_admin"), await inviter("super_admin", name="bob")
    rows = (await preview(one, "".join(f"p{n}@x.org\n" for n in range(40)))).body["items"]
    answers = await asyncio.gather(
        invite(one, rows), invite(other, rows[::-1]), invite(one, rows), invite(one, rows[:20], "k2")
    )
    assert {answer.status for answer in answers} == {200}
    outcomes = Counter(row["outcome"] for answer in answers[:2] + answers[3:] for row in answer.body["items"])
    assert outcomes["sent"] + outcomes["invited"] == 100
    assert await letters(hub) == {f"p{n}@x.org": 1 for n in range(40)}


async def test_nobody_gives_roles_that_they_may_not_give(inviter: Inviter, hub: Runtime) -> None:
    browser = await inviter("admin")  # may create people, not give roles
    rows = (await preview(browser, "a@x.org,,super_admin\nb@x.org,,user\n")).body["items"]
    assert [(row["outcome"], row["problems"][:1]) for row in rows][1] == ("invite", [])
    assert rows[0]["problems"][0]["code"] == "beyond_own"
    forced = await invite(browser, rows)
    assert [row["outcome"] for row in forced.body["items"]] == ["wrong", "sent"]
    assert await letters(hub) == {"b@x.org": 1}
    for role in ("user", "manager", "guest"):
        nobody = await inviter(role, name=f"n-{role}")
        assert (await preview(nobody, "c@x.org")).status == 403
        assert (await invite(nobody, rows)).status == 403


async def test_it_needs_a_fresh_proof_and_a_key_for_repetition(inviter: Inviter, clock: FixedClock) -> None:
    browser = await inviter("super_admin")
    rows = (await preview(browser, "a@x.org")).body["items"]
    assert (await browser("POST", BULK, {"items": rows})).status == 422
    clock.at += PROOF_LIFE
    assert (await preview(browser, "a@x.org")).status == 200
    stale = await invite(browser, rows)
    assert (stale.status, stale.code) == (403, "auth.fresh_proof_needed")


async def test_an_expired_invitation_is_sent_anew(inviter: Inviter, clock: FixedClock, hub: Runtime) -> None:
    browser = await inviter("super_admin")
    rows = (await preview(browser, "a@x.org")).body["items"]
    await invite(browser, rows)
    clock.at += INVITATION_LIFE
    await browser.sign_in("ada@example.org")
    assert (await preview(browser, "a@x.org")).body["items"][0]["outcome"] == "invite"
    assert (await invite(browser, rows, "k2")).body["items"][0]["outcome"] == "sent"
    assert await letters(hub) == {"a@x.org": 2}
    assert len((await browser("GET", "/api/v1/invitations")).body["items"]) == 1


@pytest.mark.parametrize(
    ("csv", "status"),
    [
        (b"", 422), (b"\xff\xfe\x00", 422), (b"name\nAda\n", 422), (b'"open', 422),
        (b"a" * 1_000_001, 413), ("\n".join(f"p{n}@x.org" for n in range(1001)).encode(), 422),
    ],
)  # fmt: skip
async def test_what_is_no_list_is_refused_as_a_whole(inviter: Inviter, csv: bytes, status: int) -> None:
    browser = await inviter("super_admin")
    assert (await preview(browser, csv)).status == status


async def test_nonsense_in_rows_is_told_row_by_row(inviter: Inviter, hub: Runtime) -> None:
    browser = await inviter("super_admin")
    odd: list[dict[str, Any]] = [
        {"line": 1, "email": "a@x.org\r\nBcc: b@x.org", "name": "", "roles": [], "locale": ""},
        {"line": 2, "email": "c@x.org", "name": "x\u0000y", "roles": [], "locale": ""},
        {"line": 3, "email": "d@x.org", "name": "n" * 201, "roles": [], "locale": ""},
        {"line": 4, "email": "e@x.org", "name": "=1+1", "roles": ["user", "user"], "locale": "en_GB"},
    ]
    answer = await invite(browser, odd)
    assert [row["outcome"] for row in answer.body["items"]] == ["wrong", "wrong", "wrong", "sent"]
    assert await letters(hub) == {"e@x.org": 1}
    many = [odd[3] | {"email": f"p{n}@x.org"} for n in range(101)]
    assert (await invite(browser, many, "k2")).status == 422
