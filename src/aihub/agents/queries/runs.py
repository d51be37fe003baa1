"""Statements on runs and their stored events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, select, text, update
from sqlalchemy.exc import IntegrityError

from aihub.agents.contracts import Run, RunInProgress
from aihub.agents.models import RunEventRow, RunRow
from aihub.kernel.db import Work
from aihub.kernel.ids import new_id

CHANNEL = "aihub_runs"


@dataclass(frozen=True, slots=True)
class Event:
    """One stored event: its number, from 1 on, and the chunk as JSON."""

    seq: int
    data: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A run whose process is gone."""

    id: UUID
    owner_id: UUID
    conversation_id: UUID
    message_id: UUID
    last_event: int


def _run(row: RunRow) -> Run:
    return Run(row.id, row.conversation_id, row.message_id, row.status, row.last_event)


async def open_run(
    work: Work, owner: UUID, conversation_id: UUID, run_id: UUID, message_id: UUID, process: str
) -> Run:
    """Raises RunInProgress when the conversation already has a running one."""
    row = RunRow(
        id=run_id,
        owner_id=owner,
        conversation_id=conversation_id,
        message_id=message_id,
        process=process,
    )
    work.session.add(row)
    try:
        await work.session.flush()
    except IntegrityError as exc:
        raise RunInProgress() from exc
    await work.session.refresh(row)
    return _run(row)


def next_id() -> UUID:
    return new_id()


async def run(work: Work, owner: UUID, run_id: UUID) -> Run | None:
    row = (
        await work.session.execute(
            select(RunRow)
            .where(RunRow.id == run_id, RunRow.owner_id == owner)
            .execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    return None if row is None else _run(row)


async def active(work: Work, conversation_id: UUID) -> Run | None:
    """The running run of a conversation."""
    row = (
        await work.session.execute(
            select(RunRow)
            .where(RunRow.conversation_id == conversation_id, RunRow.status == "running")
            .execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    return None if row is None else _run(row)


async def request_stop(work: Work, run_id: UUID) -> None:
    await work.session.execute(
        update(RunRow).where(RunRow.id == run_id, RunRow.status == "running").values(stop_requested=True)
    )


async def events(work: Work, run_id: UUID, after: int, limit: int, upto: int | None = None) -> list[Event]:
    query = select(RunEventRow.seq, RunEventRow.data).where(
        RunEventRow.run_id == run_id, RunEventRow.seq > after
    )
    if upto is not None:
        query = query.where(RunEventRow.seq <= upto)
    rows = await work.session.execute(query.order_by(RunEventRow.seq).limit(limit))
    return [Event(row.seq, row.data) for row in rows]


_APPEND = text("""
with alive as (
  update runs set last_event = :last, heartbeat_at = clock_timestamp()
  where id = :run and status = 'running' and last_event = :before
  returning id, owner_id
), stored as (
  insert into run_events (run_id, seq, owner_id, data)
  select alive.id, event.seq, alive.owner_id, event.data
  from alive cross join unnest(cast(:seqs as bigint[]), cast(:data as text[])) as event (seq, data)
)
select count(*) from alive
""")


async def append(work: Work, run_id: UUID, batch: Sequence[Event]) -> bool:
    """Store a batch and show that the run lives; False when the run is no longer running.

    A batch that is there already, from a commit whose success never arrived, counts as stored.
    """
    rows = await work.session.execute(
        _APPEND,
        {
            "run": run_id,
            "before": batch[0].seq - 1,
            "last": batch[-1].seq,
            "seqs": [e.seq for e in batch],
            "data": [e.data for e in batch],
        },
    )
    if rows.scalar_one():
        return True
    there = await work.session.execute(
        select(RunRow.id).where(
            RunRow.id == run_id, RunRow.status == "running", RunRow.last_event == batch[-1].seq
        )
    )
    return there.scalar() is not None


async def finish(work: Work, run_id: UUID, status: str) -> None:
    await work.session.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.status == "running")
        .values(status=status, finished_at=func.now())
    )


async def heartbeat(work: Work, process: str, run_ids: Sequence[UUID]) -> dict[UUID, bool]:
    """Show that these runs live. Which of them still run, and whether somebody asked them to stop."""
    rows = await work.session.execute(
        update(RunRow)
        .where(RunRow.id.in_(run_ids), RunRow.process == process, RunRow.status == "running")
        .values(heartbeat_at=func.clock_timestamp())
        .returning(RunRow.id, RunRow.stop_requested)
    )
    return {row.id: row.stop_requested for row in rows}


async def processes(work: Work, prefix: str) -> list[str]:
    """The processes with running runs whose name begins with `prefix`."""
    rows = await work.session.execute(
        select(RunRow.process)
        .where(RunRow.status == "running", RunRow.process.startswith(prefix, autoescape=True))
        .distinct()
    )
    return list(rows.scalars())


async def take_cut(
    work: Work, executing: Sequence[UUID], silent: timedelta, dead: Sequence[str], limit: int
) -> list[Cut]:
    """Runs that are silent for too long or whose process is known to be dead, but none of `executing`.

    They stay locked until this work ends; what somebody else already takes care of is left out.
    """
    rows = await work.session.execute(
        select(RunRow)
        .where(
            RunRow.status == "running",
            RunRow.id.not_in(executing),
            (RunRow.heartbeat_at < func.clock_timestamp() - silent) | RunRow.process.in_(dead),
        )
        .order_by(RunRow.heartbeat_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return [
        Cut(row.id, row.owner_id, row.conversation_id, row.message_id, row.last_event)
        for row in rows.scalars()
    ]


async def purge_events(work: Work, older_than: timedelta, limit: int) -> int:
    """Erase the events of runs that ended longer ago than that; their messages hold all they said."""
    done = (
        select(RunRow.id)
        .where(
            RunRow.finished_at < func.now() - older_than,
            exists().where(RunEventRow.run_id == RunRow.id),
        )
        .limit(limit)
    )
    gone = await work.session.execute(
        delete(RunEventRow).where(RunEventRow.run_id.in_(done)).returning(RunEventRow.run_id)
    )
    return len(set(gone.scalars()))
