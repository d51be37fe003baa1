"""The clock of periodic jobs: one job a tick, whatever lags or slept."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from aihub.kernel.db import Database, system
from aihub.kernel.jobs import Job, JobContext
from aihub.kernel.jobs import service as jobs
from aihub.kernel.jobs.queries import JobRow
from aihub.kernel.jobs.schedule import Scheduler, previous_tick


async def nothing(context: JobContext) -> None:
    """A job's work is of no interest here."""


async def rows(database: Database) -> Sequence[JobRow]:
    async with database.work(system("test")) as work:
        return (await jobs.page(work, limit=1000)).items


async def test_rival_schedulers_make_one_job_a_tick_even_when_one_lags(database: Database) -> None:
    now = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC).timestamp()
    job = Job("test.minutely", nothing, schedule="* * * * *")

    def scheduler(at: float) -> Scheduler:
        return Scheduler(database, [job], now=lambda: at)

    await scheduler(now).tick()
    assert await rows(database) == [], "a new schedule begins with its next tick"
    await asyncio.gather(*(scheduler(now + 60).tick() for _ in range(4)))
    await asyncio.gather(*(scheduler(now + 120).tick() for _ in range(4)))
    await scheduler(now + 60).tick()
    assert len(await rows(database)) == 2


async def test_ticks_that_were_slept_through_are_made_up_for_once(database: Database) -> None:
    now = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()
    job = Job("test.daily", nothing, schedule="0 2 * * *")
    await Scheduler(database, [job], now=lambda: now).tick()
    await Scheduler(database, [job], now=lambda: now + 5 * 86400).tick()
    assert len(await rows(database)) == 1


def test_ticks_are_in_utc() -> None:
    noon = int(datetime(2030, 6, 1, 12, 0, tzinfo=UTC).timestamp())
    assert previous_tick("0 12 * * *", noon) == noon
    assert previous_tick("0 12 * * *", noon + 5) == noon
    assert previous_tick("0 12 * * *", noon - 1) == noon - 86400
