"""Inviting many people at once, from a spreadsheet."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import Work, system
from aihub.kernel.idempotency import once
from aihub.kernel.runtime import Runtime
from aihub.services.identity import people_csv
from aihub.services.identity.contracts import Line, Post
from aihub.services.identity.people_csv import Person
from aihub.services.identity.service import fresh
from aihub.services.identity.service.bulk_invitations import Guest, invite_many, preview_invitations

router = APIRouter(prefix="/api/v1/invitations/bulk", tags=["identity"])

Inviter = Annotated[Actor, requires("users:create")]
ProvedInviter = Annotated[Actor, fresh("users:create")]
Locale = Literal["en", "fr"]

MOST_AT_ONCE = 100
"""People in one request, so that it stays short; a longer list is sent in several."""

_CSV: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "e-mail,name,roles,locale\r\nada@example.org,Ada,user,en\r\n",
            }
        },
    }
}


class RowProblem(BaseModel):
    field: str
    code: str
    message: str


class GuestBody(BaseModel):
    """A row and what becomes of it. `line` is where it stands in the list."""

    line: int
    email: str
    name: str
    roles: list[str]
    locale: str
    outcome: Literal["invite", "account", "invited", "wrong", "sent"]
    problems: list[RowProblem]


class GuestsBody(BaseModel):
    items: list[GuestBody]


class GuestRequest(BaseModel):
    line: Annotated[int, Field(ge=1, le=1_000_000)]
    email: Annotated[str, Field(max_length=1000)]
    name: Annotated[str, Field(max_length=1000)] = ""
    roles: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)] = []
    locale: Annotated[str, Field(max_length=20)] = ""


class GuestsRequest(BaseModel):
    """Rows as the preview gave them, up to a hundred in one request."""

    items: Annotated[list[GuestRequest], Field(min_length=1, max_length=MOST_AT_ONCE)]
    locale: Locale = "en"


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _body(guests: list[Guest]) -> GuestsBody:
    return GuestsBody(
        items=[
            GuestBody(
                line=guest.line,
                email=guest.email,
                name=guest.name,
                roles=list(guest.roles),
                locale=guest.locale,
                outcome=guest.outcome,
                problems=[RowProblem(field=f, code=c, message=m) for f, c, m in guest.problems],
            )
            for guest in guests
        ]
    )


@router.post("/preview", openapi_extra=_CSV)
async def preview_bulk_invitations(
    request: Request, actor: Inviter, locale: Annotated[Locale, Query()] = "en"
) -> GuestsBody:
    """What inviting the people of a CSV file would do; nothing is changed and nobody is written to.

    The columns are e-mail, name, roles and locale, in this order or under these names; comma, semicolon or
    tab; at most 1,000 people and 1 MB. `locale` is the language of letters to people without one.
    """
    runtime = _runtime(request)
    rows = people_csv.read(await request.body())
    async with runtime.database.work(system("preview invitations")) as work:
        guests = await preview_invitations(work, rows, locale=locale, actor=actor, clock=runtime.clock)
    return _body(guests)


@router.post("")
async def invite_in_bulk(
    request: Request,
    body: GuestsRequest,
    actor: ProvedInviter,
    idempotency_key: Annotated[Line, Header(min_length=1, max_length=200)],
) -> GuestsBody:
    """Invite these people, each wholly or not at all; the answer says what became of each.

    Every row is judged again as in the preview. The same Idempotency-Key again gives the same answer and
    writes to nobody.
    """
    runtime = _runtime(request)
    rows = [Person(g.line, g.email.strip(), g.name.strip(), tuple(g.roles), g.locale) for g in body.items]

    async def run(work: Work) -> tuple[int, object]:
        guests = await invite_many(
            work, rows, locale=body.locale, actor=actor, post=runtime.get(Post), clock=runtime.clock
        )
        return 200, _body(guests)

    _, answer = await once(
        runtime.database,
        actor,
        "POST /api/v1/invitations/bulk",
        idempotency_key,
        body,
        run,
        scope=system("invite in bulk"),
    )
    return GuestsBody.model_validate(answer)
