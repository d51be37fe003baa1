"""What the tests of the embedded server share: homes that are cleaned up, and hubs as processes."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from aihub.kernel.postgres import EmbeddedPostgres, processes
from aihub.kernel.postgres.account import Account
from aihub.kernel.postgres.config import cluster_name

SOURCE = Path(__file__).resolve().parents[2] / "src"
LIBRARIES = Path(psycopg.__file__).resolve().parents[1]
NOBODY = 65534


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A short path, 0700 as mkdtemp makes it. Whatever server runs in it at the end is stopped."""
    top = Path(tempfile.mkdtemp(prefix="aihub-pg-", dir="/tmp"))
    try:
        yield top
    finally:
        for base in [*top.rglob("postgres/postgresql.conf")]:
            EmbeddedPostgres(base.parent.parent).stop(force=True)
        shutil.rmtree(top)


def server_processes(home: Path) -> list[int]:
    """Every live process of this home's server, the postmaster first."""
    data = home.resolve() / "postgres" / "data"
    found = processes.find_postmaster(data)
    return ([found.pid] if found else []) + processes.stragglers(cluster_name(data))


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


class Hub:
    """A process that keeps the server running, as `aihub up` does, in a process group of its own."""

    def __init__(self, home: Path, *, user: int | None = None, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, "-m", "aihub.kernel.postgres", "run", "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            cwd="/",
            env={**os.environ, "PYTHONPATH": f"{SOURCE}:{LIBRARIES}", "PYTHONDONTWRITEBYTECODE": "1"},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )

    def server_pid(self, seconds: float = 60) -> int:
        """The postmaster's id, printed when the server is ready."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else ""
        assert line, self.process.stderr.read()
        return int(line)

    def end(self, number: signal.Signals, *, group: bool = False) -> int:
        """Send the signal, to the whole process group as a terminal's Ctrl-C does, and wait."""
        (os.killpg if group else os.kill)(self.process.pid, number)
        code = self.process.wait(30)
        self.process.communicate()
        return code


@contextmanager
def hub(home: Path, *, user: int | None = None, python: str = sys.executable) -> Iterator[Hub]:
    started = Hub(home, user=user, python=python)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.end(signal.SIGKILL)
        started.process.communicate()


def write_note(server: EmbeddedPostgres, note: str) -> None:
    """Commit one row as the owner; after this returns it must never be lost."""
    with psycopg.connect(server.dsn("owner")) as connection:
        connection.execute("create table if not exists note (body text)")
        connection.execute("insert into note values (%s)", (note,))


def read_notes(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.dsn("owner")) as connection:
        return [row[0] for row in connection.execute("select body from note order by ctid")]


def python_for_nobody() -> str | None:
    """An interpreter that the user nobody can run with our sources and psycopg, None without one."""
    nobody = Account(NOBODY, NOBODY, switch=True)
    if nobody.barrier(SOURCE) or nobody.barrier(LIBRARIES):
        return None
    for candidate in (Path(sys.executable), Path("/usr/bin/python3")):
        real = candidate.resolve()
        same = real.name == f"python{sys.version_info.major}.{sys.version_info.minor}"
        if real.exists() and same and nobody.barrier(real) is None:
            return str(real)
    return None
