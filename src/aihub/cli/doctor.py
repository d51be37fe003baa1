"""`aihub doctor`: look at everything an installation stands on."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from aihub.app.checks import ALL_CHECKS
from aihub.app.database import reach_database
from aihub.app.settings import load_settings
from aihub.cli.exits import FINDINGS, Stop
from aihub.kernel.checks import Level, Patient
from aihub.kernel.config import KernelSettings
from aihub.kernel.db.database import connect
from aihub.kernel.errors import AihubError, NotFound
from aihub.kernel.postgres import PostgresError
from aihub.kernel.postgres.cluster import is_new
from aihub.kernel.postgres.layout import Layout
from aihub.kernel.settings import Settings
from aihub.ops.doctor import Examined, examine

_MARK = {Level.OK: "[green]ok   [/]", Level.WATCH: "[yellow]watch[/]", Level.BAD: "[red]bad  [/]"}


def doctor(
    *,
    only: Annotated[
        str | None,
        Parameter(help="One group, such as database or providers, or the id of one check."),
    ] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Run the checks; exits with 3 when one is bad."""
    asyncio.run(_doctor(only, as_json))


def _nothing_yet(home: Path) -> bool:
    try:
        return is_new(Layout(home).data)
    except OSError:  # somebody's folder, which the check of the database will tell
        return False


@contextlib.asynccontextmanager
async def _patient(settings: Settings) -> AsyncIterator[Patient]:
    kernel = settings[KernelSettings]
    embedded = kernel.database_url is None
    if embedded and _nothing_yet(kernel.home):  # starting it would make one; the doctor only looks
        yield Patient(settings, None, None, embedded, nothing_yet=True)
        return
    async with contextlib.AsyncExitStack() as stack:
        try:
            with Console(stderr=True, highlight=False).status("Opening the database") as status:
                addresses = await stack.enter_async_context(reach_database(kernel, status.update))
        except (PostgresError, AihubError) as exc:
            trouble = str(getattr(exc, "detail", None) or exc)
            yield Patient(settings, None, None, embedded, trouble)
            return
        database = connect(addresses.app, kernel, pool_size=1, patient=True)
        stack.push_async_callback(database.close)
        yield Patient(settings, addresses.app, database, embedded)


async def _doctor(only: str | None, as_json: bool) -> None:
    names = {name for check in ALL_CHECKS for name in (check.group, check.id)}
    if only is not None and only not in names:
        groups = dict.fromkeys(check.group for check in ALL_CHECKS)
        raise NotFound(f"No check is called '{only}'.", remedy=f"The groups are {', '.join(groups)}.")
    console = Console(highlight=False)
    settings = load_settings()
    seen: list[Examined] = []
    async with _patient(settings) as patient:
        async for item in examine(patient, ALL_CHECKS, only):
            seen.append(item)
            if not as_json:
                _show(console, item)
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "id": item.check.id,
                        "group": item.check.group,
                        "title": item.check.title,
                        "level": item.level,
                        "findings": [
                            {"level": f.level, "cause": f.cause, "fix": f.fix} for f in item.findings
                        ],
                    }
                    for item in seen
                ]
            )
        )
    if any(item.level is Level.BAD for item in seen):
        raise Stop(FINDINGS)


def _show(console: Console, item: Examined) -> None:
    for finding in item.findings:
        console.print(f"{_MARK[finding.level]} [dim]{item.check.id}[/] {item.check.title}: {finding.cause}")
        if finding.fix:
            console.print(f"      [dim]→[/] {finding.fix}")
