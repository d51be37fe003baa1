"""Housekeeping of identity, from the clock."""

from datetime import timedelta

from aihub.kernel.db import system
from aihub.kernel.jobs import Job, JobContext
from aihub.services.identity import queries, service
from aihub.services.identity.contracts import Post
from aihub.services.identity.queries import links, tokens

_KEPT = timedelta(days=30)


async def tidy(context: JobContext) -> None:
    """Forget sessions, tokens, setup links and attempts that ended a month ago, and signing keys of which no
    token is left."""
    now = context.runtime.clock.now()
    async with context.runtime.database.work(system("forget old sessions")) as work:
        await tokens.forget_old(work, now - _KEPT)
        await queries.forget_old(work, now - _KEPT)
        await links.forget_old(work, now - _KEPT)
        await service.forget_retired(work, now)


async def note_ended_access(context: JobContext) -> None:
    """Write into the audit trail which roles and permissions given for a time have ended."""
    async with context.runtime.database.work(system("note what has ended")) as work:
        await service.note_what_ended(work, context.runtime.clock.now())


async def reset_password(context: JobContext, *, email: str) -> None:
    """Write to whoever asked for a new password, if there is an account."""
    runtime = context.runtime
    async with runtime.database.work(system("send a reset link")) as work:
        await service.send_reset_link(work, email, post=runtime.get(Post), clock=runtime.clock)


TIDY = Job("identity.tidy", tidy, schedule="17 3 * * *")
ENDED_ACCESS = Job("identity.ended_access", note_ended_access, schedule="*/5 * * * *")
RESET_PASSWORD = Job("identity.reset_password", reset_password)
