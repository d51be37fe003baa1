"""`aihub access`: who may do what, and why."""

import json
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from aihub.cli.desk import Desk, run, show
from aihub.cli.exits import FINDINGS, Stop
from aihub.services.gateway import service as gateway
from aihub.services.identity import service as identity
from aihub.services.identity.contracts.access import Explanation, Reason

app = App(name="access", help="Say why somebody may do something, or not; list roles.")
Json = Annotated[bool, Parameter(name="--json", negative="")]

_PATH = " → "


@app.command
def explain(user: str, permission: str, resource: str | None = None, /, *, as_json: Json = False) -> None:
    """Why USER (an e-mail address) has PERMISSION, in general or on RESOURCE (an id, or a model's name).

    Leaves with 0 when they may and with 3 when they may not.
    """

    async def main(desk: Desk) -> tuple[Explanation, str | None]:
        from aihub.app.modules import MODULES

        declared = [declared for module in MODULES for declared in module.permissions]
        required = identity.second_factor_roles(desk.runtime.settings)
        async with desk.work("explain access") as work:
            person = await desk.user(work, user)
            thing, open_to_all = resource, None
            if resource is not None and "model" in permission:
                model = await gateway.find_model(work, resource)
                thing = str(model.id) if model else resource
                if model is not None and not model.restricted:
                    open_to_all = model.name
            explanation = await identity.explain(
                work, person.id, permission, thing, required_roles=required, declared=declared
            )
            return explanation, open_to_all

    explanation, open_to_all = run(main)
    if as_json:
        print(json.dumps(_facts(explanation) | {"unrestricted": open_to_all is not None}))
    else:
        for line in _lines(explanation):
            print(line)
        if open_to_all is not None:
            print(f"The model {open_to_all} is not restricted: whoever may call models may use it.")
    if not explanation.allowed:
        raise Stop(FINDINGS)


@app.command
def roles(*, as_json: Json = False) -> None:
    """List the roles: what they allow, what they inherit, and how many people have them."""

    async def main(desk: Desk) -> list[dict[str, object]]:
        async with desk.work("list roles") as work:
            return [
                {
                    "name": role.name,
                    "title": role.title,
                    "parent": role.parent,
                    "people": role.people,
                    "permissions": list(role.permissions),
                }
                for role in await identity.list_roles(work)
            ]

    show(run(main), as_json=as_json, empty="There are no roles yet.")


def _lines(explanation: Explanation) -> list[str]:
    verdict = "may" if explanation.allowed else "may not"
    thing = f" on {explanation.resource}" if explanation.resource else ""
    lines = [f"{explanation.email} {verdict}: {explanation.title} ({explanation.permission}{thing})."]
    return lines + [f"  {_mark(reason)} {_words(reason)}" for reason in explanation.reasons]


def _mark(reason: Reason) -> str:
    return {True: "+", False: "-", None: "·"}[reason.speaks]


def _words(reason: Reason) -> str:
    names = ", ".join(reason.names)
    match reason.kind:
        case "inactive":
            return "The account is deactivated, so it may do nothing."
        case "second_factor":
            if reason.speaks is None:
                return "Their role asks for their second factor when they sign in."
            return "Their role needs a second factor, and they have none: they add one at the next sign-in."
        case "role" | "role_expired":
            inherits = f", which inherits it ({_PATH.join(reason.path)})" if len(reason.path) > 1 else ""
            return f"The role {reason.path[0]}{inherits}: {_given(reason)}"
        case "resource" | "resource_expired":
            to = f"everybody with the role {reason.role}" if reason.role else "them"
            return f"Given to {to} for this one thing: {_given(reason)}"
        case "elsewhere":
            return f"Not in general, but on single things: {names}."
        case "roles_with_it":
            return f"None of their roles allows it. These would: {names}."
        case "key":
            scopes = f" Its scopes: {names}." if names else ""
            return f"The key {reason.note} {'may, too' if reason.speaks else 'may not'}.{scopes}"
        case "unknown":
            return "There is no such permission."
        case "nothing":
            return "No role allows it."


def _given(reason: Reason) -> str:
    by = f"by {reason.granted_by}" if reason.granted_by else "by the operator or in the database"
    since = f"given {by} on {_day(reason.granted_at)}" if reason.granted_at else f"given {by}"
    note = f" ({reason.note})" if reason.note else ""
    if reason.kind.endswith("expired"):
        return f"{since}{note}, ended on {_day(reason.expires_at)}."
    return f"{since}{note}, until {_day(reason.expires_at)}." if reason.expires_at else f"{since}{note}."


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "?"


def _facts(explanation: Explanation) -> dict[str, object]:
    return {
        "user": explanation.email,
        "permission": explanation.permission,
        "resource": explanation.resource,
        "allowed": explanation.allowed,
        "reasons": [
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name in Reason.__slots__
                if (value := getattr(reason, name)) not in (None, (), "") or name == "speaks"
            }
            for reason in explanation.reasons
        ],
    }
