"""Security events for administrators."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, StringConstraints

from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime
from aihub.kernel.security_events import queries

router = APIRouter(prefix="/api/v1", tags=["administration"])

Limit = Annotated[int, Query(ge=1, le=200)]
Word = Annotated[str, StringConstraints(max_length=200)]
Reader = Annotated[Actor, requires("security_events:read")]


class SecurityEventBody(BaseModel):
    """What happened `count` times within a minute; `facts` are those of the last time."""

    id: UUID
    kind: str
    severity: Literal["info", "warning", "critical"]
    subject: str
    subject_id: UUID | None
    count: int
    first_at: datetime
    last_at: datetime
    facts: dict[str, Any]


class SecurityEventsBody(BaseModel):
    items: list[SecurityEventBody]
    next_cursor: str | None


class EventCountBody(BaseModel):
    kind: str
    severity: Literal["info", "warning", "critical"]
    count: int


class EventCountsBody(BaseModel):
    items: list[EventCountBody]
    next_cursor: str | None = None


@router.get("/security-events")
async def list_security_events(
    request: Request,
    actor: Reader,
    kind: Word = "",
    severity: Literal["info", "warning", "critical"] | None = None,
    q: Word = "",
    since: AwareDatetime | None = None,
    cursor: UUID | None = None,
    limit: Limit = 50,
) -> SecurityEventsBody:
    """What matters to the safety of the hub, the newest first. `kind` may end with `*`."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.work(system("an administrator reads security events")) as work:
        found = await queries.page(
            work, before=cursor, limit=limit + 1, kind=kind, severity=severity or "", subject=q, since=since
        )
    items = [SecurityEventBody.model_validate(one, from_attributes=True) for one in found[:limit]]
    return SecurityEventsBody(items=items, next_cursor=str(items[-1].id) if len(found) > limit else None)


@router.get("/security-events/counts")
async def count_security_events(
    request: Request, actor: Reader, hours: Annotated[int, Query(ge=1, le=2_160)] = 24
) -> EventCountsBody:
    """How often each kind happened in the last hours, the most frequent first."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.work(system("an administrator reads security events")) as work:
        found = await queries.counts(work, runtime.clock.now() - timedelta(hours=hours))
    return EventCountsBody(items=[EventCountBody(kind=k, severity=s, count=c) for k, s, c in found])
