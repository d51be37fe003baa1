"""`aihub audit`: is the trail whole, and what does it say."""

import asyncio
import json
import sys
import time
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from aihub.cli.desk import Desk, done, run, show
from aihub.cli.exits import FINDINGS, Stop
from aihub.kernel import audit
from aihub.kernel.audit.checkpoints import Checkpoint
from aihub.kernel.audit.export import Format, exported
from aihub.kernel.audit.trail import AuditTrail

app = App(name="audit", help="Verify, read and export the audit trail.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def verify(*, as_json: Json = False) -> None:
    """Recompute the whole chain and compare it with its signed checkpoints; exits with 3 on a finding."""
    console = Console(stderr=True, highlight=False)

    async def main(desk: Desk) -> tuple[audit.Verdict, float]:
        trail = await AuditTrail.opened(desk.runtime)
        began = time.perf_counter()
        return await trail.verify(), time.perf_counter() - began

    verdict, seconds = run(main)
    speed = round(verdict.rows / seconds) if verdict.rows and seconds else None
    if as_json:
        print(
            json.dumps(
                {
                    "ok": verdict.ok,
                    "rows": verdict.rows,
                    "head": verdict.head_seq,
                    "problems": verdict.problems,
                    "warnings": verdict.warnings,
                    "rows_per_second": speed,
                }
            )
        )
    elif verdict.ok:
        pace = f" ({speed:,} entries a second)" if speed else ""
        console.print(
            f"The trail is whole: {verdict.rows} entries, the last is number {verdict.head_seq}{pace}."
        )
    else:
        console.print(f"[red]The trail was tampered with[/] ({verdict.rows} entries read):")
        for problem in verdict.problems:
            console.print(f"  {problem}")
    if not as_json:
        for warning in verdict.warnings:
            console.print(f"[yellow]Note:[/] {warning}")
    if not verdict.ok:
        raise Stop(FINDINGS)


@app.command
def checkpoint(*, as_json: Json = False) -> None:
    """Sign how the trail stands now, in the database and in the file outside of it."""

    async def main(desk: Desk) -> Checkpoint | None:
        trail = await AuditTrail.opened(desk.runtime)
        return await trail.mark()

    made = run(main)
    if made is None:
        done("Nothing was added since the last checkpoint.", {"made": False}, as_json=as_json)
    else:
        facts: dict[str, object] = {"made": True, "seq": made.seq, "hash": made.hash.hex()}
        done(f"Signed: {made.entries} entries, the last is number {made.seq}.", facts, as_json=as_json)


@app.command(name="accept-restore")
def accept_restore(
    *,
    reason: Annotated[str, Parameter(help="Why the database was set back; kept in the trail.")],
    as_json: Json = False,
) -> None:
    """After you restored a backup: say so in the trail, and go on from there.

    Entries that were signed and are lost stay named in the new entry. Nothing else is excused.
    """

    async def main(desk: Desk) -> Checkpoint:
        trail = await AuditTrail.opened(desk.runtime)
        return await trail.accept_restore(reason)

    made = run(main)
    done(
        f"Accepted. Checkpoints up to entry {made.base} still bind; the trail goes on with entry {made.seq}.",
        {"base": made.base, "seq": made.seq},
        as_json=as_json,
    )


@app.command
def export(
    *,
    file_format: Annotated[Format, Parameter(name="--format", help="csv or jsonl.")] = "jsonl",
    action: Annotated[str, Parameter(help="Only this action; may end with *.")] = "",
    actor: Annotated[str, Parameter(help="Only this actor: an id or a part of the name.")] = "",
    address: Annotated[str, Parameter(help="Only from this address; may end with *.")] = "",
    since: Annotated[datetime | None, Parameter(help="Only from then on.")] = None,
    until: Annotated[datetime | None, Parameter(help="Only before then.")] = None,
) -> None:
    """Write the trail to standard output, newest first. That it was exported is an entry itself."""
    chosen = audit.Filter(
        actor=actor,
        action=action,
        ip=address,
        since=since.astimezone() if since else None,
        until=until.astimezone() if until else None,
    )

    async def main(desk: Desk) -> None:
        async with desk.work("export the audit trail") as work:
            newest = await audit.page(work, cursor=None, limit=1)
            await audit.record(
                work, actor=None, action="audit.export", target_kind="audit trail", target_id=file_format
            )
        upto = newest.items[0].seq if newest.items else 0
        async for piece in exported(desk.runtime.database, chosen, file_format, upto=upto):
            await asyncio.to_thread(sys.stdout.buffer.write, piece)
        sys.stdout.buffer.flush()

    run(main)


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
            "actor": e.actor or "(erased)",
            "action": e.action,
            "target": f"{e.target_kind} {e.target_id}",
            "details": _words(e),
        }
        for e in run(main).items
    ]
    show(rows, as_json=as_json, empty="Nothing has been recorded yet.")


def _words(line: audit.Line) -> str:
    said = [f"{name}: {_word(value)}" for name, value in (line.details or {}).items()]
    changed = [f"{name}: {_word(pair[0])} → {_word(pair[-1])}" for name, pair in (line.changes or {}).items()]
    return ", ".join(said + changed)


def _word(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value) or "none"
    return "none" if value is None else str(value)
