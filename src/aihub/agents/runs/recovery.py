"""Ending the runs whose process is gone: nothing that was shown is lost, and people can go on."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import orjson

from aihub.agents.contracts import AnswerInterrupted
from aihub.agents.metrics import ENDED
from aihub.agents.queries import runs as run_rows
from aihub.agents.runs import process
from aihub.agents.runs.assembly import Assembly
from aihub.agents.runs.ending import Ending, end
from aihub.kernel.db import Database, system
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.agents")

SILENT = timedelta(seconds=10)
_SCOPE = system("end runs whose process died")


async def recover(database: Database, executing: Sequence[UUID] = ()) -> int:
    """End every run that nobody executes any more; how many. `executing` are those of this process.

    Any number of processes may do this at once: each run is locked by the one that ends it.
    """
    gone = await _dead_processes(database)
    ended = 0
    while True:
        async with database.work(_SCOPE) as work:
            cut = await run_rows.take_cut(work, executing, SILENT, gone, limit=1)
            for run in cut:
                stored = await run_rows.events(work, run.id, 0, run.last_event)
                assembly = Assembly(orjson.loads(event.data) for event in stored)
                ending = Ending("interrupted", AnswerInterrupted())
                batch = ending.batch(assembly, run.last_event)
                if await end(work, run.id, run.message_id, assembly, ending, batch):
                    ENDED.labels(ending.status).inc()
        if not cut:
            return ended
        ended += len(cut)
        log.info("a run was cut off and is now marked as interrupted", run=str(cut[0].id))


async def _dead_processes(database: Database) -> list[str]:
    prefix = process.neighbours()
    if prefix is None:
        return []
    async with database.work(_SCOPE) as work:
        return process.dead(await run_rows.processes(work, prefix))
