"""Migrations: complete, repeatable, one at a time, and never in the way of a running hub."""

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.support.database import MIGRATIONS, Server

from aihub.kernel.db import migrate
from aihub.kernel.db.migrate import MigrationBlocked, SchemaMismatch

LATEST = migrate.latest(MIGRATIONS)


def schema(dsn: str) -> list[tuple[object, ...]]:
    """Everything that matters of a schema: columns, indexes, constraints, policies, grants, functions."""
    statements = (
        """select table_name, column_name, data_type, is_nullable, column_default
           from information_schema.columns where table_schema = 'public' order by 1, 2""",
        "select tablename, indexdef from pg_indexes where schemaname = 'public' order by 2",
        """select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
           where connamespace = 'public'::regnamespace order by 1, 2""",
        "select tablename, policyname, qual, with_check from pg_policies order by 1, 2",
        """select table_name, grantee, privilege_type from information_schema.role_table_grants
           where table_schema = 'public' and grantee like 'aihub%' order by 1, 2, 3""",
        "select proname from pg_proc where pronamespace = 'public'::regnamespace order by 1",
    )
    with psycopg.connect(dsn) as connection:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]


def with_revision(folder: Path, body: str) -> Path:
    """The hub's migrations and one more."""
    scripts = folder / "migrations"
    shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "9999_test.py").write_text(
        f"from alembic import op\nrevision = '9999'\ndown_revision = '{LATEST}'\n"
        f"branch_labels = None\ndepends_on = None\n\n\ndef upgrade():\n    {body}\n"
    )
    return scripts


def test_from_empty_to_the_newest_and_again(empty_postgres: Server, postgres: Server) -> None:
    steps: list[str] = []
    assert migrate.applied(empty_postgres.owner) is None
    with pytest.raises(SchemaMismatch, match="at nothing"):
        migrate.require_current(MIGRATIONS, empty_postgres.owner)
    done = migrate.upgrade(MIGRATIONS, empty_postgres.owner, progress=steps.append)
    assert done == steps
    assert done[-1] == LATEST
    migrate.require_current(MIGRATIONS, empty_postgres.app)
    assert migrate.upgrade(MIGRATIONS, empty_postgres.owner) == []
    assert schema(empty_postgres.owner) == schema(postgres.owner)


def test_from_the_previous_revision_with_data_to_the_newest(empty_postgres: Server, postgres: Server) -> None:
    dsn = empty_postgres.owner
    previous = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))[-2]
    assert migrate.upgrade(MIGRATIONS, dsn, revision=previous)[-1] == previous
    with psycopg.connect(dsn) as connection:
        connection.execute("set local aihub.scope = 'system'")
        connection.execute(
            "insert into users (id, email, name) values (gen_random_uuid(), 'ada@example.org', 'Ada')"
        )
    with pytest.raises(SchemaMismatch, match=f"at {previous}, this version needs {LATEST}"):
        migrate.require_current(MIGRATIONS, dsn)
    assert migrate.upgrade(MIGRATIONS, dsn) == [LATEST]
    assert schema(dsn) == schema(postgres.owner)
    with psycopg.connect(dsn) as connection:
        connection.execute("set local aihub.scope = 'system'")
        assert connection.execute("select name from users").fetchall() == [("Ada",)]


def test_a_newer_or_foreign_schema_is_refused(postgres: Server) -> None:
    with psycopg.connect(postgres.owner) as connection:
        connection.execute("update alembic_version set version_num = 'f00d'")
    for attempt in (migrate.upgrade, migrate.require_current):
        with pytest.raises(SchemaMismatch, match="f00d"):
            attempt(MIGRATIONS, postgres.owner)


def test_several_processes_at_once_migrate_once(empty_postgres: Server, postgres: Server) -> None:
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(migrate.upgrade, MIGRATIONS, empty_postgres.owner) for _ in range(3)]
        applied = sorted(len(run.result()) for run in runs)
    assert applied[:2] == [0, 0]
    assert applied[2] > 0
    assert schema(empty_postgres.owner) == schema(postgres.owner)


def test_a_failing_revision_leaves_no_trace(tmp_path: Path, postgres: Server) -> None:
    scripts = with_revision(tmp_path, "op.execute('create table half (x int)'); op.execute('boom')")
    before = schema(postgres.owner)
    with pytest.raises(Exception, match="boom"):
        migrate.upgrade(scripts, postgres.owner)
    assert migrate.applied(postgres.owner) == LATEST
    assert schema(postgres.owner) == before


@contextmanager
def reading(dsn: str) -> Iterator[list[float]]:
    """Somebody who reads the table all the time; the list fills with seconds per read."""
    took: list[float] = []
    ended = threading.Event()

    def read() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not ended.is_set():
                started = time.monotonic()
                connection.execute("select count(*) from users").fetchone()
                took.append(time.monotonic() - started)
                time.sleep(0.005)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join(30)


def test_a_blocked_migration_gives_way_to_readers(
    tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TRIES", 3)
    scripts = with_revision(tmp_path, "op.execute('alter table users add column extra text')")
    before = schema(postgres.owner)
    with psycopg.connect(postgres.owner) as long, reading(postgres.owner) as took:
        long.execute("select count(*) from users")
        with pytest.raises(MigrationBlocked) as caught:
            migrate.upgrade(scripts, postgres.owner)
        assert "9999" in str(caught.value)
        # A migration waits half a second for its lock, and readers behind it no longer than that.
        assert max(took) < 3.0
        assert len(took) > 50
    assert schema(postgres.owner) == before
    assert migrate.upgrade(scripts, postgres.owner) == ["9999"]


def test_a_lock_that_ends_in_time_does_not_stop_a_migration(tmp_path: Path, postgres: Server) -> None:
    scripts = with_revision(tmp_path, "op.execute('alter table users add column extra text')")
    with psycopg.connect(postgres.owner) as long:
        long.execute("select count(*) from users")
        release = threading.Timer(0.8, long.rollback)
        release.start()
        assert migrate.upgrade(scripts, postgres.owner) == ["9999"]
        release.join()
