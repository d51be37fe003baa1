"""Enqueue: a job is a row written in the caller's transaction, so nothing runs for what did not happen."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from aihub.kernel.db import Work
from aihub.kernel.jobs.job import Job

_DEFER = text(
    "select (procrastinate_defer_jobs_v1(array[row(:queue, :task, 0, :lock, :queueing_lock, "
    "cast(:args as jsonb), cast(:at as timestamptz))::procrastinate_job_to_defer_v1]))[1]"
)
_WAITING = text("select id from procrastinate_jobs where queueing_lock = :queueing_lock and status = 'todo'")


async def defer(
    work: Work,
    job: Job,
    *,
    lock: str | None = None,
    queueing_lock: str | None = None,
    at: datetime | None = None,
    **arguments: Any,
) -> int:
    """Enqueue `job` with these JSON arguments and return its id; it exists when the work commits.

    Jobs with the same `lock` run one after the other. While a job with the same `queueing_lock` waits,
    no second one is made and the waiting one's id is returned. `at` is the earliest time to run.
    """
    values = {
        "queue": job.queue,
        "task": job.name,
        "lock": lock,
        "queueing_lock": queueing_lock,
        "args": orjson.dumps(arguments).decode(),
        "at": at,
    }
    if queueing_lock is None:
        return int((await work.session.execute(_DEFER, values)).scalar_one())
    while True:
        waiting = (await work.session.execute(_WAITING, {"queueing_lock": queueing_lock})).scalar()
        if waiting is not None:
            return int(waiting)
        try:
            async with work.session.begin_nested():
                return int((await work.session.execute(_DEFER, values)).scalar_one())
        except IntegrityError as exc:
            if "queueing_lock" not in str(exc.orig):
                raise
