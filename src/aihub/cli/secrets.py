"""`aihub secrets`: keys at rest."""

import base64
import json
import os
from typing import Annotated

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run
from aihub.kernel import audit
from aihub.kernel.crypto import Crypto

app = App(name="secrets", help="Generate and rotate keys at rest.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


@app.command
def generate(*, as_json: Json = False) -> None:
    """Print a fresh ENCRYPTION_KEY and SESSION_SECRET, as lines of an env file."""
    made = {
        "ENCRYPTION_KEY": base64.b64encode(os.urandom(32)).decode(),
        "SESSION_SECRET": base64.b64encode(os.urandom(64)).decode(),
    }
    print(json.dumps(made) if as_json else "\n".join(f"{name}={value}" for name, value in made.items()))


@app.command
def rotate(*, as_json: Json = False) -> None:
    """Wrap every data key with the present ENCRYPTION_KEY.

    Keys that data is still wrapped with must stand in AIHUB_PREVIOUS_ENCRYPTION_KEYS.
    """

    async def main(desk: Desk) -> int:
        async with desk.work("rotate the master key") as work:
            count = await desk.runtime.get(Crypto).rotate(work)
            await audit.record(
                work,
                actor=None,
                action="secrets.rotate",
                target_kind="master key",
                target_id="current",
                details={"data_keys": count},
            )
            return count

    count = run(main)
    done(f"{count} data keys are wrapped with the present master key.", {"data_keys": count}, as_json=as_json)
