"""What a verb needs to work on an installation, whether the hub runs or not, loading nothing else."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from aihub.app.database import MIGRATIONS, Addresses, Say, reach_database
from aihub.app.settings import load_settings
from aihub.kernel.config import KernelSettings
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import database as db
from aihub.kernel.db import system
from aihub.kernel.db.database import Work
from aihub.kernel.errors import InvalidRequest, NotFound
from aihub.kernel.runtime import Runtime
from aihub.services.credits.service import LedgerWallets
from aihub.services.identity.contracts import User, Wallets
from aihub.services.identity.service import find_user_by_email

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """An open installation: its runtime, and wallets for new accounts and keys."""

    runtime: Runtime
    wallets: Wallets

    def work(self, reason: str) -> contextlib.AbstractAsyncContextManager[Work]:
        return self.runtime.database.work(system(f"command line: {reason}"))

    async def user(self, work: Work, email: str) -> User:
        """The account with this address. Raises NotFound."""
        found = await find_user_by_email(work, email)
        if found is None:
            raise NotFound(
                f"Nobody here has the address {email}.", remedy="'aihub user list' shows everybody."
            )
        return found


@contextlib.asynccontextmanager
async def open_desk(say: Say) -> AsyncIterator[Desk]:
    """Reach the database (starting the embedded one when nobody else runs it) and open the key ring."""
    settings = load_settings()
    kernel = settings[KernelSettings]
    async with reach_database(kernel, say) as addresses:
        fresh = await _ensure_schema(addresses)
        database = db.connect(addresses.app, kernel, pool_size=2, patient=True)
        runtime = Runtime(settings, database, (), duties=frozenset({"cli"}))
        try:
            runtime.provide(Crypto, await Crypto.start(runtime))
            if fresh:
                await _first_data(runtime)
            yield Desk(runtime, await LedgerWallets.start(runtime))
        finally:
            await database.close()


async def _ensure_schema(addresses: Addresses) -> bool:
    """Make the schema of an empty database. Whether roles and permissions are still to be written."""
    import psycopg

    async with await psycopg.AsyncConnection.connect(addresses.owner) as connection:
        made = await (await connection.execute("select to_regclass('public.roles') is not null")).fetchone()
        if made and made[0]:
            seeded = await (await connection.execute("select exists (select from roles)")).fetchone()
            return not (seeded and seeded[0])
    from aihub.kernel.db import migrate

    await asyncio.to_thread(migrate.upgrade, MIGRATIONS, addresses.owner)
    return True


async def _first_data(runtime: Runtime) -> None:
    from aihub.app.modules import MODULES
    from aihub.services.identity.service import sync_registry

    async with runtime.database.work(system("start: registry")) as work:
        await sync_registry(work, MODULES)


def run(main: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    """Open the desk, do `main` there, close it; on a terminal, what takes long is shown."""

    async def inside(say: Say) -> T:
        async with open_desk(say) as desk:
            say("Working")
            return await main(desk)

    with Console(stderr=True, highlight=False).status("Opening the database") as status:
        return asyncio.run(inside(status.update))


def secret_from_stdin(what: str) -> str:
    """One line from standard input, asked for without echo on a terminal.

    Raises InvalidRequest when it is empty.
    """
    if sys.stdin.isatty():
        import getpass

        value = getpass.getpass(f"{what}: ")
    else:
        value = sys.stdin.readline().rstrip("\r\n")
    if not value:
        raise InvalidRequest(
            f"The {what} on standard input is empty.", remedy="Pipe it in: printf %s … | aihub …"
        )
    return value


def done(sentence: str, facts: dict[str, object], *, as_json: bool) -> None:
    """The outcome of a verb that has nothing to print: facts for programs, a sentence for people."""
    if as_json:
        print(json.dumps(facts))
    else:
        print(sentence, file=sys.stderr)


def show(rows: Sequence[dict[str, object]], *, as_json: bool, empty: str) -> None:
    """Rows as JSON for programs or as a table for people."""
    if as_json:
        print(json.dumps(rows, default=str))
        return
    if not rows:
        print(empty, file=sys.stderr)
        return
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            *(
                "" if v is None else ", ".join(v) if isinstance(v, tuple | list) else str(v)
                for v in row.values()
            )
        )
    Console().print(table)
