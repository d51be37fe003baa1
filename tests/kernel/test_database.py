"""The unit of work: its scope, its end, and what happens when the server is away."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.database import Server
from tests.support.runtime import settings_for

from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database, Scope, owned_by, system
from aihub.kernel.db import database as db
from aihub.kernel.db.database import BadDatabaseUrl, DatabaseBusy, DatabaseUnavailable, with_tls
from aihub.kernel.db.rls import protect
from aihub.kernel.postgres import EmbeddedPostgres


@pytest.fixture
def diary(postgres: Server) -> None:
    """A protected table."""
    with psycopg.connect(postgres.owner) as connection:
        connection.execute(
            "create table diary (id bigint generated always as identity, owner_id uuid not null, line text)"
        )
        for statement in protect("diary"):
            connection.execute(statement)


async def write(database: Database, scope: Scope, owner: UUID, line: str) -> None:
    async with database.work(scope) as work:
        await work.session.execute(
            text("insert into diary (owner_id, line) values (:owner, :line)"), {"owner": owner, "line": line}
        )


async def lines(database: Database, scope: Scope) -> list[str]:
    async with database.work(scope) as work:
        return list((await work.session.execute(text("select line from diary order by id"))).scalars())


async def test_an_owner_sees_their_own_rows_only(database: Database, diary: None) -> None:
    ada, grace = uuid4(), uuid4()
    await write(database, owned_by(ada), ada, "a")
    await write(database, owned_by(grace), grace, "g")
    assert await lines(database, owned_by(ada)) == ["a"]
    assert await lines(database, owned_by(grace)) == ["g"]
    assert await lines(database, owned_by(uuid4())) == []
    assert await lines(database, system("test")) == ["a", "g"]


async def test_nobody_writes_as_another(database: Database, diary: None) -> None:
    ada, grace = uuid4(), uuid4()
    with pytest.raises(DBAPIError, match="row-level security"):
        await write(database, owned_by(ada), grace, "forged")
    await write(database, owned_by(grace), grace, "g")

    async def take_over() -> int:
        async with database.work(owned_by(ada)) as work:
            done = await work.session.execute(text("update diary set line = 'x'"))
            gone = await work.session.execute(text("delete from diary"))
            return done.rowcount + gone.rowcount

    async def give_away() -> None:
        async with database.work(owned_by(grace)) as work:
            await work.session.execute(text("update diary set owner_id = :ada"), {"ada": ada})

    assert await take_over() == 0
    with pytest.raises(DBAPIError, match="row-level security"):
        await give_away()
    assert await lines(database, owned_by(grace)) == ["g"]


async def test_without_a_scope_nothing_is_visible(database: Database, diary: None, postgres: Server) -> None:
    ada = uuid4()
    await write(database, owned_by(ada), ada, "a")
    async with database.engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from diary"))).scalar() == 0
    with psycopg.connect(postgres.owner) as owner:
        if not _superuser(owner):
            assert owner.execute("select count(*) from diary").fetchone() == (0,)


def _superuser(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


async def test_a_scope_ends_with_its_work(database: Database, diary: None) -> None:
    ada = uuid4()
    await write(database, owned_by(ada), ada, "a")
    for _ in range(10):
        assert await lines(database, system("test")) == ["a"]
        async with database.engine.connect() as connection:
            assert (await connection.execute(text("select count(*) from diary"))).scalar() == 0


async def test_every_table_with_an_owner_is_protected(postgres: Server) -> None:
    with psycopg.connect(postgres.owner) as connection:
        bare = connection.execute(
            """select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid
               where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
               and a.attname = 'owner_id' and c.relname <> 'data_keys'
               and not (c.relrowsecurity and c.relforcerowsecurity)"""
        ).fetchall()
    assert bare == []


async def test_connections_act_as_the_role_that_security_binds(database: Database) -> None:
    async with database.work(system("test")) as work:
        row = (
            await work.session.execute(
                text(
                    "select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user"
                )
            )
        ).one()
    assert tuple(row) == ("aihub_app", False)


async def test_what_comes_after_a_commit_does_not_come_without_it(database: Database) -> None:
    done: list[str] = []

    async def deed(fails: bool) -> None:
        async with database.work(system("test")) as work:

            async def after() -> None:
                done.append("after")

            work.after_commit(after)
            assert done == []
            if fails:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await deed(fails=True)
    assert done == []
    await deed(fails=False)
    assert done == ["after"]


async def test_when_all_connections_are_in_use_it_says_so(dsn: str, home: Path) -> None:
    settings = settings_for(home, DB_POOL_TIMEOUT="0.2", DB_MAX_OVERFLOW="0")[KernelSettings]
    database = db.connect(dsn, settings, pool_size=1)
    async with database.work(system("test")):
        with pytest.raises(DatabaseBusy) as caught:
            async with database.work(system("test")):
                pass
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "2")
    await database.ping()
    await database.close()


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that this test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="aihub-tests-", dir="/tmp"))
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop(force=True)
    shutil.rmtree(folder)


@asynccontextmanager
async def opened(dsn: str, home: Path) -> AsyncIterator[Database]:
    database = db.connect(dsn, settings_for(home)[KernelSettings], pool_size=2)
    yield database
    await database.close()


async def test_a_server_that_goes_away_is_a_503_and_its_return_is_noticed(
    own_server: EmbeddedPostgres, home: Path
) -> None:
    async def during() -> None:
        async with database.work(system("test")) as work:
            await asyncio.to_thread(own_server.stop, force=True)
            await work.session.execute(text("select 1"))

    async with opened(own_server.dsn("owner"), home) as database:
        await database.ping()
        with pytest.raises(DatabaseUnavailable) as caught:
            await during()
        assert caught.value.status == 503
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await database.ping()
            assert time.monotonic() - started < 10
        await asyncio.to_thread(own_server.start)
        await database.ping()


async def test_mistakes_of_ours_are_not_taken_for_an_outage(database: Database) -> None:
    async def mistake() -> None:
        async with database.work(system("test")) as work:
            await work.session.execute(text("select nonsense"))

    with pytest.raises(DBAPIError, match="nonsense"):
        await mistake()


async def test_a_deadlock_asks_to_try_again(database: Database, diary: None) -> None:
    ada = uuid4()
    for line in ("1", "2"):
        await write(database, owned_by(ada), ada, line)
    met = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with database.work(owned_by(ada)) as work:
            for line in (first, second):
                await work.session.execute(
                    text("select 1 from diary where line = :line for update"), {"line": line}
                )
                if line == first:
                    await met.wait()

    outcomes = await asyncio.gather(lock("1", "2"), lock("2", "1"), return_exceptions=True)
    assert sorted(type(o).__name__ for o in outcomes) == ["DatabaseConflict", "NoneType"]


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d", "postgresql+asyncpg://h/d"])
def test_every_spelling_of_a_postgresql_address_is_understood(url: str) -> None:
    assert db.sqlalchemy_url(url).drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://h/d", "nonsense", "", "sqlite:///x.db"])
def test_other_addresses_are_refused_without_showing_them(url: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        db.sqlalchemy_url(url)


def test_tls_settings_reach_the_address(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path, DB_SSL_MODE="verify-full", DB_SSL_ROOT_CERT="/etc/ca.pem", DB_SSL_CERT="/c", DB_SSL_KEY="/k"
    )
    dsn = with_tls("postgres://u:p%40@h/d?sslmode=disable", settings[KernelSettings])
    for part in ("sslmode=verify-full", "sslrootcert=", "sslcert=", "sslkey=", "u:p%40@h"):
        assert part in dsn
