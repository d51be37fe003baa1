"""People at a glance, for administrators: search, statistics, one person, many at once, the list as CSV."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.identity import people_csv, service
from aihub.services.identity.contracts import Line, Wallets
from aihub.services.identity.contracts.keys import Spending
from aihub.services.identity.contracts.people import Person, PersonFilter
from aihub.services.identity.routes.bodies import UserBody
from aihub.services.identity.routes.key_bodies import KeysBody
from aihub.services.identity.routes.keys import key_bodies
from aihub.services.identity.service import fresh
from aihub.services.identity.service import people as desk

router = APIRouter(prefix="/api/v1/users", tags=["identity"])

Reader = Annotated[Actor, requires("users:read")]
Changer = Annotated[Actor, fresh("users:update")]

MOST_AT_ONCE = 200
_SEES_MONEY = "credits:adjust"


class PersonUsageBody(BaseModel):
    """Credits now, and what was spent in how many calls of models within thirty days."""

    balance: str
    available: str
    spent: str
    calls: int


class PersonBody(UserBody):
    """An account at a glance. `keys` and `sessions` are those that work now; `usage` is for those who may
    adjust credits."""

    locale: str
    email_verified: bool
    second_factor: bool
    keys: int
    sessions: int
    usage: PersonUsageBody | None


class PeopleBody(BaseModel):
    items: list[PersonBody]
    next_cursor: str | None


class StatisticsBody(BaseModel):
    """Lately is within thirty days; `second_factor` counts active people, `invited` those who have yet to
    accept."""

    people: int
    active: int
    inactive: int
    second_factor: int
    never_signed_in: int
    seen_lately: int
    new_lately: int
    invited: int
    roles: dict[str, int]


class Switch(BaseModel):
    """`revoke_keys`: also end the keys of those who are deactivated, for good."""

    user_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_AT_ONCE)]
    active: bool
    revoke_keys: bool = False


class SwitchedBody(BaseModel):
    """`code` and `detail` say why an account was left as it is."""

    id: UUID
    changed: bool
    code: str | None
    detail: str | None


class SwitchedAllBody(BaseModel):
    items: list[SwitchedBody]


def _filter(
    search: Annotated[Line, Query(max_length=200)] = "",
    role: Annotated[Line | None, Query(max_length=100)] = None,
    active: bool | None = None,
    second_factor: bool | None = None,
    never_signed_in: bool = False,
) -> PersonFilter:
    return PersonFilter(search, role, active, second_factor, never_signed_in)


Wanted = Annotated[PersonFilter, Depends(_filter)]


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _usage(spent: Spending | None) -> PersonUsageBody | None:
    if spent is None:
        return None
    return PersonUsageBody(
        balance=spent.balance, available=spent.available, spent=spent.spent, calls=spent.calls
    )


def _body(person: Person, spent: Spending | None) -> PersonBody:
    return PersonBody(
        id=person.id,
        email=person.email,
        name=person.name,
        active=person.active,
        roles=list(person.roles),
        created_at=person.created_at,
        last_sign_in_at=person.last_sign_in_at,
        leaving_at=person.leaving_at,
        locale=person.locale,
        email_verified=person.email_verified_at is not None,
        second_factor=person.second_factor,
        keys=person.keys,
        sessions=person.sessions,
        usage=_usage(spent),
    )


@router.get("")
async def list_users(
    request: Request,
    actor: Reader,
    wanted: Wanted,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PeopleBody:
    """People whose name or address contains `search` and who fit the filters, the newest first."""
    runtime = _runtime(request)
    async with runtime.database.work(system("list users")) as work:
        found, following = await desk.find_people(
            work, wanted, clock=runtime.clock, after=cursor, limit=limit
        )
        spent = (
            await desk.spending_of(work, found, wallets=runtime.get(Wallets), clock=runtime.clock)
            if actor.may(_SEES_MONEY)
            else {}
        )
    return PeopleBody(
        items=[_body(person, spent.get(person.id)) for person in found],
        next_cursor=str(following) if following else None,
    )


@router.get("/statistics", dependencies=[requires("users:read")])
async def read_user_statistics(request: Request) -> StatisticsBody:
    """How many people of each kind there are."""
    runtime = _runtime(request)
    async with runtime.database.work(system("count users")) as work:
        found = await desk.count_people(work, runtime.clock)
    return StatisticsBody(
        people=found.people,
        active=found.active,
        inactive=found.people - found.active,
        second_factor=found.second_factor,
        never_signed_in=found.never_signed_in,
        seen_lately=found.seen_lately,
        new_lately=found.new_lately,
        invited=found.invited,
        roles=dict(found.roles),
    )


_HEADER = (
    "e-mail", "name", "active", "roles", "locale", "second factor", "created", "last sign-in", "keys",
    "sessions", "credits", "spent in 30 days", "calls in 30 days",
)  # fmt: skip


@router.get("/export", response_class=StreamingResponse)
async def export_users(request: Request, actor: Reader, wanted: Wanted) -> StreamingResponse:
    """The people who fit the filters as a CSV file, in UTF-8. No cell of it can become a formula."""
    runtime = _runtime(request)
    wallets = runtime.get(Wallets) if actor.may(_SEES_MONEY) else None

    async def lines() -> AsyncIterator[str]:
        for line in people_csv.write(_HEADER, ()):
            yield line
        async for person, spent in desk.everybody(
            runtime.database, wanted, wallets=wallets, clock=runtime.clock
        ):
            yield people_csv.line(_cells(person, spent))

    name = f"people-{runtime.clock.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


def _cells(person: Person, spent: Spending | None) -> tuple[str, ...]:
    def moment(at: datetime | None) -> str:
        return at.isoformat(timespec="seconds") if at else ""

    def word(value: object) -> str:
        return "yes" if value else "no"

    return (
        person.email,
        person.name,
        word(person.active),
        " ".join(person.roles),
        person.locale,
        word(person.second_factor),
        moment(person.created_at),
        moment(person.last_sign_in_at),
        str(person.keys),
        str(person.sessions),
        spent.balance if spent else "",
        spent.spent if spent else "",
        str(spent.calls) if spent else "",
    )


@router.post("/bulk")
async def switch_users(request: Request, body: Switch, actor: Changer) -> SwitchedAllBody:
    """Deactivate or activate many accounts; the answer says what became of each.

    Deactivated accounts are signed out and their keys refused at once. Activated again, their keys work as
    before unless they were revoked; their sessions stay ended.
    """
    runtime = _runtime(request)
    async with runtime.database.work(system("switch users")) as work:
        done = await desk.set_active(
            work,
            body.user_ids,
            active=body.active,
            revoke_keys=body.revoke_keys,
            wallets=runtime.get(Wallets),
            actor=actor,
            clock=runtime.clock,
        )
    return SwitchedAllBody(
        items=[
            SwitchedBody(
                id=one.id,
                changed=one.changed,
                code=one.error.code if one.error else None,
                detail=(one.error.detail or one.error.title) if one.error else None,
            )
            for one in done
        ]
    )


@router.get("/{user_id}")
async def read_user(request: Request, user_id: UUID, actor: Reader) -> PersonBody:
    """One person at a glance."""
    runtime = _runtime(request)
    async with runtime.database.work(system("look at a user")) as work:
        person = await desk.find_person(work, user_id, runtime.clock)
        spent = (
            await desk.spending_of(work, [person], wallets=runtime.get(Wallets), clock=runtime.clock)
            if actor.may(_SEES_MONEY)
            else {}
        )
    return _body(person, spent.get(person.id))


@router.get("/{user_id}/keys", dependencies=[requires("users:read")])
async def list_user_keys(
    request: Request,
    user_id: UUID,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> KeysBody:
    """The keys of a person, the newest first, revoked ones too."""
    runtime = _runtime(request)
    async with runtime.database.work(system("look at a user's keys")) as work:
        await desk.find_person(work, user_id, runtime.clock)
        keys, following = await service.list_keys(work, user_id, after=cursor, limit=limit)
        items = await key_bodies(runtime, work, keys)
    return KeysBody(items=items, next_cursor=str(following) if following else None)


@router.delete("/{user_id}/keys/{key_id}", status_code=204)
async def revoke_user_key(request: Request, user_id: UUID, key_id: UUID, actor: Changer) -> None:
    """End a key of somebody at once."""
    runtime = _runtime(request)
    async with runtime.database.work(system("revoke a user's key")) as work:
        await desk.revoke_key_of(work, user_id, key_id, wallets=runtime.get(Wallets), actor=actor)
