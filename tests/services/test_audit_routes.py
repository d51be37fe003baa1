"""The audit trail and the security events over HTTP: filters, export, checks, and everybody's own part."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from tests.services.conftest import PASSWORD, Client, MakeUser
from tests.support.waiting import until

from aihub.kernel import audit
from aihub.kernel.audit.jobs import check
from aihub.kernel.clock import FixedClock
from aihub.kernel.db import system
from aihub.kernel.jobs.job import JobContext
from aihub.kernel.runtime import Runtime
from aihub.kernel.security_events import SecurityLog
from aihub.services.identity.contracts import User

MakeClient = Callable[..., Client]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
async def ada(client: MakeClient, make_user: MakeUser) -> Client:
    await make_user("ada", "super_admin")
    browser = client()
    browser.headers["User-Agent"] = AGENT
    assert (await browser.sign_in("ada@example.org")).status == 200
    return browser


async def trail(browser: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await browser("GET", f"/api/v1/audit?{query}")
    assert answer.status == 200, answer.body
    items: list[dict[str, Any]] = answer.body["items"]
    return items


async def test_an_entry_says_from_where_with_what_and_what_changed(ada: Client, make_user: MakeUser) -> None:
    bob = await make_user("bob")
    answer = await ada("PATCH", f"/api/v1/users/{bob.id}", {"roles": ["manager"], "name": "Robert"})
    assert answer.status == 200, answer.body
    entry = (await trail(ada, "action=user.update"))[0]
    assert entry["actor"] == "ada@example.org"
    assert entry["ip"] == "127.0.0.1"
    assert entry["user_agent"] == AGENT
    assert entry["session_id"] is not None
    assert entry["key_id"] is None
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["subject_id"] == str(bob.id) == entry["target_id"]
    assert entry["changes"] == {"name": ["bob", "Robert"], "roles": [["user"], ["manager"]]}
    assert (await ada("GET", f"/api/v1/audit/entries/{entry['id']}")).body == entry
    assert (await ada("GET", f"/api/v1/audit/entries/{bob.id}")).status == 404


async def test_the_trail_is_narrowed_by_every_filter(ada: Client, make_user: MakeUser) -> None:
    bob = await make_user("bob")
    await ada("PATCH", f"/api/v1/users/{bob.id}", {"name": "Zebra"})
    everything = await trail(ada)
    actions = {entry["action"] for entry in everything}
    assert {"user.create", "session.create", "user.update"} <= actions
    assert set((await ada("GET", "/api/v1/audit/actions")).body["items"]) == actions
    for query, expected in {
        "q=zEbRa": {"user.update"},
        "action=session.*": {"session.create"},
        "actor=ada@": {"session.create", "user.update"},
        f"target_kind=user&target_id={bob.id}": {"user.create", "user.update"},
        "ip=127.0.0.*": {"session.create", "user.update"},
        "ip=192.0.2.1": set(),
        "since=2000-01-01T00:00:00Z&until=2001-01-01T00:00:00Z": set(),
        "since=2000-01-01T00:00:00Z": actions,
        "q=%25": set(),
    }.items():
        assert {entry["action"] for entry in await trail(ada, query)} == expected, query
    for query in ("since=yesterday", "limit=0", f"q={'x' * 301}", "since=2000-01-01T00:00:00"):
        assert (await ada("GET", f"/api/v1/audit?{query}")).status == 422, query


async def test_everybody_sees_their_own_part_and_nobody_elses_address(
    ada: Client, client: MakeClient, make_user: MakeUser
) -> None:
    bob, eve = await make_user("bob"), await make_user("eve")
    for person in (bob, eve):
        await ada("PATCH", f"/api/v1/users/{person.id}", {"name": f"New {person.name}"})
    browser = client()
    await browser.sign_in("bob@example.org")
    body = (await browser("GET", "/api/v1/me/activity")).body
    assert [(item["by"], item["action"]) for item in body["items"]] == [
        ("you", "session.create"), ("somebody", "user.update"), ("hub", "user.create"),
    ]  # fmt: skip
    own, by_ada, _ = body["items"]
    assert own["ip"] == "127.0.0.1"
    assert (by_ada["ip"], by_ada["user_agent"]) == (None, None)
    assert by_ada["changes"] == {"name": ["bob", "New bob"]}
    assert "ada@" not in str(body)
    assert "eve" not in str(body)
    for path in ("audit", "audit/actions", "audit/checkpoints", "audit/verification", "security-events"):
        assert (await browser("GET", f"/api/v1/{path}")).status == 403, path
    # What Ada did to others is in her activity, without what is theirs.
    mine = (await ada("GET", "/api/v1/me/activity?action=user.update")).body["items"]
    assert [(item["by"], item["changes"]) for item in mine] == [("you", None), ("you", None)]


async def test_an_export_is_safe_complete_and_noted(ada: Client, hub: Runtime, clock: FixedClock) -> None:
    async with hub.database.work(system("test")) as work:
        for number in range(2_100):
            await audit.record(
                work, actor=None, action="test.many", target_kind="=cmd|' /C calc'!A0", target_id=f"-{number}"
            )
    path = "/api/v1/audit/export"
    lines = await _content(ada, path, {"format": "jsonl", "action": "test.*"})
    entries = [orjson.loads(line) for line in lines.splitlines()]
    assert [entry["target_id"] for entry in entries] == [f"-{number}" for number in reversed(range(2_100))]
    table = list(csv.DictReader(io.StringIO((await _content(ada, path, {"format": "csv"})).decode())))
    assert len([row for row in table if row["action"] == "test.many"]) == 2_100
    assert not [cell for row in table for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t"))]
    noted = await trail(ada, "action=audit.export")
    assert [entry["details"] for entry in noted] == [{"filter": {}}, {"filter": {"action": "test.*"}}]
    assert (await ada("POST", path, {"format": "xml"})).status == 422
    clock.at += timedelta(minutes=11)
    assert (await ada("POST", path, {"format": "csv"})).code == "auth.fresh_proof_needed"
    key = await _key(ada, hub)
    assert (await Client(ada.http, key=key)("POST", path, {"format": "csv"})).status == 403


async def _content(browser: Client, path: str, body: object) -> bytes:
    headers = {"Cookie": f"__Host-aihub={browser.cookie}", "X-CSRF-Token": browser.csrf or ""}
    response = await browser.http.request("POST", path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert "attachment" in response.headers["content-disposition"]
    return bytes(response.content)


async def _key(browser: Client, hub: Runtime) -> str:
    await browser("POST", "/api/v1/session/proof", {"password": PASSWORD})
    made = await browser("POST", "/api/v1/keys", {"name": "k", "scopes": ["audit:export"]})
    assert made.status in (200, 201), made.body
    return str(made.body["key"])


async def test_a_check_is_asked_for_and_its_result_shown(ada: Client, hub: Runtime) -> None:
    path = "/api/v1/audit/verification"
    assert (await ada("GET", path)).body == {"latest": None, "finished": None}
    begun = (await ada("POST", path)).body["latest"]
    assert begun["finished_at"] is None
    assert (await ada("POST", path)).body["latest"]["id"] == begun["id"]  # one at a time
    await check(JobContext(hub, 1, 1), verification=begun["id"])
    state = (await ada("GET", path)).body
    assert state["finished"] == state["latest"]
    assert (state["latest"]["ok"], state["latest"]["problems"]) == (True, [])
    assert state["latest"]["up_to"] == state["latest"]["rows"] == len(await trail(ada))
    assert (await ada("POST", path)).body["latest"]["id"] != begun["id"]


async def test_refusals_and_notable_deeds_are_security_events(
    ada: Client, client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    bob: User = await make_user("bob")
    browser = client()
    await browser("POST", "/api/v1/session", {"email": "bob@example.org", "password": "wrong wrong wrong"})
    await browser("POST", "/api/v1/session", {"email": "nobody@example.org", "password": "wrong wrong wrong"})
    await browser.sign_in("bob@example.org")
    assert (await browser("GET", "/api/v1/users")).status == 403
    browser.csrf = "nonsense"
    assert (await browser("PATCH", "/api/v1/me", {"name": "x"})).status == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert (await browser("PATCH", "/api/v1/me", {"name": "x"}, headers=elsewhere)).status == 403
    await client(key="ahk_abcdefgh_" + "x" * 43)("GET", "/api/v1/keys")
    await ada("PATCH", f"/api/v1/users/{bob.id}", {"roles": ["manager"]})
    key = (await ada("POST", "/api/v1/keys", {"name": "k", "scopes": ["users:read"]})).body
    await ada("DELETE", f"/api/v1/keys/{key['id']}")
    await hub.get(SecurityLog).write()
    events = (await ada("GET", "/api/v1/security-events?limit=100")).body["items"]
    seen = {event["kind"]: event for event in events}
    assert seen.keys() >= {
        "sign_in.failed", "access.denied", "csrf.refused", "origin.refused", "key.refused",
        "privilege.changed", "key.created", "key.revoked", "account.created",
    }  # fmt: skip
    assert seen["sign_in.failed"]["subject"] == "address:127.0.0.1"
    assert seen["access.denied"]["subject"] == f"user:{bob.id}"
    assert seen["access.denied"]["facts"]["path"] == "/api/v1/users"
    assert seen["privilege.changed"]["subject_id"] == str(bob.id)
    assert "nobody@example.org" not in str(events)  # what was typed may be anything
    assert "wrong wrong" not in str(events)
    counts = (await ada("GET", "/api/v1/security-events/counts")).body["items"]
    assert {"kind": "sign_in.failed", "severity": "warning", "count": 2} in counts
    one = (await ada("GET", "/api/v1/security-events?kind=csrf.*&severity=warning&q=127.0.0.1")).body["items"]
    assert [event["kind"] for event in one] == ["csrf.refused"]


async def test_everybody_is_signed_out_in_every_process(
    ada: Client, client: MakeClient, make_user: MakeUser, hub: Runtime
) -> None:
    from aihub.services.identity.service import end_everybodys_sessions

    await make_user("bob")
    browser = client()
    await browser.sign_in("bob@example.org")
    assert (await browser("GET", "/api/v1/session")).status == 200
    async with hub.database.work(system("test")) as work:
        assert await end_everybodys_sessions(work, None, "incident") == 2

    async def out(who: Client) -> bool:
        return (await who("GET", "/api/v1/session")).status == 401

    checks: list[Callable[[], Awaitable[bool]]] = [lambda: out(ada), lambda: out(browser)]
    for gone in checks:
        await until(gone, 5)
