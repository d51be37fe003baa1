"""`aihub serve`, `aihub worker`, `aihub targets`: the same package as separate services."""

import asyncio
import json
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from aihub.app.settings import load_settings
from aihub.app.start import Started, run
from aihub.app.targets import TARGETS, resolve


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _ready(started: Started) -> None:
    _say(f"Answering at {started.url}")


def serve(
    *,
    target: Annotated[str, Parameter(help="Targets, comma-separated; see 'aihub targets'.")] = "all",
    migrate: Annotated[bool, Parameter(help="Apply missing migrations first.")] = False,
) -> None:
    """Serve the ways in of these targets; refuses a database whose schema does not match."""
    chosen = resolve([name.strip() for name in target.split(",") if name.strip()])
    asyncio.run(
        run(
            load_settings(),
            targets=chosen,
            migrate_first=migrate,
            worker=any(t.worker for t in chosen),
            embedded=any(t.modules is None or "gateway" in t.modules for t in chosen),
            say=_say,
            ready=_ready,
        )
    )


def worker() -> None:
    """Run background jobs until SIGTERM."""
    asyncio.run(
        run(
            load_settings(),
            targets=resolve(["worker"]),
            migrate_first=False,
            worker=True,
            embedded=False,
            say=_say,
            ready=lambda _: _say("Working"),
        )
    )


def targets(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the targets."""
    if as_json:
        print(json.dumps([{"name": t.name, "title": t.title} for t in TARGETS]))
        return
    table = Table("target", "what it serves", box=None, pad_edge=False)
    for item in TARGETS:
        table.add_row(item.name, item.title)
    Console().print(table)
