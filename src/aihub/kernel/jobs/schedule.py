"""Periodic jobs: every tick is enqueued once, by whichever worker comes first.

A tick that passed while no worker ran is made up for once at the next start, so that a hub which
sleeps at night still does its nightly work.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from croniter import croniter

from aihub.kernel.db import Database, system
from aihub.kernel.errors import Unavailable
from aihub.kernel.jobs import queries
from aihub.kernel.jobs.job import Job
from aihub.kernel.telemetry.logs import get_logger

log = get_logger("aihub.jobs")

_LONGEST_SLEEP = 60.0  # seconds; a clock that is set or a machine that slept is noticed by then


class Scheduler:
    """Enqueues the ticks of the jobs that have a `schedule`."""

    def __init__(self, database: Database, jobs: Sequence[Job], now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._jobs = [job for job in jobs if job.schedule is not None]
        self._now = now
        self._done: dict[str, int] = {}

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                await self.tick()
            except Unavailable as exc:
                log.warning("periodic jobs could not be enqueued", error=str(exc))
                await asyncio.sleep(1)
                continue
            except Exception:
                log.exception("periodic jobs could not be enqueued")
                await asyncio.sleep(5)
                continue
            await asyncio.sleep(self._until_next())

    async def tick(self) -> None:
        """Enqueue what is due now and was not yet."""
        for job in self._jobs:
            due = previous_tick(str(job.schedule), self._now())
            if self._done.get(job.name) == due:
                continue
            async with self._database.work(system("enqueue a periodic job")) as work:
                last = await queries.last_tick(work, job.name)
                if last is None:
                    # Never seen before: the schedule starts with the next tick.
                    await queries.note_tick(work, job.name, due)
                elif last < due:
                    await queries.defer_tick(work, job.name, job.queue, due)
            self._done[job.name] = due

    def _until_next(self) -> float:
        now = self._now()
        nexts = (croniter(str(job.schedule), now).get_next(float) for job in self._jobs)
        return min(_LONGEST_SLEEP, max(0.01, min(nexts, default=now + _LONGEST_SLEEP) - now + 0.01))


def is_schedule(line: str) -> bool:
    """Whether this is a cron line."""
    return bool(croniter.is_valid(line))


def previous_tick(schedule: str, now: float) -> int:
    """The latest tick (Unix seconds) at or before `now`. Cron lines are in UTC; a sixth field is seconds."""
    return int(croniter(schedule, now + 0.001).get_prev(float))
