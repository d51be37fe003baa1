"""A PostgreSQL server that is not the hub's: over TCP, with passwords and an administrator of its own."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from tests.support.hub import free_port

from aihub.kernel.postgres import cluster
from aihub.kernel.postgres.account import choose
from aihub.kernel.postgres.binaries import locate

_PASSWORD = "the administrators word"
_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class External:
    """A server on a loopback port."""

    port: int

    def url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def administer(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as its superuser."""
        with self.administrator(database) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    def administrator(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=_PASSWORD,
            dbname=database,
            autocommit=True,
        )


@contextmanager
def external_postgres() -> Iterator[External]:
    folder = Path(tempfile.mkdtemp(prefix="aihub-external-", dir="/tmp"))
    folder.chmod(0o711)
    data, log = folder / "data", folder / "log"
    account = choose(folder, data)
    binaries = locate(account, folder)
    cluster.create(data, account, binaries, _PASSWORD)
    (data / "pg_hba.conf").write_text(_HBA)
    server = External(free_port())
    options = {
        "listen_addresses": "127.0.0.1", "port": str(server.port), "unix_socket_directories": "",
        "fsync": "off", "logging_collector": "off",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binaries.program("postgres"), "-D", str(data), *arguments],
            cwd="/",
            env=cluster.environment(),
            stdout=output,
            stderr=output,
            user=account.user,
            group=account.group,
            extra_groups=account.extra_groups,
            umask=0o077,
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                server.administer("select 1")
                break
            except psycopg.OperationalError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield server
    finally:
        process.send_signal(2)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
