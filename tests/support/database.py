"""A PostgreSQL server per test process, and a fresh migrated database per test in milliseconds."""

import os
import queue
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url
from tests.support.scratch import scratch_folder

from aihub.kernel.db import migrate
from aihub.kernel.postgres import EmbeddedPostgres

MIGRATIONS = Path(migrate.__file__).parents[2] / "app" / "migrations"
# Data of tests need not survive a power cut.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "256MB",  # it may be memory
    "checkpoint_timeout": "1h",
}
_READY = 2  # databases kept in stock


@dataclass(frozen=True)
class Server:
    """How to reach a server: `admin` may create databases, `owner` migrates, `app` is what the hub uses."""

    admin: str
    owner: str
    app: str

    def at(self, database: str) -> "Server":
        """The same roles in another database."""
        return Server(*(_named(dsn, database) for dsn in (self.admin, self.owner, self.app)))


def _named(dsn: str, database: str) -> str:
    return make_url(dsn).set(database=database).render_as_string(hide_password=False)


@contextmanager
def server() -> Iterator[Server]:
    """The server of AIHUB_TEST_DATABASE_URL, whose role must be able to create databases and extensions,
    or an embedded one that lives as long as the test process."""
    if url := os.environ.get("AIHUB_TEST_DATABASE_URL"):
        yield Server(url, url, url)
        return
    home = scratch_folder("aihub-tests-")
    embedded = EmbeddedPostgres(home, extra_settings=_FAST)
    try:
        embedded.start()
        yield Server(embedded.dsn("superuser"), embedded.dsn("owner"), embedded.dsn("app"))
    finally:
        embedded.stop(force=True)
        shutil.rmtree(home, ignore_errors=True)


class Databases:
    """Copies of one migrated template, made ahead in the background."""

    def __init__(self, origin: Server) -> None:
        self._origin = origin
        self._prefix = f"aihub_test_{os.getpid()}"
        self._template = f"{self._prefix}_template"
        self._made = 0
        self._stock: queue.Queue[str | BaseException] = queue.Queue(_READY)
        self._doomed: queue.Queue[str] = queue.Queue()
        self._ended = threading.Event()
        self._admin = psycopg.connect(_named(origin.admin, "postgres"), autocommit=True)
        self._create(self._template)
        at = origin.at(self._template)
        with psycopg.connect(at.admin, autocommit=True) as connection:
            for extension in ("vector", "pg_trgm"):
                connection.execute(f"create extension if not exists {extension}")
        migrate.upgrade(MIGRATIONS, at.owner)
        self._thread = threading.Thread(target=self._keep_stock, daemon=True)
        self._thread.start()

    def take(self) -> Server:
        """A database with the newest schema and nothing else in it."""
        made = self._stock.get()
        if isinstance(made, BaseException):
            raise made
        return self._origin.at(made)

    def empty(self) -> Server:
        """A database without a schema, with the extensions that only a superuser may create."""
        name = f"{self._prefix}_empty_{os.urandom(4).hex()}"
        with psycopg.connect(_named(self._origin.admin, "postgres"), autocommit=True) as admin:
            self._create(name, admin=admin)
        at = self._origin.at(name)
        with psycopg.connect(at.admin, autocommit=True) as connection:
            for extension in ("vector", "pg_trgm"):
                connection.execute(f"create extension if not exists {extension}")
        return at

    def give_back(self, taken: Server) -> None:
        """Drop it, in the background."""
        self._doomed.put(str(make_url(taken.app).database))

    def close(self) -> None:
        self._ended.set()
        while self._thread.is_alive():
            try:
                made = self._stock.get(timeout=0.05)
            except queue.Empty:
                continue
            if isinstance(made, str):
                self._doomed.put(made)
        self._drop_doomed()
        self._drop(self._template)
        self._admin.close()

    def _keep_stock(self) -> None:
        while not self._ended.is_set():
            self._drop_doomed()
            self._made += 1
            name = f"{self._prefix}_{self._made}"
            try:
                self._create(name, template=self._template)
            except psycopg.Error as exc:
                self._stock.put(exc)
                return
            self._stock.put(name)

    def _drop_doomed(self) -> None:
        while not self._doomed.empty():
            self._drop(self._doomed.get())

    def _create(
        self, name: str, *, template: str = "template0", admin: psycopg.Connection | None = None
    ) -> None:
        owner = make_url(self._origin.owner).username
        (admin or self._admin).execute(
            sql.SQL("create database {} template {} owner {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(str(owner))
            )
        )

    def _drop(self, name: str) -> None:
        self._admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
