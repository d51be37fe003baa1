"""`aihub privacy`: certificates of deletion."""

import json
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run
from aihub.kernel.crypto import Crypto
from aihub.kernel.errors import InvalidRequest
from aihub.kernel.runtime import Runtime

app = App(name="privacy", help="Check certificates of deletion.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


def with_privacy(runtime: Runtime) -> None:
    """Give the command's runtime what exports and deletions need; the hub delivers the letters."""
    from aihub.app.modules import MODULES
    from aihub.kernel.privacy import personal_data
    from aihub.services.identity.contracts import Post
    from aihub.services.notifications.service import post_of
    from aihub.services.privacy.service import Registry

    runtime.provide(Registry, Registry(personal_data(MODULES)))
    runtime.provide(Post, post_of(runtime))


@app.command
def verify(file: Path, *, as_json: Json = False) -> None:
    """Check that this hub made a certificate and that nobody has changed it since."""
    from aihub.services.privacy import service as privacy
    from aihub.services.privacy.contracts import Verdict

    try:
        document: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InvalidRequest(f"{file} cannot be read as JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise InvalidRequest(f"{file} does not hold a certificate.")

    async def main(desk: Desk) -> Verdict:
        async with desk.work("verify a certificate") as work:
            return await privacy.verify_certificate(work, desk.runtime.get(Crypto), document)

    verdict = run(main)
    if not verdict.genuine:
        raise InvalidRequest(verdict.problem)
    facts: dict[str, object] = {
        "genuine": True,
        "pseudonym": document["pseudonym"],
        "erased_at": document["erased_at"],
    }
    done(f"Genuine: {document['pseudonym']} was erased at {document['erased_at']}.", facts, as_json=as_json)
