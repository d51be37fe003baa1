"""`aihub audit`: is the trail whole, and what does it say."""

import json
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from aihub.cli.desk import Desk, run, show
from aihub.cli.exits import FINDINGS, Stop
from aihub.kernel import audit

app = App(name="audit", help="Verify and read the audit trail.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def verify(*, as_json: Json = False) -> None:
    """Recompute the whole chain; exits with 3 when a row was changed, removed or reordered."""
    console = Console(stderr=True, highlight=False)

    async def main(desk: Desk) -> audit.Verdict:
        async with desk.work("verify the audit trail") as work:
            return await audit.verify(work)

    verdict = run(main)
    if as_json:
        print(
            json.dumps(
                {
                    "ok": verdict.ok,
                    "rows": verdict.rows,
                    "head": verdict.head_seq,
                    "problems": verdict.problems,
                }
            )
        )
    elif verdict.ok:
        console.print(f"The trail is whole: {verdict.rows} entries, the last is number {verdict.head_seq}.")
    else:
        console.print(f"[red]The trail was tampered with[/] ({verdict.rows} entries read):")
        for problem in verdict.problems:
            console.print(f"  {problem}")
    if not verdict.ok:
        raise Stop(FINDINGS)


@app.command(name="list")
def list_(
    *,
    limit: int = 50,
    action: Annotated[str | None, Parameter(help="Only this action.")] = None,
    actor: Annotated[str | None, Parameter(help="Only this actor.")] = None,
    as_json: Json = False,
) -> None:
    """The latest entries."""

    async def main(desk: Desk) -> audit.Page:
        async with desk.work("read the audit trail") as work:
            return await audit.page(work, cursor=None, limit=limit, action=action, actor=actor)

    rows: list[dict[str, object]] = [
        {
            "seq": e.seq,
            "at": e.at.isoformat(timespec="seconds"),
            "actor": e.actor,
            "action": e.action,
            "target": f"{e.target_kind} {e.target_id}",
            "details": ", ".join(f"{name}: {value}" for name, value in (e.details or {}).items()),
        }
        for e in run(main).items
    ]
    show(rows, as_json=as_json, empty="Nothing has been recorded yet.")
