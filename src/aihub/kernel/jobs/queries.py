"""Every statement on the job tables beyond those of the queue library."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, text

from aihub.kernel.db import Work

_SELECT = """
select j.id, j.task_name as name, j.queue_name as queue, j.status::text as status, j.attempts,
  j.scheduled_at, e.created_at, e.started_at, e.finished_at,
  (select error from job_errors where job_id = j.id order by id desc limit 1) as error
from procrastinate_jobs j
left join lateral (
  select min(at) filter (where type = 'deferred') as created_at,
    max(at) filter (where type = 'started') as started_at,
    max(at) filter (where type in ('failed', 'succeeded', 'cancelled', 'aborted')) as finished_at
  from procrastinate_events where job_id = j.id
) e on true
"""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the page shows it. `finished_at` is empty while it waits or runs."""

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


def _job(row: Row[Any]) -> JobRow:
    running = row.status in ("todo", "doing")
    return JobRow(
        id=row.id,
        name=row.name,
        queue=row.queue,
        status=row.status,
        attempts=row.attempts,
        created_at=row.created_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=None if running else row.finished_at,
        error=row.error,
    )


async def page(work: Work, *, statuses: Sequence[str], before: int | None, limit: int) -> Sequence[JobRow]:
    """Newest first. No statuses: all."""
    conditions = "where (cast(:before as bigint) is null or j.id < :before)"
    values: dict[str, Any] = {"before": before, "limit": limit}
    if statuses:
        conditions += " and j.status::text = any(:statuses)"
        values["statuses"] = list(statuses)
    rows = await work.session.execute(text(f"{_SELECT} {conditions} order by j.id desc limit :limit"), values)
    return [_job(row) for row in rows]


async def one(work: Work, job_id: int) -> JobRow | None:
    row = (await work.session.execute(text(f"{_SELECT} where j.id = :id"), {"id": job_id})).one_or_none()
    return None if row is None else _job(row)


async def lock_status(work: Work, job_id: int) -> str | None:
    """The status, with the job locked until the work ends."""
    rows = await work.session.execute(
        text("select status::text from procrastinate_jobs where id = :id for update"), {"id": job_id}
    )
    return rows.scalar()


async def requeue(work: Work, job_id: int, *, attempts: int | None = None) -> None:
    """Put a job back in the queue, to run now, and wake a worker. `attempts` None leaves the count."""
    await work.session.execute(
        text(
            "update procrastinate_jobs set status = 'todo', scheduled_at = null, abort_requested = false, "
            "worker_id = null, attempts = coalesce(cast(:attempts as integer), attempts) where id = :id"
        ),
        {"id": job_id, "attempts": attempts},
    )
    wake = orjson.dumps({"type": "job_inserted", "job_id": job_id}).decode()
    await work.notify("procrastinate_any_queue_v1", wake)


async def finish_failed(work: Work, job_id: int) -> None:
    await work.session.execute(
        text("select procrastinate_finish_job_v1(:id, 'failed', false)"), {"id": job_id}
    )


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A job whose worker is gone. `crashes` is how often that has happened to it."""

    id: int
    name: str
    attempts: int
    crashes: int


async def lock_abandoned(work: Work, dead_after: float, crash_text: str) -> Sequence[Abandoned]:
    """Running jobs whose worker has not been heard of for `dead_after` seconds, locked."""
    rows = await work.session.execute(
        text(
            "select j.id, j.task_name as name, j.attempts, "
            "(select count(*) from job_errors e where e.job_id = j.id and e.error = :crash) as crashes "
            "from procrastinate_jobs j left join procrastinate_workers w on w.id = j.worker_id "
            "where j.status = 'doing' and (w.id is null or w.last_heartbeat < now() - "
            "make_interval(secs => :dead_after)) order by j.id for update of j skip locked"
        ),
        {"dead_after": dead_after, "crash": crash_text},
    )
    return [Abandoned(r.id, r.name, r.attempts, r.crashes) for r in rows]


async def last_tick(work: Work, name: str) -> int | None:
    """The newest tick of a periodic job that was handled, with other schedulers kept out until commit."""
    await work.session.execute(
        text("select pg_advisory_xact_lock(hashtextextended('aihub.periodic:' || :name, 0))"), {"name": name}
    )
    rows = await work.session.execute(
        text("select max(defer_timestamp) from procrastinate_periodic_defers where task_name = :name"),
        {"name": name},
    )
    return rows.scalar()


async def note_tick(work: Work, name: str, tick: int) -> None:
    """Remember that this tick needs no job."""
    await work.session.execute(
        text("insert into procrastinate_periodic_defers (task_name, defer_timestamp) values (:name, :tick)"),
        {"name": name, "tick": tick},
    )


async def defer_tick(work: Work, name: str, queue: str, tick: int) -> None:
    """Enqueue the job of this tick. Ticks of one job run one after the other."""
    await work.session.execute(
        text(
            "select procrastinate_defer_periodic_job_v2(:queue, 'periodic:' || :name, null, :name, 0, '', "
            ":tick, '{}'::jsonb)"
        ),
        {"queue": queue, "name": name, "tick": tick},
    )


async def add_error(work: Work, job_id: int, attempt: int, error: str) -> None:
    await work.session.execute(
        text(
            "insert into job_errors (job_id, attempt, error) "
            "select id, :attempt, :error from procrastinate_jobs where id = :id"
        ),
        {"id": job_id, "attempt": attempt, "error": error},
    )


async def delete_finished(work: Work, days: int) -> int:
    """Delete jobs that ended more than `days` days ago; returns how many."""
    doomed = (
        "select j.id from procrastinate_jobs j "
        "where j.status in ('succeeded', 'failed', 'cancelled', 'aborted') "
        "and not exists (select from procrastinate_events e where e.job_id = j.id "
        "and e.at > now() - make_interval(days => :days))"
    )
    await work.session.execute(
        text(f"delete from procrastinate_periodic_defers where job_id in ({doomed})"),  # noqa: S608
        {"days": days},
    )
    rows = await work.session.execute(
        text(f"delete from procrastinate_jobs where id in ({doomed}) returning id"),  # noqa: S608
        {"days": days},
    )
    return len(rows.all())


async def forget_dead_workers(work: Work) -> None:
    """Rows of workers that were killed; their jobs were recovered long ago."""
    await work.session.execute(
        text("delete from procrastinate_workers where last_heartbeat < now() - interval '1 day'")
    )
