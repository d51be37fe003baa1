"""The audit trail for administrators, and for each person the part about themselves."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

from aihub.kernel import audit
from aihub.kernel.audit import marks
from aihub.kernel.audit.export import MEDIA_TYPES, exported
from aihub.kernel.audit.jobs import begin_check
from aihub.kernel.auth import Actor, requires, signed_in
from aihub.kernel.db import Work, system
from aihub.kernel.runtime import Runtime
from aihub.services.identity.contracts import SessionRequired
from aihub.services.identity.service import fresh

router = APIRouter(prefix="/api/v1", tags=["administration"])

Limit = Annotated[int, Query(ge=1, le=200)]
Word = Annotated[str, StringConstraints(max_length=300)]
Reader = Annotated[Actor, requires("audit:read")]


class AuditEntryBody(BaseModel):
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


class AuditEntriesBody(BaseModel):
    items: list[AuditEntryBody]
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
) -> AuditEntriesBody:
    """The audit trail, the newest first."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        page = await audit.page(work, cursor=cursor, limit=limit, chosen=chosen)
    return AuditEntriesBody(items=[_entry(line) for line in page.items], next_cursor=page.next_cursor)


class AuditActionsBody(BaseModel):
    items: list[str]
    next_cursor: str | None = None


@router.get("/audit/actions")
async def list_audit_actions(request: Request, actor: Reader) -> AuditActionsBody:
    """Every action that the audit trail holds."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        return AuditActionsBody(items=list(await audit.actions(work)))


@router.get("/audit/entries/{entry_id}")
async def read_audit_entry(request: Request, entry_id: UUID, actor: Reader) -> AuditEntryBody:
    """One entry of the audit trail."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        return _entry(await audit.find(work, entry_id))


class AuditExportBody(BaseModel):
    """What to export; the same filters as those of the list."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl"]
    actor: Word = ""
    action: Word = ""
    target_kind: Word = ""
    target_id: Word = ""
    ip: Word = ""
    q: Word = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


@router.post(
    "/audit/export",
    response_class=StreamingResponse,
    responses={200: {"content": {media: {} for media in MEDIA_TYPES.values()}}},
)
async def export_audit(
    request: Request, body: AuditExportBody, actor: Annotated[Actor, fresh("audit:export")]
) -> StreamingResponse:
    """The audit trail as CSV or JSON lines, newest first. That it was exported is an entry itself."""
    database = _runtime(request).database
    said = body.model_dump(mode="json", exclude_defaults=True)
    chosen = _filter(**body.model_dump(exclude={"format"}))
    async with database.work(system("export the audit trail")) as work:
        newest = await audit.page(work, cursor=None, limit=1)
        await audit.record(
            work,
            actor=actor,
            action="audit.export",
            target_kind="audit trail",
            target_id=body.format,
            details={"filter": {name: value for name, value in said.items() if name != "format"}},
        )
    upto = newest.items[0].seq if newest.items else 0
    return StreamingResponse(
        exported(database, chosen, body.format, upto=upto),
        media_type=MEDIA_TYPES[body.format],
        headers={"Content-Disposition": f'attachment; filename="audit.{body.format}"'},
    )


class AuditVerificationBody(BaseModel):
    """A check of the whole trail. Without `finished_at` it is under way and has reached entry `up_to`."""

    id: UUID
    started_at: datetime
    finished_at: datetime | None
    up_to: int
    head: int
    rows: int
    ok: bool | None
    problems: list[str]
    warnings: list[str]


class AuditVerificationsBody(BaseModel):
    """The check that began last, and the last one that came to an end."""

    latest: AuditVerificationBody | None
    finished: AuditVerificationBody | None


@router.get("/audit/verification")
async def read_audit_verification(request: Request, actor: Reader) -> AuditVerificationsBody:
    """Whether the audit trail is whole, as far as that was checked."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        return await _verification_state(work)


@router.post("/audit/verification")
async def begin_audit_verification(request: Request, actor: Reader) -> AuditVerificationsBody:
    """Check the whole audit trail in the background; one check at a time."""
    async with _runtime(request).database.work(system("an administrator checks the audit trail")) as work:
        await begin_check(work)
        return await _verification_state(work)


async def _verification_state(work: Work) -> AuditVerificationsBody:
    latest = await marks.latest_verification(work)
    finished = await marks.latest_verification(work, finished=True)
    return AuditVerificationsBody(
        latest=None if latest is None else AuditVerificationBody.model_validate(latest, from_attributes=True),
        finished=None
        if finished is None
        else AuditVerificationBody.model_validate(finished, from_attributes=True),
    )


class AuditCheckpointBody(BaseModel):
    """A signed statement about the trail; `key` and `signature` are base64, `hash` is hexadecimal."""

    id: UUID
    kind: str
    seq: int
    hash: str
    first: int
    base: int | None
    at: datetime
    reason: str
    key: str
    signature: str


class AuditCheckpointsBody(BaseModel):
    items: list[AuditCheckpointBody]
    next_cursor: str | None


@router.get("/audit/checkpoints")
async def list_audit_checkpoints(
    request: Request, actor: Reader, cursor: UUID | None = None, limit: Limit = 50
) -> AuditCheckpointsBody:
    """The signed checkpoints of the audit trail, the newest first: keep copies of them elsewhere."""
    async with _runtime(request).database.work(system("an administrator reads the audit trail")) as work:
        found = list(await marks.checkpoint_page(work, cursor, limit + 1))
    items = [
        AuditCheckpointBody(
            id=one.id,
            kind=one.kind,
            seq=one.seq,
            hash=one.hash.hex(),
            first=one.first,
            base=one.base,
            at=one.at,
            reason=one.reason,
            key=base64.b64encode(one.key).decode(),
            signature=base64.b64encode(one.signature).decode(),
        )
        for one in found[:limit]
    ]
    return AuditCheckpointsBody(items=items, next_cursor=str(items[-1].id) if len(found) > limit else None)


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
    """What you did, and what was done to your account, the newest first. For yourself, not for your keys."""
    if actor.session_id is None:
        raise SessionRequired()
    chosen = audit.Filter(action=action, since=since, until=until)
    async with _runtime(request).database.work(actor.scope) as work:
        page = await audit.page(work, cursor=cursor, limit=limit, chosen=chosen, about=actor.user_id)
    return ActivitiesBody(
        items=[_activity(line, actor.user_id) for line in page.items], next_cursor=page.next_cursor
    )


def _entry(line: audit.Line) -> AuditEntryBody:
    return AuditEntryBody.model_validate(line, from_attributes=True)


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
