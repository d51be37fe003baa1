"""Housekeeping of the ledger, from the clock."""

from aihub.kernel.jobs import Job, JobContext
from aihub.services.credits import service


async def tidy(context: JobContext) -> None:
    await service.expire_holds(context.runtime.database)
    await service.return_closed(context.runtime.database)


TIDY = Job("credits.tidy", tidy, schedule="* * * * *")
