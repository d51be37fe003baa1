"""Exporting one's data: everything, to nobody else, in flat memory, once however it is interrupted."""

import asyncio
import json
import stat
import tracemalloc
import zipfile
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text
from tests.services.conftest import Client, MakeClient, MakeUser, served
from tests.services.privacy.conftest import SCOPE, SECRET, Furnish, working
from tests.support.mail import Mailbox, text_of
from tests.support.waiting import until

from aihub.kernel.clock import FixedClock
from aihub.kernel.db import owned_by
from aihub.kernel.runtime import Runtime
from aihub.kernel.security_events import SecurityLog
from aihub.services.identity.contracts import User
from aihub.services.privacy import archive, domain, jobs, service
from aihub.services.privacy.service import Registry, exports


async def ask(hub: Runtime, user: User) -> UUID:
    async with hub.database.work(SCOPE) as work:
        return (await service.ask_for_export(work, hub, user.id, job=jobs.EXPORT, actor=None)).id


async def exported(hub: Runtime, user: User) -> Path:
    """The file of a new export, of a person about whom nothing is still to be written."""
    await hub.get(SecurityLog).write()
    export_id = await ask(hub, user)
    await exports.write_export(hub, export_id)
    async with hub.database.work(owned_by(user.id)) as work:
        return (await service.own_export(work, hub, export_id, user.id))[0]


def files(home: Path) -> list[Path]:
    return sorted(archive.folder(home).iterdir())


async def test_every_row_of_a_furnished_person_is_in_it(hub: Runtime, furnish: Furnish) -> None:
    user, other = await furnish("ada"), await furnish("bob")
    path = await exported(hub, user)
    subject = exports.subject_of(hub, user)
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        index = {entry["file"]: entry for entry in json.loads(bundle.read("index.json"))["files"]}
        names = set(bundle.namelist())
        readme = bundle.read("README.html").decode()
        sheets = {name: json.loads(bundle.read(name)) for name in names if name.startswith("data/")}
        whole = b"".join(bundle.read(name) for name in names).decode()
    assert names == {"README.html", "index.json", *index} | {n for n in names if n.startswith("attachments/")}
    for kind in hub.get(Registry).data:
        async with hub.database.work(SCOPE) as work:
            held = await kind.count(work, subject)
        told = [sheet for sheet in sheets.values() if sheet["data"] == kind.name]
        rows = sum(len(sheet["rows"]) for sheet in told)
        # This export itself and the letter about it came after the file was begun.
        assert rows == held or kind.name in ("letters", "jobs"), (kind.name, held, rows)
        assert all(sheet["title"] == kind.title for sheet in told)
    for name, sheet in sheets.items():
        assert index[name]["rows"] == len(sheet["rows"])
        assert f">{name}</a>" in readme
    furnished = {sheet["data"] for sheet in sheets.values() if sheet["rows"]}
    assert furnished >= {
        "account", "api_keys", "attachments", "audit_log", "conversations", "ledger_accounts",
        "ledger_entries", "letters", "messages", "one_time_links", "passkeys", "recovery_codes", "roles",
        "run_events", "runs", "sessions", "totp_secrets", "idempotency_records", "data_keys", "data_exports",
    }  # fmt: skip
    assert other.email not in whole
    assert str(other.id) not in whole


async def test_its_values_are_as_documented(hub: Runtime, furnish: Furnish) -> None:
    user = await furnish("ada")
    with zipfile.ZipFile(await exported(hub, user)) as bundle:

        def rows(name: str) -> Any:
            return json.loads(bundle.read(f"data/{name}.json"))["rows"]

        assert {entry["amount"] for entry in rows("ledger_entries")} >= {"12.500000", "5.000000"}
        (account,) = rows("account")
        assert datetime.fromisoformat(account["created_at"]).tzinfo
        assert account["created_at"].endswith("Z")
        assert account["email"] == user.email
        secrets = {"password_hash", "token_hash", "hash", "secret", "pending", "code_hash", "wrapped"}
        for name in ("account", "sessions", "api_keys", "totp_secrets", "recovery_codes", "data_keys"):
            for row in rows(name):
                assert not secrets & set(row), name
        (original,) = [name for name in bundle.namelist() if name.startswith("attachments/")]
        assert original.endswith("/notes.txt")
        assert bundle.read(original).decode() == SECRET
        assert all(info.external_attr >> 16 == 0o600 for info in bundle.infolist())


