"""What the kernel's own tables hold about people."""

from collections.abc import AsyncIterator
from dataclasses import replace

from sqlalchemy import text

from aihub.kernel import audit
from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.privacy.contract import PersonalData, Piece, Sheet, Subject
from aihub.kernel.privacy.tables import count, select_rows, table

# Names the person in the arguments of a job, or in what went wrong with it.
_CALLED_WITH = """
  position(lower(:email) in lower(args::text)) > 0 or position(cast(:person as text) in args::text) > 0
  or position(cast(:person as text) in coalesce(lock, '') || coalesce(queueing_lock, '')) > 0
"""
_JOBS = f"""{_CALLED_WITH}
  or exists (select from job_errors e where e.job_id = procrastinate_jobs.id
             and (position(lower(:email) in lower(e.error)) > 0
                  or position(cast(:person as text) in e.error) > 0))
"""
_CHAIN = dict.fromkeys(
    ("chain", "previous", "hash", "who", "what", "who_salt", "what_salt"),
    "binds the entry to the one before it",
)
_OTHERS = dict.fromkeys(
    ("actor_id", "actor", "ip", "user_agent", "session_id", "key_id", "request_id"), "who else was there"
)
_MENTIONED = "actor_id = :person or subject_id = :person"
_NAMED = """
  chain >= 2 and ((actor_id = :person and who_salt is not null)
                  or (subject_id = :person and what_salt is not null))
"""


async def _destroy_keys(work: Work, subject: Subject) -> int:
    """Without the key nothing that was sealed for the person can be opened, in backups neither."""
    await subject.runtime.get(Crypto).destroy(work, subject.id)
    rows = await work.session.execute(
        text("update data_keys set owner_id = :pseudonym where owner_id = :person returning 1"),
        {"person": subject.id, "pseudonym": subject.pseudonym},
    )
    return len(rows.all())


async def _count_keys(work: Work, subject: Subject) -> int:
    return await count(work, "data_keys", "owner_id = :person and destroyed_at is null", subject)


async def _export_keys(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    without = dict.fromkeys(("wrapped", "nonce", "tag"), "")
    yield Sheet(
        "data/data_keys.json",
        select_rows(work, "data_keys", "owner_id = :person", subject, without=without),
    )


DATA_KEYS = PersonalData(
    "data_keys",
    "The key your secrets are sealed with (when it was made; never the key)",
    ("data_keys",),
    _count_keys,
    _export_keys,
    _destroy_keys,
    kept="Tells damaged data from data that was erased.",
    anonymous="The key itself is destroyed; the empty row no longer names you.",
    withheld={
        "wrapped": "the key itself, useless elsewhere and dangerous in a file",
        "nonce": "part of the key's wrapping",
        "tag": "part of the key's wrapping",
    },
    last=True,
)


async def _count_audit(work: Work, subject: Subject) -> int:
    return await count(work, "audit_log", _MENTIONED, subject)


async def _export_audit(work: Work, subject: Subject) -> AsyncIterator[Piece]:
    """What they did; and apart from it what was done to them, without who did it."""
    own = select_rows(work, "audit_log", "actor_id = :person", subject, order="seq", without=_CHAIN)
    yield Sheet("data/audit_log.json", own)
    about = "subject_id = :person and actor_id is distinct from :person"
    without = _CHAIN | _OTHERS
    yield Sheet(
        "data/audit_log_about_you.json",
        select_rows(work, "audit_log", about, subject, order="seq", without=without),
    )


async def _erase_audit(work: Work, subject: Subject) -> int:
    """Once: that it was done is an entry itself."""
    if not await count(work, "audit_log", _NAMED, subject):
        return 0
    return await audit.erase(work, subject.id, reason="the account was erased")


AUDIT = PersonalData(
    "audit_log",
    "What you did that matters to the hub's safety, and what was done to you",
    ("audit_log",),
    _count_audit,
    _export_audit,
    _erase_audit,
    kept="Proof of what was done on this hub, in a chain that breaks when an entry is missing.",
    anonymous=(
        "Your name, addresses, browsers and all details are removed; what remains is a number without a "
        "person, and goes with the retention period."
    ),
    withheld=_CHAIN,
    last=True,
)

_WORK = table(
    "procrastinate_jobs",
    "Background work that names you",
    called="jobs",
    mine=f"status <> 'doing' and ({_JOBS})",
    order="id",
    withheld={"worker_id": "which worker ran it"},
)


async def _erase_jobs(work: Work, subject: Subject) -> int:
    """A worker that is at it knows what to do; the row it comes back to names nobody."""
    emptied = await work.session.execute(
        text(
            "update procrastinate_jobs set args = '{}', lock = null, queueing_lock = null "  # noqa: S608
            f"where status = 'doing' and ({_CALLED_WITH}) returning 1"
        ),
        {"person": subject.id, "email": subject.email.lower()},
    )
    return len(emptied.all()) + await _WORK.erase(work, subject)


_EVENTS = table(
    "security_events",
    "Security events of your account",
    mine=(
        "subject_id = :person or position(:email in lower(subject || facts::text)) > 0 or "
        "position(replace(cast(:person as text), '-', '') "
        "in replace(lower(subject || facts::text), '-', '')) > 0"
    ),
    order="last_at",
)


async def _erase_events(work: Work, subject: Subject) -> int:
    """Processes write these a little after they happened. Until this work ends none writes; afterwards the
    table takes none that names somebody of whom the audit log says that they were erased."""
    await work.session.execute(text("lock table security_events in share row exclusive mode"))
    return await _EVENTS.erase(work, subject)


KERNEL_PERSONAL = (
    table(
        "idempotency_records",
        "Answers kept for a day so that a repeated request is done once",
        order="created_at",
        withheld={"body_hash": "a fingerprint of what you sent"},
    ),
    replace(_WORK, erase=_erase_jobs),
    replace(_EVENTS, erase=_erase_events),
    DATA_KEYS,
    AUDIT,  # as the last, because nobody can record a deed until the transaction ends
)
