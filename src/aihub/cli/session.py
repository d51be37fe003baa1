"""`aihub session`: who is signed in with a browser."""

from typing import Annotated

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run
from aihub.services.identity import service as identity

app = App(name="session", help="End sessions.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command(name="end-all")
def end_all(
    *,
    reason: Annotated[str, Parameter(help="Kept in the audit trail.")] = "",
    as_json: Json = False,
) -> None:
    """Sign everybody out, in every browser and every process, at once. API keys go on working."""

    async def main(desk: Desk) -> int:
        async with desk.work("end everybody's sessions") as work:
            return await identity.end_everybodys_sessions(work, None, reason)

    count = run(main)
    done(f"{count} sessions have ended. Everybody must sign in again.", {"ended": count}, as_json=as_json)
