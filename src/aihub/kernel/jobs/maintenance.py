"""The kernel's own periodic jobs."""

from aihub.kernel.db import system
from aihub.kernel.idempotency import forget_old
from aihub.kernel.jobs import queries
from aihub.kernel.jobs.job import Job, JobContext, Retry

KEEP_FINISHED_DAYS = 7
KEEP_ANSWERS_HOURS = 24


async def delete_finished(context: JobContext) -> None:
    """Finished jobs are of interest for a week, workers that went silent for a day."""
    async with context.runtime.database.work(system("delete finished jobs")) as work:
        await queries.delete_finished(work, KEEP_FINISHED_DAYS)
        await queries.forget_dead_workers(work)


async def delete_answers(context: JobContext) -> None:
    """Answers kept for repeated idempotency keys are of interest for a day."""
    async with context.runtime.database.work(system("delete old idempotency records")) as work:
        await forget_old(work, KEEP_ANSWERS_HOURS)


KERNEL_JOBS = (
    Job("kernel.delete_finished_jobs", delete_finished, schedule="20 3 * * *", retry=Retry(attempts=3)),
    Job("kernel.delete_idempotent_answers", delete_answers, schedule="50 * * * *", retry=Retry(attempts=3)),
)
