"""Delivering letters, from the queue and from the clock."""

from uuid import UUID

from aihub.kernel.jobs import Job, JobContext, Retry
from aihub.services.notifications.service import PostOffice

_TRIES = Retry(attempts=10, wait=15, longest=3600)


async def deliver(context: JobContext, *, letter_id: str) -> None:
    """Give one letter to the mail server."""
    office = context.runtime.get(PostOffice)
    await office.deliver(UUID(letter_id), last_try=context.attempt >= _TRIES.attempts)


async def sweep(context: JobContext) -> None:
    """Letters that were overlooked, and those of no use any more."""
    await context.runtime.get(PostOffice).sweep()


DELIVER = Job("notifications.deliver", deliver, queue="mail", retry=_TRIES)
SWEEP = Job("notifications.sweep", sweep, schedule="*/5 * * * *")
