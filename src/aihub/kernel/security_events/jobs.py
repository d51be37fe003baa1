"""The periodic job of the security events."""

from aihub.kernel.db import system
from aihub.kernel.jobs.job import Job, JobContext, Retry
from aihub.kernel.security_events import queries
from aihub.kernel.security_events.service import KEEP_DAYS, MOST_ROWS


async def forget_old(context: JobContext) -> None:
    """Events are of interest for ninety days, and never more than the newest 200,000 rows."""
    async with context.runtime.database.work(system("forget old security events")) as work:
        await queries.forget_old(work, KEEP_DAYS, MOST_ROWS)


SECURITY_EVENT_JOBS = (
    Job("security_events.forget_old", forget_old, schedule="35 * * * *", retry=Retry(attempts=3)),
)
