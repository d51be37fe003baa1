"""Inviting many people at once: first a look at what would happen, then the letters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.db import Work
from aihub.kernel.errors import AihubError
from aihub.services.identity import queries
from aihub.services.identity.contracts import BeyondOwnPermissions, Post
from aihub.services.identity.contracts.access import RoleInfo
from aihub.services.identity.domain import SIGNED_UP, normal_email
from aihub.services.identity.people_csv import Person
from aihub.services.identity.queries import links, people
from aihub.services.identity.service.accounts import may_assign
from aihub.services.identity.service.invitations import send_invitation

LOCALES = ("en", "fr")
_LONGEST_NAME = 200

Outcome = Literal["invite", "account", "invited", "wrong", "sent"]
"""`invite`: will be; `account`: has one; `invited`: waits already; `wrong`: see its problems; `sent`: was."""


@dataclass(frozen=True, slots=True)
class Guest:
    """What becomes of one row. `problems` are (field, code, message)."""

    line: int
    email: str
    name: str
    roles: tuple[str, ...]
    locale: str
    outcome: Outcome
    problems: tuple[tuple[str, str, str], ...] = ()


async def preview_invitations(
    work: Work, rows: Sequence[Person], *, locale: str, actor: Actor, clock: Clock
) -> list[Guest]:
    """What inviting these people would do. Changes nothing. `locale`: of rows that name none."""
    roles = {role.name: role for role in await queries.roles(work)}
    assignable: dict[str, bool] = {}
    seen: dict[str, int] = {}
    guests = [_judged(row, locale, roles, assignable, actor, seen) for row in rows]
    emails = [guest.email for guest in guests if guest.outcome == "invite"]
    accounts = await people.with_account(work, emails)
    waiting = await people.with_invitation(work, emails, clock.now())

    def outcome(guest: Guest) -> Outcome:
        if guest.outcome != "invite":
            return guest.outcome
        if guest.email in accounts:
            return "account"
        return "invited" if guest.email in waiting else "invite"

    return [replace(guest, outcome=outcome(guest)) for guest in guests]


async def invite_many(
    work: Work, rows: Sequence[Person], *, locale: str, actor: Actor, post: Post, clock: Clock
) -> list[Guest]:
    """Invite those of these people who can be; each of them wholly or not at all. The others are told apart
    as in the preview, so that of two lists at once nobody gets two letters."""
    await links.lock_invitations(work)
    guests = await preview_invitations(work, rows, locale=locale, actor=actor, clock=clock)
    return [
        await _sent(work, guest, actor, post, clock) if guest.outcome == "invite" else guest
        for guest in guests
    ]


async def _sent(work: Work, guest: Guest, actor: Actor, post: Post, clock: Clock) -> Guest:
    try:
        async with work.session.begin_nested():
            await send_invitation(
                work,
                guest.email,
                guest.name,
                guest.roles,
                guest.locale,
                actor=actor,
                post=post,
                clock=clock,
                action="user.invite",
            )
    except AihubError as exc:
        return replace(guest, outcome="wrong", problems=(("email", exc.code, exc.detail or exc.title),))
    return replace(guest, outcome="sent")


def _judged(
    row: Person,
    locale: str,
    roles: dict[str, RoleInfo],
    assignable: dict[str, bool],
    actor: Actor,
    seen: dict[str, int],
) -> Guest:
    """The row in its one spelling, or what is wrong with it."""
    problems: list[tuple[str, str, str]] = []
    email, chosen = row.email, row.roles or (SIGNED_UP,)
    if row.problem:
        problems.append(("row", "cells", row.problem))
    try:
        email = normal_email(row.email)
    except ValueError as exc:
        problems.append(("email", "email", str(exc)))
    else:
        first = seen.setdefault(email, row.line)
        if first != row.line:
            problems.append(("email", "repeated", f"is on line {first} already"))
    if len(row.name) > _LONGEST_NAME or not row.name.isprintable():
        problems.append(("name", "name", f"has at most {_LONGEST_NAME} printable characters"))
    for name in chosen:
        if name not in roles:
            problems.append(("roles", "unknown", f"there is no role '{_shown(name[:50])}'"))
        elif name != SIGNED_UP and not assignable.setdefault(name, _may_give(actor, roles[name])):
            problems.append(("roles", "beyond_own", f"you may not give the role '{name}'"))
    spoken = (row.locale or locale).lower().replace("_", "-").partition("-")[0]
    if spoken not in LOCALES:
        problems.append(("locale", "locale", f"is not one of {', '.join(LOCALES)}"))
    return Guest(
        row.line,
        _shown(email),
        _shown(row.name),
        tuple(dict.fromkeys(_shown(name) for name in chosen)),
        _shown(spoken),
        "wrong" if problems else "invite",
        tuple(problems),
    )


def _shown(text: str) -> str:
    """What was judged, without the characters that cannot be shown or kept."""
    return "".join(char for char in text if char.isprintable())


def _may_give(actor: Actor, role: RoleInfo) -> bool:
    try:
        may_assign(actor, {role.name: role})
    except BeyondOwnPermissions:
        return False
    return True