async def test_the_file_is_for_the_hub_alone(hub: Runtime, furnish: Furnish, home: Path) -> None:
    path = await exported(hub, await furnish("ada"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent == home / "exports"
    assert len(path.name.split(".")[1]) >= 32
    assert files(home) == [path]


async def test_two_at_once_are_one(hub: Runtime, furnish: Furnish, client: MakeClient) -> None:
    user = await furnish("ada")
    browser = client()
    await browser.sign_in(user.email)
    answers = await asyncio.gather(*(browser("POST", "/api/v1/me/exports") for _ in range(10)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body["id"] for answer in answers}) == 1
    async with hub.database.work(SCOPE) as work:
        queued = "select count(*) from procrastinate_jobs where task_name = 'privacy.export'"
        assert await work.session.scalar(text(queued)) == 1


async def test_written_by_two_workers_at_once_it_ends_once(
    hub: Runtime, furnish: Furnish, home: Path, mailbox: Mailbox
) -> None:
    user = await furnish("ada")
    export_id = await ask(hub, user)
    await asyncio.gather(*(exports.write_export(hub, export_id) for _ in range(4)))
    async with hub.database.work(SCOPE) as work:
        path, _ = await service.own_export(work, hub, export_id, user.id)
        letters = "select count(*) from outbox where kind = 'export_ready'"
        assert await work.session.scalar(text(letters)) == 1
    assert zipfile.ZipFile(path).testzip() is None
    assert [file.suffix for file in files(home)].count(".zip") == 1


async def test_it_is_told_by_a_letter_whose_link_works_for_a_day(
    hub: Runtime, furnish: Furnish, client: MakeClient, mailbox: Mailbox, clock: FixedClock, home: Path
) -> None:
    user = await furnish("ada")
    browser = client()
    await browser.sign_in(user.email)
    asked = (await browser("POST", "/api/v1/me/exports")).body
    assert asked["status"] == "waiting"
    async with working(hub):

        def letter() -> Any:
            there = mailbox.letters_to(user.email)
            return next((one for one in there if "data is ready" in str(one["Subject"])), None)

        told = text_of(await until(letter, 20))  # type: ignore[arg-type]
    listed = (await browser("GET", "/api/v1/me/exports")).body["items"]
    (export,) = [item for item in listed if item["id"] == asked["id"]]
    assert (export["status"], export["rows_done"]) == ("ready", export["rows_total"])
    link = next(word for word in told.split() if "/api/v1/exports/" in word)
    path = link.removeprefix("https://hub.example.org")
    async with served(hub) as url, httpx2.AsyncClient(base_url=url, timeout=60) as nobody:
        given = await nobody.get(path)
        assert given.status_code == 200
        assert given.headers["content-type"] == "application/zip"
        assert "attachment" in given.headers["content-disposition"]
        assert given.headers["cache-control"] == "no-store"
        assert len(given.content) == export["size"]
        assert zipfile.ZipFile(BytesIO(given.content)).testzip() is None
        for wrong in (
            path[:-1] + ("A" if path[-1] != "A" else "B"),
            path.replace("expires=1", "expires=2"),
            path.replace(str(export["id"]), str(UUID(int=7))),
            path.partition("&signature")[0] + "&signature=AA",
        ):
            refused = await nobody.get(wrong)
            assert (refused.status_code, refused.json()["code"]) == (404, "privacy.export_gone"), wrong
        clock.at += domain.EXPORT_LIFE + timedelta(seconds=1)
        assert (await nobody.get(path)).status_code == 404
    await exports.tidy(hub, jobs.EXPORT)
    assert files(home) == []
    await browser.sign_in(user.email)
    left = (await browser("GET", "/api/v1/me/exports")).body["items"]
    assert [item["status"] for item in left] == ["failed"]


async def test_another_person_sees_nothing_of_it(
    hub: Runtime, furnish: Furnish, client: MakeClient, make_user: MakeUser
) -> None:
    ada_user = await furnish("ada")
    ada, bob = client(), client()
    await ada.sign_in(ada_user.email)
    await bob.sign_in((await make_user("bob")).email)
    export_id = (await ada("POST", "/api/v1/me/exports")).body["id"]
    await exports.write_export(hub, UUID(export_id))
    for method, path in (
        ("GET", f"/api/v1/me/exports/{export_id}/file"),
        ("DELETE", f"/api/v1/me/exports/{export_id}"),
        ("GET", f"/api/v1/exports/{export_id}?expires=99999999999&signature=AAAA"),
    ):
        answer = await bob(method, path)
        assert (answer.status, answer.code) == (404, "privacy.export_gone"), path
    assert (await bob("GET", "/api/v1/me/exports")).body["items"] == []
    ready = await ada.http.get(
        f"/api/v1/me/exports/{export_id}/file", headers={"Cookie": f"__Host-aihub={ada.cookie}"}
    )
    assert ready.status_code == 200


async def test_it_can_be_deleted_with_its_file(
    hub: Runtime, furnish: Furnish, client: MakeClient, home: Path
) -> None:
    user = await furnish("ada")
    browser = client()
    await browser.sign_in(user.email)
    export_id = (await browser("POST", "/api/v1/me/exports")).body["id"]
    await exports.write_export(hub, UUID(export_id))
    assert len(files(home)) == 1
    assert (await browser("DELETE", f"/api/v1/me/exports/{export_id}")).status == 204
    assert files(home) == []
    assert (await browser("DELETE", f"/api/v1/me/exports/{export_id}")).status == 404
    # Deleted while it is written: no file stays, and no letter is sent.
    export_id = (await browser("POST", "/api/v1/me/exports")).body["id"]
    async with hub.database.work(SCOPE) as work:
        await work.session.execute(text("delete from outbox"))
    begun = asyncio.Event()
    original = archive.write

    async def slow(*given: Any, **more: Any) -> tuple[int, int]:
        begun.set()
        written = await original(*given, **more)
        assert (await browser("DELETE", f"/api/v1/me/exports/{export_id}")).status == 204
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "write", slow)
        await exports.write_export(hub, UUID(export_id))
    assert begun.is_set()
    assert files(home) == []
    async with hub.database.work(SCOPE) as work:
        assert await work.session.scalar(text("select count(*) from outbox")) == 0


async def test_an_attempt_that_died_leaves_nothing_behind(hub: Runtime, furnish: Furnish, home: Path) -> None:
    user = await furnish("ada")
    export_id = await ask(hub, user)
    folder = archive.folder(home)
    for name in (f"{export_id}.old.zip.part", f"{export_id}.old.zip", f"{UUID(int=9)}.lost.zip"):
        (folder / name).write_bytes(b"half")
    await exports.write_export(hub, export_id)
    assert len([f for f in files(home) if f.name.startswith(str(export_id))]) == 1
    await exports.tidy(hub, jobs.EXPORT)
    assert len(files(home)) == 1


async def test_an_export_that_nobody_writes_is_ordered_again(
    hub: Runtime, furnish: Furnish, clock: FixedClock
) -> None:
    user = await furnish("ada")
    await ask(hub, user)
    async with hub.database.work(SCOPE) as work:
        await work.session.execute(text("delete from procrastinate_jobs"))
    clock.at += timedelta(minutes=10)
    for _ in range(2):
        await exports.tidy(hub, jobs.EXPORT)
    async with hub.database.work(SCOPE) as work:
        queued = "select count(*) from procrastinate_jobs where task_name = 'privacy.export'"
        assert await work.session.scalar(text(queued)) == 1


async def test_memory_stays_flat(hub: Runtime, furnish: Furnish) -> None:
    user = await furnish("ada")
    many, size = 4_000, 10_000
    async with hub.database.work(SCOPE) as work:
        await work.session.execute(
            text(
                "insert into messages (id, conversation_id, owner_id, role, text) "
                "select gen_random_uuid(), c.id, :o, 'user', repeat(md5(n::text), :size / 32) "
                "from generate_series(1, :many) n, (select id from conversations where owner_id = :o) c"
            ),
            {"o": user.id, "many": many, "size": size},
        )
    tracemalloc.start()
    try:
        path = await exported(hub, user)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    with zipfile.ZipFile(path) as bundle:
        assert bundle.getinfo("data/messages.json").file_size > many * size
    assert peak < many * size / 2, f"{peak:,} bytes for {many * size:,}"


async def test_the_page_says_what_there_is_in_numbers(
    hub: Runtime, furnish: Furnish, client: MakeClient
) -> None:
    user = await furnish("ada")
    browser = client()
    await browser.sign_in(user.email)
    page = (await browser("GET", "/api/v1/me/privacy")).body
    counts = {holding["name"]: holding["count"] for holding in page["holdings"]}
    assert set(counts) == {kind.name for kind in hub.get(Registry).data}
    assert (counts["messages"], counts["account"], counts["attachments"]) == (4, 1, 1)
    kept = {holding["name"]: holding["kept"] for holding in page["holdings"]}
    assert kept["ledger_entries"]
    assert kept["messages"] == ""
    assert [item["status"] for item in page["exports"]] == ["failed"]
    assert page["deletion"] is None


async def test_by_an_administrator_the_link_goes_to_the_person(
    hub: Runtime, furnish: Furnish, make_user: MakeUser, client: MakeClient, mailbox: Mailbox
) -> None:
    user, chief_user = await furnish("ada"), await make_user("chief", "super_admin")
    chief: Client = client()
    await chief.sign_in(chief_user.email)
    path = f"/api/v1/users/{user.id}/exports"
    assert (await chief("POST", path, {"reason": "no"})).status == 422
    asked = await chief("POST", path, {"reason": "they wrote a letter"})
    assert (asked.status, asked.body["by_administrator"]) == (202, True)
    async with working(hub):
        await until(lambda: any("ready" in str(x["Subject"]) for x in mailbox.letters_to(user.email)), 20)
    assert not any("ready" in str(x["Subject"]) for x in mailbox.letters_to(chief_user.email))
    refused = await chief("GET", f"/api/v1/me/exports/{asked.body['id']}/file")
    assert refused.status == 404
