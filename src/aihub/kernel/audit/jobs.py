"""Periodic work on the audit log: signed checkpoints, a check every night, retention."""

import time
from uuid import UUID

from aihub.kernel import security_events
from aihub.kernel.audit import marks
from aihub.kernel.audit.errors import LogSetBack
from aihub.kernel.audit.trail import AuditTrail
from aihub.kernel.audit.verification import Verdict
from aihub.kernel.audit_settings import AuditSettings
from aihub.kernel.db import Database, Work, system
from aihub.kernel.health import Probe, Reading, State
from aihub.kernel.jobs.defer import defer
from aihub.kernel.jobs.job import Job, JobContext, Retry
from aihub.kernel.runtime import Runtime
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.audit")

_BETWEEN_NOTES = 0.5  # seconds


async def checkpoint(context: JobContext) -> None:
    """Sign how the log stands, when something was added."""
    try:
        await context.runtime.get(AuditTrail).mark()
    except LogSetBack as exc:
        log.critical("no checkpoint of the audit trail was made", detail=str(exc))
        _alarm(context.runtime.database, [exc.title])


async def begin_check(work: Work) -> UUID:
    """Have a worker check the whole log; the id under which its progress stands. While a check is under
    way, or waits, that one's."""
    running = await marks.running_verification(work)
    if running is not None:
        return running
    verification = await marks.begin_verification(work)
    await defer(work, VERIFY, verification=str(verification))
    return verification


async def check(context: JobContext, verification: str | None = None) -> None:
    """Read the whole log and say what is wrong with it; nightly, and when somebody asks."""
    database = context.runtime.database
    async with database.work(system("check the audit trail")) as work:
        number = UUID(verification) if verification else await marks.begin_verification(work)
    verdict = await run_check(context.runtime, number)
    days = context.runtime.settings[AuditSettings].retention_days
    if verdict.ok and days and verification is None:
        pruned = await context.runtime.get(AuditTrail).prune(days)
        if pruned:
            log.info("old entries of the audit trail were removed", entries=pruned)


async def run_check(runtime: Runtime, verification: UUID) -> Verdict:
    """Check the log and write down how far it is and what was found."""
    database = runtime.database
    noted = time.monotonic()

    async def progress(up_to: int, head: int) -> None:
        nonlocal noted
        if time.monotonic() - noted >= _BETWEEN_NOTES:
            noted = time.monotonic()
            async with database.work(system("progress of a check")) as work:
                await marks.note_progress(work, verification, up_to, head)

    verdict = await runtime.get(AuditTrail).verify(progress)
    async with database.work(system("end of a check")) as work:
        await marks.end_verification(
            work,
            verification,
            up_to=verdict.head_seq,
            rows=verdict.rows,
            problems=verdict.problems,
            warnings=verdict.warnings,
        )
    if not verdict.ok:
        log.critical("the audit trail was tampered with", problems=verdict.problems[:10])
        _alarm(database, verdict.problems)
    return verdict


async def look(runtime: Runtime) -> Reading:
    """What the last check of the audit trail found."""
    async with runtime.database.work(system("probe the audit trail")) as work:
        latest = await marks.latest_verification(work, finished=True)
    if latest is None or latest.finished_at is None:
        return Reading(State.OK, "not checked yet; the first check is tonight")
    facts: dict[str, object] = {"up_to": latest.up_to, "at": latest.finished_at.isoformat()}
    if latest.ok:
        return Reading(State.OK, f"whole up to entry {latest.up_to}", facts)
    return Reading(State.FAILED, f"{len(latest.problems)} problems: {'; '.join(latest.problems[:3])}", facts)


def _alarm(database: Database, problems: tuple[str, ...] | list[str]) -> None:
    security_events.event(
        database,
        "audit.verification_failed",
        "critical",
        "audit trail",
        {"problems": len(problems), "first": problems[0]},
    )


VERIFY = Job("audit.verify", check, schedule="40 2 * * *", retry=Retry(attempts=3))
AUDIT_JOBS = (Job("audit.checkpoint", checkpoint, schedule="*/15 * * * *", retry=Retry(attempts=2)), VERIFY)
AUDIT_PROBE = Probe("audit", look, timeout=5.0, keep=15.0)
