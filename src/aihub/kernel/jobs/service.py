"""The queue as operators see it: list jobs, run one again."""

from collections.abc import Sequence
from dataclasses import dataclass

from aihub.kernel.db import Work
from aihub.kernel.errors import Conflict, FieldError, InvalidRequest, NotFound
from aihub.kernel.jobs import queries
from aihub.kernel.jobs.queries import JobRow

STATUSES = ("todo", "doing", "succeeded", "failed", "cancelled", "aborted")


class JobRunning(Conflict):
    code = "jobs.not_retryable"
    title = "This job cannot be run again now"
    remedy = "Only jobs that failed, were cancelled or wait for a later time can be run again."


@dataclass(frozen=True, slots=True)
class Page:
    items: Sequence[JobRow]
    next_cursor: str | None


async def page(work: Work, status: str | None = None, cursor: str | None = None, limit: int = 50) -> Page:
    """Jobs, newest first; `status` is one or several of STATUSES, comma-separated. Raises InvalidRequest."""
    statuses = [part.strip() for part in (status or "").split(",") if part.strip()]
    if unknown := [s for s in statuses if s not in STATUSES]:
        raise InvalidRequest(
            errors=[FieldError("status", f"{unknown[0]!r} is none of {', '.join(STATUSES)}", "choice")]
        )
    if cursor is not None and not (cursor.isdecimal() and len(cursor) < 19):
        raise InvalidRequest(errors=[FieldError("cursor", "This cursor was not made by this list", "cursor")])
    rows = await queries.page(
        work, statuses=statuses, before=int(cursor) if cursor else None, limit=limit + 1
    )
    items = rows[:limit]
    return Page(items, str(items[-1].id) if len(rows) > limit else None)


async def retry(work: Work, job_id: int) -> JobRow:
    """Run a failed or waiting job now, its attempts counted from the start. Raises NotFound or JobRunning."""
    status = await queries.lock_status(work, job_id)
    if status is None:
        raise NotFound("There is no such job; finished jobs are kept for a week.")
    if status in ("doing", "succeeded"):
        raise JobRunning(f"The job's status is '{status}'.")
    await queries.requeue(work, job_id, attempts=0)
    row = await queries.one(work, job_id)
    if row is None:
        raise NotFound()
    return row
