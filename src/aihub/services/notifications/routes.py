"""The outbox, for administrators."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.services.notifications.contracts import Posted
from aihub.services.notifications.service import PostOffice

router = APIRouter(prefix="/api/v1/outbox", tags=["notifications"])

Status = Literal["waiting", "sent", "failed", "expired"]


class LetterBody(BaseModel):
    """A letter. `readable`: its text is still kept."""

    id: UUID
    kind: str
    to: str
    subject: str
    status: Status
    attempts: int
    error: str | None
    readable: bool
    created_at: datetime
    expires_at: datetime | None
    sent_at: datetime | None


class OutboxBody(BaseModel):
    """`delivers`: a mail server is configured; without one letters stay here."""

    items: list[LetterBody]
    next_cursor: str | None
    delivers: bool


class LetterTextBody(LetterBody):
    text: str
    link: str | None


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.get("", dependencies=[requires("mail:read")])
async def list_letters(
    request: Request,
    status: Status | None = None,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OutboxBody:
    """Letters to people, the newest first."""
    runtime = _runtime(request)
    office = runtime.get(PostOffice)
    async with runtime.database.work(system("list letters")) as work:
        letters, following = await office.page(work, status=status, after=cursor, limit=limit)
    return OutboxBody(
        items=[_body(letter) for letter in letters],
        next_cursor=str(following) if following else None,
        delivers=office.delivers,
    )


@router.get("/{letter_id}")
async def read_letter(
    request: Request, letter_id: UUID, actor: Annotated[Actor, requires("mail:open")]
) -> LetterTextBody:
    """What a letter says that was not sent. Its link may be somebody's way in, so this is audited."""
    runtime = _runtime(request)
    async with runtime.database.work(system("read a letter")) as work:
        letter, contents = await runtime.get(PostOffice).read(work, letter_id, actor)
    return LetterTextBody(**dict(_body(letter)), text=contents.text, link=contents.link)


@router.post("/{letter_id}/retry")
async def retry_letter(
    request: Request, letter_id: UUID, actor: Annotated[Actor, requires("mail:read")]
) -> LetterBody:
    """Try to deliver a failed letter again."""
    runtime = _runtime(request)
    async with runtime.database.work(system("retry a letter")) as work:
        return _body(await runtime.get(PostOffice).retry(work, letter_id, actor))


def _body(letter: Posted) -> LetterBody:
    return LetterBody(
        id=letter.id,
        kind=letter.kind,
        to=letter.to_address,
        subject=letter.subject,
        status=letter.status,
        attempts=letter.attempts,
        error=letter.error,
        readable=letter.readable,
        created_at=letter.created_at,
        expires_at=letter.expires_at,
        sent_at=letter.sent_at,
    )
