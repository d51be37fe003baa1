"""Exports and deletions, from the queue and from the clock."""

from uuid import UUID

from aihub.kernel.jobs import Job, JobContext, Retry
from aihub.services.privacy.service import deletions, exports

_TRIES = Retry(attempts=5, wait=5, longest=300)


async def export(context: JobContext, *, export_id: str) -> None:
    """Write the file of one export."""
    try:
        await exports.write_export(context.runtime, UUID(export_id))
    except Exception:
        if context.attempt >= _TRIES.attempts:
            await exports.give_up(context.runtime, UUID(export_id))
        raise


async def erase(context: JobContext, *, deletion_id: str) -> None:
    """Erase one account, if it is time."""
    await deletions.carry_out(context.runtime, UUID(deletion_id))


async def tidy(context: JobContext) -> None:
    """What is past goes, and what was left halfway goes on."""
    await exports.tidy(context.runtime, EXPORT)
    await deletions.sweep(context.runtime, ERASE)


EXPORT = Job("privacy.export", export, queue="privacy", retry=_TRIES)
ERASE = Job("privacy.erase", erase, queue="privacy", retry=Retry(attempts=10, wait=5, longest=600))
TIDY = Job("privacy.tidy", tidy, schedule="*/5 * * * *")
