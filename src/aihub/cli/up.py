"""`aihub up`: everything in one process tree."""

import asyncio
import os
import sys
import webbrowser
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from aihub.app.settings import load_settings
from aihub.app.start import Started, run


def up(*, browser: Annotated[bool, Parameter(help="Open the page in a browser.")] = True) -> None:
    """Start the database, the local model, the web app and the jobs, and stay until Ctrl-C."""
    console = Console(stderr=True, highlight=False)

    def ready(started: Started) -> None:
        console.print(f"\n  [bold]Smart AI Hub answers at[/] {started.url}")
        if started.setup_url:
            console.print("  Create the first administrator with this one-time link (24 hours):")
            console.print(f"  [bold]{started.setup_url}[/]", soft_wrap=True)
        console.print("  Ctrl-C stops it.\n")
        if browser and sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
            webbrowser.open(started.setup_url or started.url)

    settings = load_settings()
    with console.status("Starting") as status:

        def say(line: str) -> None:
            status.update(line)
            if not console.is_terminal:
                console.print(f"  {line}")

        def shown(started: Started) -> None:
            status.stop()
            ready(started)

        asyncio.run(
            run(
                settings,
                migrate_first=True,
                worker=True,
                embedded=True,
                say=say,
                ready=shown,
            )
        )
