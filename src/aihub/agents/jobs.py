"""Housekeeping of conversations, from the clock."""

from aihub.agents import service
from aihub.kernel.db import system
from aihub.kernel.jobs import Job, JobContext


async def purge(context: JobContext) -> None:
    """Erase conversations deleted 30 days ago and events that are no longer needed, in small steps."""
    while True:
        async with context.runtime.database.work(system("purge conversations")) as work:
            if not any(await service.purge(work)):
                return


PURGE = Job("agents.purge", purge, schedule="25 * * * *")
