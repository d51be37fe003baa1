"""`aihub key`: API keys."""

import json
import sys
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter
from cyclopts.validators import Number

from aihub.cli.desk import Desk, done, run, show
from aihub.services.identity import service as identity
from aihub.services.identity.contracts.keys import BudgetPeriod, Key, KeyWish

app = App(name="key", help="Create, list, rotate and revoke API keys.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


def _row(key: Key) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        "models": sorted(key.limits.models),
        "networks": list(key.networks),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "previous_until": key.previous_until.isoformat() if key.previous_until else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _parts(given: tuple[str, ...]) -> list[str]:
    return [part for text in given for part in text.split(",") if part]


def _show_once(key: Key, secret: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"key": secret} | _row(key)))
    else:
        print("This is the only time the key is shown:", file=sys.stderr)
        print(secret)


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
    models: Annotated[
        tuple[str, ...], Parameter(consume_multiple=True, help="The only models it may use.")
    ] = (),
    networks: Annotated[
        tuple[str, ...],
        Parameter(consume_multiple=True, help="The only networks it may be used from (CIDR)."),
    ] = (),
    requests: Annotated[int | None, Parameter(help="Requests a minute.")] = None,
    tokens: Annotated[int | None, Parameter(help="Tokens a minute.")] = None,
    parallel: Annotated[int | None, Parameter(help="Requests at a time.")] = None,
    budget: Annotated[str | None, Parameter(help="Credits it may spend in each period.")] = None,
    period: Annotated[BudgetPeriod, Parameter(help="The budget's period (UTC).")] = "month",
    as_json: Json = False,
) -> None:
    """Create a key and print it, once."""
    wanted = _parts(scopes)
    expires_at = expires.astimezone() if expires is not None else None
    wish = KeyWish(
        models=_parts(models),
        networks=_parts(networks),
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        parallel_requests=parallel,
        budget=(budget, period) if budget is not None else None,
    )

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
                wish=wish,
            )

    _show_once(*run(main), as_json=as_json)


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
def rotate(
    key_id: UUID,
    *,
    email: Annotated[str, Parameter(help="Whose key it is.")],
    overlap: Annotated[
        int, Parameter(help="Days for which the old secret works too.", validator=Number(gte=0, lte=7))
    ] = 1,
    as_json: Json = False,
) -> None:
    """Give a key a new secret and print it, once. With an overlap of 0 the old one ends now."""

    async def main(desk: Desk) -> tuple[Key, str]:
        async with desk.work("rotate key") as work:
            owner = await desk.user(work, email)
            return await identity.rotate_key(
                work, owner_id=owner.id, key_id=key_id, overlap=timedelta(days=overlap), actor=None
            )

    _show_once(*run(main), as_json=as_json)


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
