"""kill -9 in the middle of an export and of a deletion; and both from the command line."""

import json
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.hub import Hub, running_hub

from aihub.kernel.postgres import EmbeddedPostgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PASSWORD = "correct horse battery"
MANY = 5_000


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub(AIHUB_EMBEDDED="false") as hub:
        yield hub


@contextmanager
def database(hub: Hub) -> Iterator[psycopg.Connection[Any]]:
    server = EmbeddedPostgres(hub.home)
    server.attach()
    with psycopg.connect(server.dsn("superuser"), autocommit=True) as connection:
        yield connection


def person(hub: Hub, name: str, messages: int) -> str:
    """Somebody with this many long messages; their id."""
    email = f"{name}@example.org"
    hub.cli("user", "create", "--email", email, "--password-stdin", stdin=PASSWORD)
    with database(hub) as db:
        row = db.execute("select id from users where email = %s", (email,)).fetchone()
        assert row
        db.execute(
            "insert into conversations (id, owner_id, title) values (gen_random_uuid(), %s, %s)",
            (row[0], name),
        )
        db.execute(
            "insert into messages (id, conversation_id, owner_id, role, text) "
            "select gen_random_uuid(), c.id, c.owner_id, 'user', "
            "(select string_agg(md5(n::text || m::text), '') from generate_series(1, 300) m) "
            "from conversations c, generate_series(1, %s) n where c.owner_id = %s",
            (messages, row[0]),
        )
    return str(row[0])


def signed_in(hub: Hub, name: str) -> dict[str, str]:
    entered = hub.post("/api/v1/session", {"email": f"{name}@example.org", "password": PASSWORD})
    assert entered.status == 200, entered.body
    cookie = next(text for header, text in entered.headers.items() if header.lower() == "set-cookie")
    session: Any = entered.json()
    return {"Cookie": cookie.partition(";")[0], "X-CSRF-Token": str(session["csrf_token"])}


def wait_for(look: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def one(hub: Hub, statement: str, *given: object) -> Any:
    with database(hub) as db:
        row = db.execute(statement, given).fetchone()
        return row[0] if row else None


def test_an_export_whose_hub_is_killed_ends_once(hub: Hub) -> None:
    owner = person(hub, "ada", MANY)
    ada = signed_in(hub, "ada")
    made: Any = hub.request("POST", "/api/v1/me/exports", headers=ada).json()
    folder = hub.home / "exports"

    def half() -> bool:
        return folder.is_dir() and any(
            file.stat().st_size > 1_000_000 for file in folder.glob(f"{made['id']}.*.part")
        )

    wait_for(half)
    hub.kill()
    assert one(hub, "select status from data_exports where id = %s", made["id"]) == "running"
    hub.start()

    def ready() -> Any:
        listed: Any = hub.request("GET", "/api/v1/me/exports", headers=ada).json()
        return listed["items"][0] if listed["items"][0]["status"] == "ready" else None

    export = wait_for(ready)
    (file,) = folder.iterdir()
    assert file.stat().st_size == export["size"]
    with zipfile.ZipFile(file) as bundle:
        assert bundle.testzip() is None
        assert len(json.loads(bundle.read("data/messages.json"))["rows"]) == MANY
    letters = "select count(*) from outbox where owner_id = %s and kind = 'export_ready'"
    assert one(hub, letters, owner) == 1


def test_a_deletion_whose_hub_is_killed_is_carried_on_with(hub: Hub) -> None:
    owner = person(hub, "bob", MANY)
    chief = hub.create_admin("chief@example.org")
    assert chief
    headers = signed_in(hub, "chief")
    body = {"reason": "they asked", "immediately": True, "confirmation": "bob@example.org"}
    asked: Any = hub.request("POST", f"/api/v1/users/{owner}/deletion", body, headers=headers).json()
    wait_for(lambda: one(hub, "select erased ? 'messages' from deletions where id = %s", asked["id"]))
    hub.kill()
    assert one(hub, "select stage from deletions where id = %s", asked["id"]) == "erasing"
    hub.start()
    wait_for(lambda: one(hub, "select stage = 'done' from deletions where id = %s", asked["id"]))
    for table in ("users", "messages", "conversations", "sessions", "data_keys"):
        column = "id" if table == "users" else "owner_id"
        assert one(hub, f"select count(*) from {table} where {column} = %s", owner) == 0
    document = one(hub, "select document from deletion_certificates where id = %s", asked["id"])
    told = {entry["data"]: entry["rows"] for entry in document["erased"]}
    assert (told["messages"], told["conversations"], told["account"]) == (MANY, 1, 1)


def test_the_command_line_exports_deletes_and_verifies(hub: Hub, tmp_path: Path) -> None:
    person(hub, "kim", 5)
    target = tmp_path / "kim.zip"
    hub.cli("user", "export", "kim@example.org", "--to", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as bundle:
        assert len(json.loads(bundle.read("data/messages.json"))["rows"]) == 5
    with pytest.raises(AssertionError, match="is there already"):
        hub.cli("user", "export", "kim@example.org", "--to", str(target))
    asked = json.loads(hub.cli("user", "delete", "kim@example.org", "--reason", "they asked", "--json"))
    assert one(hub, "select leaving_at is not null from users where email = 'kim@example.org'")
    hub.cli("user", "keep", "kim@example.org")
    assert one(hub, "select stage from deletions where id = %s", asked["deletion"]) == "cancelled"
    with pytest.raises(AssertionError, match="not the e-mail address"):
        hub.cli("user", "delete", "kim@example.org", "--reason", "they asked", "--immediately")
    given = ("--reason", "they asked", "--immediately", "--confirm", "kim@example.org", "--json")
    done = json.loads(hub.cli("user", "delete", "kim@example.org", *given))
    assert one(hub, "select count(*) from users where email = 'kim@example.org'") == 0
    certificate = tmp_path / "certificate.json"
    certificate.write_text(json.dumps(done["certificate"]))
    assert json.loads(hub.cli("privacy", "verify", str(certificate), "--json"))["genuine"] is True
    certificate.write_text(json.dumps(done["certificate"] | {"erased_at": "2020-01-01T00:00:00Z"}))
    with pytest.raises(AssertionError, match="changed after it was signed"):
        hub.cli("privacy", "verify", str(certificate))
