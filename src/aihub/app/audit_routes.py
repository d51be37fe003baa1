"""The audit trail for administrators, and for each person the part about themselves."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, StringConstraints

from aihub.kernel import audit
from aihub.kernel.auth import Actor, requires, signed_in
from aihub.kernel.db import system
from aihub.kernel.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["administration"])

Limit = Annotated[int, Query(ge=1, le=200)]
Word = Annotated[str, StringConstraints(max_length=300)]
Reader = Annotated[Actor, requires("audit:read")]


class EntryBody(BaseModel):
    """`actor` is null once that person was erased. `changes` is `{field: [before, after]}`."""

    id: UUID
    seq: int
    at: datetime
    actor_id: UUID | None
    actor: str | None
    action: str
    target_kind: str
    target_id: str
    subject_id: UUID | None
    session_id: UUID | None
    key_id: UUID | None
    request_id: str | None
    ip: str | None
    user_agent: str | None
    details: dict[str, Any] | None
    changes: dict[str, list[Any]] | None


class EntriesBody(BaseModel):
    items: list[EntryBody]
    next_cursor: str | None


class ActivityBody(BaseModel):
    """What somebody did, or what was done to them. Where it came from is told of their own deeds only."""

    id: UUID
    at: datetime
    by: Literal["you", "hub", "somebody"]
    action: str
    target_kind: str
    target_id: str
    ip: str | None
    user_agent: str | None
    details: dict[str, Any] | None
    changes: dict[str, list[Any]] | None


class ActivitiesBody(BaseModel):
    items: list[ActivityBody]
    next_cursor: str | None


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


def _filter(
    actor: Word = "",
    action: Word = "",
    target_kind: Word = "",
    target_id: Word = "",
    ip: Word = "",
    q: Word = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> audit.Filter:
    """`action` and `ip` may end with `*`; `actor` is an id or a part of a name; `q` may stand anywhere."""
    return audit.Filter(actor, action, target_kind, target_id, ip, q, since, until)


@router.get("/audit")
async def list_audit(
    request: Request,
    actor: Reader,
    chosen: Annotated[audit.Filter, Depends(_filter)],
    cursor: str | None = None,
    limit: Limit = 50,
) -> EntriesBody:
    """The audit trail, the newest first."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        page = await audit.page(work, cursor=cursor, limit=limit, chosen=chosen)
    return EntriesBody(items=[_entry(line) for line in page.items], next_cursor=page.next_cursor)


class ActionsBody(BaseModel):
    items: list[str]
    next_cursor: str | None = None


@router.get("/audit/actions")
async def list_audit_actions(request: Request, actor: Reader) -> ActionsBody:
    """Every action that the audit trail holds."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        return ActionsBody(items=list(await audit.actions(work)))


@router.get("/audit/entries/{entry_id}")
async def read_audit_entry(request: Request, entry_id: UUID, actor: Reader) -> EntryBody:
    """One entry of the audit trail."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        return _entry(await audit.find(work, entry_id))


@router.get("/me/activity")
async def list_my_activity(
    request: Request,
    actor: Annotated[Actor, signed_in()],
    action: Word = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> ActivitiesBody:
    """What you did, and what was done to your account, the newest first."""
    chosen = audit.Filter(action=action, since=since, until=until)
    async with _runtime(request).database.work(actor.scope) as work:
        page = await audit.page(work, cursor=cursor, limit=limit, chosen=chosen, about=actor.user_id)
    return ActivitiesBody(
        items=[_activity(line, actor.user_id) for line in page.items], next_cursor=page.next_cursor
    )


def _entry(line: audit.Line) -> EntryBody:
    return EntryBody.model_validate(line, from_attributes=True)


def _activity(line: audit.Line, reader: UUID) -> ActivityBody:
    own = line.actor_id == reader
    return ActivityBody(
        id=line.id,
        at=line.at,
        by="you" if own else "hub" if line.actor_id is None else "somebody",
        action=line.action,
        target_kind=line.target_kind,
        target_id=line.target_id,
        ip=line.ip if own else None,
        user_agent=line.user_agent if own else None,
        # What concerns somebody else is theirs, also when this person did it.
        details=line.details if line.subject_id in (None, reader) else None,
        changes=line.changes if line.subject_id in (None, reader) else None,
    )
