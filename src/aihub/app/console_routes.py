"""Routes of the administration console."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from aihub.kernel import audit
from aihub.kernel.auth import Actor, requires
from aihub.kernel.jobs import service as jobs
from aihub.kernel.runtime import Runtime

router = APIRouter(prefix="/api/v1", tags=["administration"])

Limit = Annotated[int, Query(ge=1, le=200)]


class SettingBody(BaseModel):
    name: str
    aliases: list[str]
    value: str | None
    source: str
    default: str | None
    description: str
    section: str
    secret: bool


class SettingsBody(BaseModel):
    items: list[SettingBody]
    next_cursor: str | None = None


class JobBody(BaseModel):
    id: int
    name: str
    queue: str
    status: str
    attempts: int
    created_at: datetime | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class JobsBody(BaseModel):
    items: list[JobBody]
    next_cursor: str | None


def _runtime(request: Request) -> Runtime:
    runtime: Runtime = request.app.state.runtime
    return runtime


@router.get("/settings")
async def list_settings(request: Request, actor: Annotated[Actor, requires("settings:read")]) -> SettingsBody:
    """Every setting with its effective value and where that came from; secrets are masked."""
    rows = _runtime(request).settings.rows()
    return SettingsBody(
        items=[
            SettingBody(
                name=row.declared.env,
                aliases=list(row.declared.aliases),
                value=row.shown,
                source=row.source,
                default=None if row.declared.default is None else str(row.declared.default),
                description=row.declared.description,
                section=row.declared.section,
                secret=row.declared.secret,
            )
            for row in rows
        ]
    )


@router.get("/jobs")
async def list_jobs(
    request: Request,
    actor: Annotated[Actor, requires("jobs:read")],
    status: str | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> JobsBody:
    """Background jobs, the newest first."""
    async with _runtime(request).database.work(actor.scope) as work:
        page = await jobs.page(work, status=status, cursor=cursor, limit=limit)
    items: list[Any] = [JobBody.model_validate(item, from_attributes=True) for item in page.items]
    return JobsBody(items=items, next_cursor=page.next_cursor)


@router.post("/jobs/{job_id}/retry")
async def retry_job(
    request: Request, job_id: int, actor: Annotated[Actor, requires("jobs:manage")]
) -> JobBody:
    """Run a failed job again now."""
    async with _runtime(request).database.work(actor.scope) as work:
        row = await jobs.retry(work, job_id)
        await audit.record(work, actor=actor, action="job.retry", target_kind="job", target_id=str(job_id))
    return JobBody.model_validate(row, from_attributes=True)
