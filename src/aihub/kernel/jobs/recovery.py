"""Jobs whose worker was killed run again."""

from aihub.kernel.db import Work
from aihub.kernel.jobs import queries
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.jobs")

CRASH_TEXT = "The process that ran this job ended without finishing it."
MOST_CRASHES = 20  # a job that kills its worker this often is the cause, not the victim


async def recover(work: Work, dead_after: float) -> int:
    """Requeue running jobs of workers that were silent for `dead_after` seconds; returns how many.

    A crash does not count as a failed attempt, but a job that was there at twenty crashes has failed.
    """
    jobs = await queries.lock_abandoned(work, dead_after, CRASH_TEXT)
    for job in jobs:
        await queries.add_error(work, job.id, job.attempts + 1, CRASH_TEXT)
        if job.crashes + 1 >= MOST_CRASHES:
            await queries.finish_failed(work, job.id)
            log.error("a job failed: its workers kept dying", job=job.name, job_id=job.id)
        else:
            await queries.requeue(work, job.id)
            log.warning("a dead worker's job runs again", job=job.name, job_id=job.id)
    return len(jobs)
