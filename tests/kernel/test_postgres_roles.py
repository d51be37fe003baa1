"""The roles, extensions and settings a server comes with, and what is asked of a server of your own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.kernel.postgres_support import temporary_home
from tests.support.waiting import until

from aihub.kernel.postgres import (
    EmbeddedPostgres,
    PostgresError,
    ServerFacts,
    inspect_server,
    require_supported,
)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with temporary_home() as home, EmbeddedPostgres(Path(home)) as running:
        yield running


def test_the_login_role_is_bound_by_row_level_security(server: EmbeddedPostgres) -> None:
    facts = inspect_server(server.dsn("app"))
    assert (facts.is_superuser, facts.bypass_rls) == (False, False)
    with psycopg.connect(server.dsn("owner")) as owner:
        owner.execute("create table diary (owner_id text, body text)")
        owner.execute("insert into diary values ('ann', 'hers'), ('bob', 'his')")
        owner.execute("alter table diary enable row level security")
        owner.execute("create policy own on diary using (owner_id = current_setting('test.me', true))")
        owner.execute("grant select on diary to aihub_app")
    with psycopg.connect(server.dsn("app")) as app:
        app.execute("set role aihub_app")
        assert app.execute("select * from diary").fetchall() == []
        app.execute("select set_config('test.me', 'ann', false)")
        assert app.execute("select body from diary").fetchall() == [("hers",)]


@pytest.mark.parametrize(
    "forbidden",
    [
        "set role aihub_owner",
        "set role postgres",
        "set role aihub_backup",
        "create role intruder",
        "alter role aihub_login superuser",
        "create table stray (a int)",
        "create extension hstore",
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/hostname')",
    ],
)
def test_the_login_role_may_not(server: EmbeddedPostgres, forbidden: str) -> None:
    with psycopg.connect(server.dsn("app")) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(forbidden.encode())


def test_the_app_role_may_load_through_temporary_tables(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("app")) as app:
        app.execute("set role aihub_app")
        app.execute("create temporary table staged (v vector(3))")
        with app.cursor().copy("copy staged from stdin") as copy:
            copy.write_row(("[1,2,3]",))
        assert app.execute("select v <-> '[1,2,3]' from staged").fetchone() == (0.0,)


def test_roles_are_what_they_should_be(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("owner")) as owner:
        rows = owner.execute(
            "select rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole from pg_roles"
            " where rolname like 'aihub%' order by 1"
        ).fetchall()
        holder = owner.execute(
            "select pg_get_userbyid(datdba) from pg_database where datname = 'aihub'"
        ).fetchone()
    assert rows == [
        ("aihub_app", False, False, False, False),
        ("aihub_backup", False, False, True, False),
        ("aihub_login", True, False, False, False),
        ("aihub_owner", True, False, False, False),
    ]
    assert holder == ("aihub_owner",)


def test_extensions_settings_and_locale(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("superuser")) as connection:
        extensions = {row[0] for row in connection.execute("select extname from pg_extension")}
        assert {"vector", "pg_trgm", "pg_stat_statements"} <= extensions
        settings = dict(connection.execute("select name, current_setting(name) from pg_settings").fetchall())
        words = connection.execute("select to_tsvector('simple', 'ÉTÉ Straße')::text").fetchone()
        wrong = connection.execute("select count(*) from pg_file_settings where error is not null").fetchone()
    expected = {
        "listen_addresses": "",
        "max_connections": "120",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "password_encryption": "scram-sha-256",
        "logging_collector": "on",
        "log_destination": "stderr",
        "log_filename": "postgresql-%Y-%m-%d_%H%M%S.log",
        "log_rotation_age": "1d",
        "log_rotation_size": "100MB",
        "log_min_duration_statement": "1s",
        "checkpoint_completion_target": "0.9",
        "wal_buffers": "16MB",
        "default_statistics_target": "100",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "shared_preload_libraries": "pg_stat_statements",
    }
    assert {name: settings[name] for name in expected} == expected
    prefix = settings["log_line_prefix"]
    assert all(mark in prefix for mark in ("%m", "%p", "%l", "user=%u", "db=%d", "app=%a", "client=%h"))
    assert words == ("'straße':2 'été':1",)
    assert wrong == (0,)


async def test_slow_statements_are_logged_without_their_values(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("app"), autocommit=True) as app:
        app.execute("select pg_sleep(1.1), %s::text", ("secret-diary-line",), prepare=True)
    logs = Path(psycopg.conninfo.conninfo_to_dict(server.dsn())["host"]).parents[1] / "logs" / "postgresql"

    def written() -> str:
        return "".join(path.read_text() for path in logs.iterdir())

    # The server's log collector is a process of its own, and writes when it gets to it; in order.
    await until(lambda: "pg_sleep" in written(), 60)
    with psycopg.connect(server.dsn("superuser"), autocommit=True) as admin:
        admin.execute("do $$ begin raise log 'the end of this test'; end $$")
    await until(lambda: "the end of this test" in written(), 60)
    assert "secret-diary-line" not in written()


def test_a_server_of_your_own_is_inspected(server: EmbeddedPostgres) -> None:
    facts = inspect_server(server.dsn("app").replace("postgresql://", "postgresql+psycopg://"))
    assert facts.major == facts.version_num // 10000 >= 18
    assert facts.max_connections == 120
    assert facts.ssl is False
    require_supported(facts)
    assert inspect_server(server.dsn("superuser")).is_superuser


FACTS = ServerFacts(
    version_num=150000,
    major=15,
    pgvector_version="0.8.4",
    pgvector_available="0.8.6",
    max_connections=100,
    is_superuser=False,
    bypass_rls=False,
    ssl=True,
)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(FACTS, version_num=140012, major=14), "postgres.version_unsupported"),
        (replace(FACTS, pgvector_version=None, pgvector_available=None), "postgres.vector_unsupported"),
        (replace(FACTS, pgvector_version="0.8.3"), "postgres.vector_unsupported"),
        (replace(FACTS, pgvector_version=None, pgvector_available="0.7.4"), "postgres.vector_unsupported"),
    ],
)
def test_what_the_hub_cannot_live_on_is_refused(facts: ServerFacts, code: str) -> None:
    with pytest.raises(PostgresError) as caught:
        require_supported(facts)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("version", ["0.8.4", "0.8.10", "0.10.0", "1.0"])
def test_versions_are_compared_as_numbers(version: str) -> None:
    require_supported(replace(FACTS, pgvector_version=version))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:hunter2secret@127.0.0.1:1/none",
        "postgresql://me:hunter2secret@/none?host=/nowhere",
        "host=127.0.0.1 port=1 password=hunter2secret nonsense=1",
        "hunter2secret",
    ],
)
def test_an_unreachable_server_is_reported_without_its_password(address: str) -> None:
    with pytest.raises(PostgresError) as caught:
        inspect_server(address, timeout_seconds=2)
    assert caught.value.code == "postgres.unreachable"
    assert "hunter2secret" not in str(caught.value)
