"""`aihub user`: people, without a browser."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, done, run, secret_from_stdin, show
from aihub.kernel.errors import InvalidRequest
from aihub.services.identity import service as identity
from aihub.services.identity.contracts import User

app = App(name="user", help="Create, list and change people.")
Json = Annotated[bool, Parameter(name="--json", negative="")]


def _row(user: User) -> dict[str, object]:
    return {
        "id": str(user.id),
        "email": user.email,
        "name": user.name,
        "roles": sorted(user.roles),
        "active": user.active,
        "created_at": user.created_at.isoformat(),
    }


@app.command
def create(
    *,
    email: str,
    role: Annotated[tuple[str, ...], Parameter(help="May be given more than once.")] = ("user",),
    name: str = "",
    password_stdin: Annotated[
        bool, Parameter(negative="", help="Read the password from standard input.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create an account. Without a password nobody can sign in to it, but keys work."""
    chosen = secret_from_stdin("password") if password_stdin else None

    async def main(desk: Desk) -> User:
        password = await identity.new_password(chosen, known=(email, name)) if chosen is not None else None
        async with desk.work("create user") as work:
            return await identity.create_user(
                work, email=email, password=password, name=name, roles=role, wallets=desk.wallets
            )

    user = run(main)
    if as_json:
        print(json.dumps(_row(user)))
    else:
        print(f"Created {user.email} ({', '.join(sorted(user.roles))}).", file=sys.stderr)


@app.command(name="list")
def list_(*, search: str = "", as_json: Json = False) -> None:
    """List accounts."""

    async def main(desk: Desk) -> list[User]:
        found: list[User] = []
        after = None
        async with desk.work("list users") as work:
            while True:
                page, after = await identity.list_users(work, search=search, after=after, limit=200)
                found += page
                if after is None:
                    return found

    show([_row(u) for u in run(main)], as_json=as_json, empty="Nobody has an account yet.")


@app.command
def password(*, email: str, as_json: Json = False) -> None:
    """Set somebody's password, read from standard input; their sessions end."""
    new = secret_from_stdin("password")

    async def main(desk: Desk) -> None:
        async with desk.work("set password") as work:
            user = await desk.user(work, email)
        hashed = await identity.new_password(new, "new_password", known=(user.email, user.name))
        async with desk.work("set password") as work:
            await identity.set_password(work, user.id, hashed, actor=None)

    run(main)
    done(f"The password of {email} is set.", {"email": email, "changed": True}, as_json=as_json)


@app.command
def change(
    *,
    email: str,
    active: Annotated[
        bool | None, Parameter(negative="--inactive", help="Reactivate, or deactivate.")
    ] = None,
    role: Annotated[tuple[str, ...] | None, Parameter(help="The roles from now on.")] = None,
    name: str | None = None,
    as_json: Json = False,
) -> None:
    """Change roles, name, or whether an account works. Deactivating ends sessions and keys at once."""

    async def main(desk: Desk) -> User:
        async with desk.work("change user") as work:
            user = await desk.user(work, email)
            return await identity.update_user(work, user.id, actor=None, name=name, active=active, roles=role)

    user = run(main)
    show([_row(user)], as_json=as_json, empty="")


@app.command
def export(
    email: str,
    *,
    to: Annotated[Path, Parameter(help="The file to write; it must not be there yet.")],
    as_json: Json = False,
) -> None:
    """Write everything the hub holds about somebody to a zip file that only you can read."""
    from aihub.cli.privacy import with_privacy
    from aihub.services.privacy import service as privacy

    target = to.resolve()
    if target.exists():
        raise InvalidRequest(f"{target} is there already.", remedy="Name a file that does not exist yet.")

    async def main(desk: Desk) -> int:
        with_privacy(desk.runtime)
        async with desk.work("find somebody") as work:
            user = await desk.user(work, email)
        return await privacy.export_to(desk.runtime, user, target)

    rows = run(main)
    facts: dict[str, object] = {"email": email, "file": str(target), "rows": rows}
    done(f"{rows} rows about {email} are in {target}.", facts, as_json=as_json)


@app.command
def delete(
    email: str,
    *,
    reason: Annotated[str, Parameter(help="It is told to the person and stands in the audit trail.")],
    immediately: Annotated[
        bool, Parameter(negative="", help="Leave no seven days to keep the account after all.")
    ] = False,
    confirm: Annotated[str, Parameter(help="The address again, with --immediately.")] = "",
    as_json: Json = False,
) -> None:
    """Have an account and everything in it erased: in seven days, or immediately."""
    from aihub.cli.privacy import with_privacy
    from aihub.services.privacy import service as privacy

    async def main(desk: Desk) -> dict[str, object]:
        with_privacy(desk.runtime)
        async with desk.work("delete somebody") as work:
            user = await desk.user(work, email)
            made = await privacy.order_from_desk(
                work, desk.runtime, user, reason=reason, immediately=immediately, confirmation=confirm
            )
        facts: dict[str, object] = {"deletion": str(made.id), "due_at": made.due_at.isoformat()}
        if immediately:
            await privacy.carry_out(desk.runtime, made.id)
            async with desk.work("read a certificate") as work:
                facts["certificate"] = dict(await privacy.certificate_of(work, made.id))
        return facts

    facts = run(main)
    if immediately:
        done(f"{email} is erased; certificate {facts['deletion']}.", facts, as_json=as_json)
    else:
        sentence = (
            f"{email} will be erased at {facts['due_at']}; until then 'aihub user keep' keeps the account."
        )
        done(sentence, facts, as_json=as_json)


@app.command
def keep(email: str, *, as_json: Json = False) -> None:
    """Keep an account whose deletion was asked for."""
    from aihub.cli.privacy import with_privacy
    from aihub.services.privacy import service as privacy

    async def main(desk: Desk) -> None:
        with_privacy(desk.runtime)
        async with desk.work("keep somebody") as work:
            user = await desk.user(work, email)
            await privacy.cancel_deletion(work, desk.runtime, user.id, actor=None)

    run(main)
    done(f"{email} stays.", {"email": email, "kept": True}, as_json=as_json)
