"""`aihub keys`: the keys that sign access tokens."""

from typing import Annotated

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, run, show
from aihub.kernel.crypto import Crypto
from aihub.services.identity import service as identity
from aihub.services.identity.contracts.tokens import SigningKey

app = App(name="keys", help="Show and rotate the keys that sign access tokens. (API keys: 'aihub key'.)")
Json = Annotated[bool, Parameter(name="--json", negative="")]


def _row(key: SigningKey) -> dict[str, object]:
    return {
        "kid": key.kid,
        "state": key.state,
        "created_at": key.created_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
    }


@app.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """List the keys: the one that signs, the next one, and those whose tokens may still be in use."""

    async def main(desk: Desk) -> list[SigningKey]:
        async with desk.work("list signing keys") as work:
            return await identity.list_signing_keys(work)

    show([_row(k) for k in run(main)], as_json=as_json, empty="The first token makes the first keys.")


@app.command
def rotate(
    *,
    distrust: Annotated[
        bool,
        Parameter(
            negative="",
            help="A key may have leaked: believe none of the present ones any more. Programs refresh.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign with the next key from now on, in every process. Nobody is signed out."""

    async def main(desk: Desk) -> list[SigningKey]:
        async with desk.work("rotate the signing keys") as work:
            return await identity.rotate_keys(
                work, desk.runtime.get(Crypto), desk.runtime.clock, distrust=distrust
            )

    show([_row(k) for k in run(main)], as_json=as_json, empty="")
