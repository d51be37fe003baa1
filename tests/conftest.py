"""Fixtures of every test: a real PostgreSQL, a migrated database per test, a started runtime."""

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.support import database as databases
from tests.support.runtime import open_runtime, settings_for
from tests.support.valkey import Valkey, valkey

from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database
from aihub.kernel.db import database as db
from aihub.kernel.runtime import Runtime
from aihub.kernel.settings import Settings

pytest_plugins = ["tests.support.scheduling"]

# A shell that runs us in the background makes us, and all that we start, deaf to SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test with a real browser that fails runs once more, in the open: the summary tells what went wrong.

    Chromium is a large program that we did not write, on machines with little to spare. Every other test
    counts at once.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[databases.Server]:
    """The server of this test process."""
    with databases.server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: databases.Server) -> Iterator[databases.Databases]:
    stock = databases.Databases(postgres_server)
    yield stock
    stock.close()


@pytest.fixture
def postgres(postgres_databases: databases.Databases) -> Iterator[databases.Server]:
    """A database of this test alone with the newest schema: its `app`, `owner` and `admin` addresses."""
    taken = postgres_databases.take()
    yield taken
    postgres_databases.give_back(taken)


@pytest.fixture
def empty_postgres(postgres_databases: databases.Databases) -> Iterator[databases.Server]:
    """A database of this test alone without a schema."""
    taken = postgres_databases.empty()
    yield taken
    postgres_databases.give_back(taken)


@pytest.fixture
def dsn(postgres: databases.Server) -> str:
    """The address that the hub's processes use."""
    return postgres.app


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty AIHUB_HOME."""
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    """The kernel's settings with their defaults."""
    return settings_for(home)


@pytest.fixture
async def database(dsn: str, settings: Settings) -> AsyncIterator[Database]:
    """Units of work as the role that row-level security binds."""
    opened = db.connect(dsn, settings[KernelSettings], pool_size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def runtime(dsn: str, settings: Settings) -> AsyncIterator[Runtime]:
    """A runtime with the kernel's parts started and nothing else."""
    async with open_runtime(dsn, settings) as started:
        yield started


@pytest.fixture
def redis_server() -> Iterator[Valkey]:
    """A real Valkey of this test alone."""
    with valkey() as server:
        yield server
