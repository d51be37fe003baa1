"""`aihub migrate`: bring the schema up to date, or only compare."""

import asyncio
import json
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from aihub.app.database import MIGRATIONS, reach_database
from aihub.app.settings import load_settings
from aihub.cli.exits import FINDINGS, Stop
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import migrate as migrations


def migrate(
    *,
    check: Annotated[bool, Parameter(help="Change nothing; exit with 3 when something is missing.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Apply missing migrations, each in its own transaction with a lock timeout."""
    asyncio.run(_migrate(check, as_json))


async def _migrate(check: bool, as_json: bool) -> None:
    kernel = load_settings()[KernelSettings]
    console = Console(stderr=True, highlight=False)
    async with reach_database(kernel, lambda _: None) as addresses:
        need = await asyncio.to_thread(migrations.latest, MIGRATIONS)
        if check:
            have = await asyncio.to_thread(migrations.applied, addresses.owner)
            done: list[str] = []
        else:
            with console.status("Migrating") as status:
                done = await asyncio.to_thread(
                    migrations.upgrade,
                    MIGRATIONS,
                    addresses.owner,
                    progress=lambda step: status.update(f"Applying revision {step}"),
                )
            have = need
    if as_json:
        json.dump({"applied": done, "revision": have, "needed": need}, sys.stdout)
        print()
    elif have == need:
        console.print(f"Applied {', '.join(done)}." if done else f"Up to date at revision {need}.")
    else:
        console.print(f"The database is at {have or 'nothing'}; this version needs {need}.")
    if have != need:
        raise Stop(FINDINGS)
