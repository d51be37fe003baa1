"""`aihub config`: what is in effect, where it came from, and templates to start from."""

import json
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from aihub.app.reference_settings import env_template
from aihub.app.settings import GROUPS, load_settings
from aihub.kernel.settings import declared

app = App(name="config", help="Show the effective settings and where each came from.")


@app.default
def show(
    *,
    changed: Annotated[bool, Parameter(help="Only what differs from the default.")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Every variable with its effective value, secrets masked, and its source."""
    rows = [r for r in load_settings().rows() if not changed or r.source != "default"]
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": r.declared.env,
                        "value": r.shown,
                        "source": r.source,
                        "secret": r.declared.secret,
                    }
                    for r in rows
                ]
            )
        )
        return
    table = Table("variable", "value", "from", box=None, pad_edge=False)
    section = ""
    for row in rows:
        if row.declared.section != section:
            section = row.declared.section
            table.add_row(f"[bold]{section}[/]", "", "")
        value = "[dim]unset[/]" if row.shown is None else row.shown
        source = f"[dim]{row.source}[/]" if row.source == "default" else row.source
        table.add_row(row.declared.env, value, source)
    Console().print(table)


@app.command
def template() -> None:
    """Print an env file with every variable, commented out, to copy to .env.local."""
    print(env_template(declared(GROUPS)), end="")
