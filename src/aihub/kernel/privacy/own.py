"""What the kernel's own tables hold about people."""

from collections.abc import AsyncIterator

from sqlalchemy import text

from aihub.kernel.crypto import Crypto
from aihub.kernel.db import Work
from aihub.kernel.privacy.contract import PersonalData, Piece, Sheet, Subject
from aihub.kernel.privacy.tables import count, select_rows, table

# Names the person in the arguments of a job, or in what went wrong with it.
_JOBS = """
  position(lower(:email) in lower(args::text)) > 0 or position(cast(:person as text) in args::text) > 0
  or position(cast(:person as text) in coalesce(lock, '') || coalesce(queueing_lock, '')) > 0
  or exists (select from job_errors e where e.job_id = procrastinate_jobs.id
             and (position(lower(:email) in lower(e.error)) > 0
                  or position(cast(:person as text) in e.error) > 0))
"""
_SEALS = {"previous": "binds the entry to the one before it", "hash": "binds the entry to the one before it"}


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

KERNEL_PERSONAL = (
    table(
        "idempotency_records",
        "Answers kept for a day so that a repeated request is done once",
        order="created_at",
        withheld={"body_hash": "a fingerprint of what you sent"},
    ),
    table(
        "procrastinate_jobs",
        "Background work that names you",
        called="jobs",
        mine=f"status <> 'doing' and ({_JOBS})",
        order="id",
        withheld={"worker_id": "which worker ran it"},
    ),
    DATA_KEYS,
)
