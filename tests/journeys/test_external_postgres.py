"""DATABASE_URL: the same hub on a server that somebody else looks after."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from tests.support.external_postgres import External, external_postgres
from tests.support.hub import Hub, temporary_home
from tests.support.processes import processes_in

WORD = "a-word-of-the-hub"


@pytest.fixture(scope="module")
def server() -> Iterator[External]:
    with external_postgres() as server:
        yield server


@contextmanager
def hub_on(url: str, *command: str) -> Iterator[Hub]:
    """A hub that is not started yet, with this DATABASE_URL."""
    with temporary_home() as home:
        env = {"DATABASE_URL": url, "AIHUB_EMBEDDED": "off"}
        hub = Hub(home, env=env, command=command or ("up", "--no-browser"))
        try:
            yield hub
        finally:
            hub.end()


def refused(url: str, *command: str) -> str:
    """What the hub says when it does not start."""
    with hub_on(url, *command) as hub:
        done = subprocess.run(
            [sys.executable, "-m", "aihub", *hub.command],
            env=hub.environment(),
            cwd=hub.home.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert WORD not in done.stderr
    return " ".join(done.stderr.split())


def lives_well(server: External, url: str) -> None:
    """A hub starts there, serves people, binds them by row-level security, stops and starts again."""
    with hub_on(url) as hub:
        hub.start()
        assert not (hub.home / "postgres").exists()
        key = hub.set_up().key
        session = {"email": "ada@example.org", "password": "correct horse battery"}
        assert hub.post("/api/v1/session", session).status == 200
        made: Any = hub.post("/api/v1/conversations", {"title": "mine"}, key=key).json()
        assert hub.get(f"/api/v1/conversations/{made['id']}", key=key).status == 200
        with psycopg.connect(url) as connection:
            connection.execute("set role aihub_app")
            assert connection.execute("select count(*) from conversations").fetchone() == (0,)
            connection.execute("select set_config('aihub.scope', 'system', true)")
            assert connection.execute("select count(*) from conversations").fetchone() == (1,)
        findings = json.loads(hub.cli("doctor", "--only", "database", "--json", check=False))
        assert [f for item in findings for f in item["findings"] if "external" in f["cause"]]
        assert hub.stop() == 0
        assert processes_in(hub.home.parent) == {}
        hub.start()
        assert hub.get("/api/v1/credits", key=key).status == 200
        assert json.loads(hub.cli("audit", "verify", "--json"))["ok"]


def test_a_database_that_an_administrator_made_ready(server: External) -> None:
    """The hub's role owns its database and nothing else; roles and extensions were made for it."""
    server.administer(
        f"create role plain login nosuperuser nocreaterole password '{WORD}'",
        "create database ready owner plain",
        "create role aihub_app nologin",
        "create role aihub_backup nologin bypassrls",
        "grant aihub_app to plain",
    )
    server.administer("create extension vector", "create extension pg_trgm", database="ready")
    lives_well(server, server.url("plain", WORD, "ready"))
    server.administer("drop database ready with (force)", "drop role aihub_app, aihub_backup")


def test_a_role_that_may_create_roles_makes_those_it_needs(server: External) -> None:
    server.administer(
        f"create role maker login nosuperuser createrole password '{WORD}'",
        "create database made owner maker",
    )
    server.administer("create extension vector", database="made")
    lives_well(server, server.url("maker", WORD, "made"))
    server.administer("drop database made with (force)", "drop role aihub_app, aihub_backup")


def test_what_is_missing_is_said_with_the_way_out(server: External) -> None:
    server.administer(
        f"create role poor login nosuperuser nocreaterole password '{WORD}'",
        "create database bare owner poor",
        "create database without owner poor",
        "alter database without set extension_control_path = '/nonexistent'",
    )
    url = server.url("poor", WORD, "bare")

    words = refused(url)
    assert "database.migration_not_permitted" in words
    assert "permission denied to create role" in words
    assert "CREATE ROLE aihub_app" in words

    server.administer("create role aihub_app", "create role aihub_backup", "grant aihub_app to poor")
    words = refused(url)
    assert "database.migration_not_permitted" in words
    assert "extension" in words
    assert "CREATE EXTENSION IF NOT EXISTS vector" in words
    with psycopg.connect(url) as connection:
        left = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
        assert left == (0,), "a refused start leaves nothing behind"

    words = refused(server.url("poor", WORD, "without"))
    assert "postgres.vector_unsupported" in words
    assert "Install pgvector" in words

    assert "database.schema_mismatch" in refused(url, "serve")
    assert "postgres.unreachable" in refused(server.url("poor", WORD + "-wrong", "bare"))
    assert "postgres.unreachable" in refused(server.url("poor", WORD, "nowhere"))

    server.administer("create extension vector", database="bare")
    with hub_on(url) as hub:
        hub.cli("migrate")
    server.administer("revoke aihub_app from poor")
    words = refused(url, "serve")
    assert "database.role_not_usable" in words
    assert "GRANT aihub_app" in words
