"""`aihub key`: API keys."""

import json
import sys
from datetime import datetime
from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run, show
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import Key

app = App(name="key", help="Create, list and revoke API keys.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


def _row(key: Key) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


@app.command
def create(
    *,
    email: Annotated[str, Parameter(help="Whose key it is.")],
    name: str,
    scopes: Annotated[
        tuple[str, ...], Parameter(consume_multiple=True, help="What it may do; '*' for all its owner may.")
    ] = (),
    purse: Annotated[
        str | None, Parameter(name="--credits", help="Credits of its own; without, it spends its owner's.")
    ] = None,
    expires: Annotated[datetime | None, Parameter(help="When it ends (ISO 8601).")] = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it, once."""
    wanted = [part for scope in scopes for part in scope.split(",") if part]
    expires_at = expires.astimezone() if expires is not None else None

    async def main(desk: Desk) -> tuple[Key, str]:
        async with desk.work("create key") as work:
            owner = await desk.user(work, email)
            return await identity.create_key(
                work,
                owner_id=owner.id,
                name=name,
                wallets=desk.wallets,
                scopes=wanted,
                expires_at=expires_at,
                credits=purse,
            )

    key, secret = run(main)
    if as_json:
        print(json.dumps({"key": secret} | _row(key)))
    else:
        print("This is the only time the key is shown:", file=sys.stderr)
        print(secret)


@app.command(name="list")
def list_(*, email: str, as_json: Json = False) -> None:
    """List somebody's keys."""

    async def main(desk: Desk) -> list[Key]:
        async with desk.work("list keys") as work:
            owner = await desk.user(work, email)
            found, _ = await identity.list_keys(work, owner.id, limit=1000)
            return found

    show([_row(k) for k in run(main)], as_json=as_json, empty=f"{email} has no keys.")


@app.command
def revoke(key_id: UUID, *, email: str, as_json: Json = False) -> None:
    """Revoke a key; it stops working at once in every process."""

    async def main(desk: Desk) -> None:
        async with desk.work("revoke key") as work:
            owner = await desk.user(work, email)
            await identity.revoke_key(
                work, owner_id=owner.id, key_id=key_id, wallets=desk.wallets, actor=None
            )

    run(main)
    done("Revoked.", {"id": str(key_id), "revoked": True}, as_json=as_json)
