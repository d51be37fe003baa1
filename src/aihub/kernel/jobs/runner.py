"""The worker: takes jobs from the queue and runs them, as many at a time as configured.

A job that raises is tried again as its `retry` says. A job whose worker was killed is found by the
worker's missing heartbeat and runs again. Each tick of a periodic job runs once, whatever the number
of workers. The worker survives restarts of the database.
"""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg_pool
from procrastinate import App, PsycopgConnector
from procrastinate import JobContext as QueueContext
from procrastinate import exceptions as queue_errors
from procrastinate.jobs import Job as QueuedJob
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from aihub.kernel.db import system
from aihub.kernel.db.database import unhurried
from aihub.kernel.db.direct import ACT_AS_APP, conninfo
from aihub.kernel.errors import AihubError, Unavailable
from aihub.kernel.jobs import queries
from aihub.kernel.jobs.job import Job, JobContext, Retry
from aihub.kernel.jobs.recovery import recover
from aihub.kernel.jobs.schedule import Scheduler, is_schedule
from aihub.kernel.telemetry import context as facts
from aihub.kernel.telemetry.logs import get_logger, redact

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.jobs")

_LONGEST_ERROR = 2_000
_LOST = (queue_errors.ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout, Unavailable, OSError)


class JobRunner:
    """Runs until `close()`. `heartbeat` and `dead_after` are seconds: how often this worker says that it
    lives, and after how long a silent worker's jobs are given to others."""

    def __init__(
        self,
        runtime: "Runtime",
        jobs: Sequence[Job],
        *,
        concurrency: int | None = None,
        heartbeat: float = 2.0,
        dead_after: float = 10.0,
        grace: float = 8.0,
    ) -> None:
        names = [job.name for job in jobs]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two jobs are named {twice.pop()}")
        for job in jobs:
            if job.schedule is not None and not is_schedule(job.schedule):
                raise ValueError(f"{job.name}: {job.schedule!r} is not a cron line")
        self._runtime = runtime
        self._jobs = {job.name: job for job in jobs}
        self._concurrency = concurrency or runtime.kernel.job_concurrency
        self._heartbeat, self._dead_after, self._grace = heartbeat, dead_after, grace
        self._closing = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._worker: Worker | None = None

    async def run(self) -> None:
        """Work until closed; after a lost database connection, reconnect and go on."""
        self._done.clear()
        # The library logs every job with its arguments, which are nobody's business.
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        wait = 0.2
        try:
            while not self._closing.is_set():
                started = asyncio.get_running_loop().time()
                try:
                    await self._work()
                except _LOST as exc:
                    log.warning("the job worker lost the database", error=str(exc), retry_seconds=wait)
                except Exception:  # the edge of this loop: a defect must not leave the hub without a worker
                    log.exception("the job worker failed", retry_seconds=wait)
                if asyncio.get_running_loop().time() - started > 30:
                    wait = 0.2
                if not self._closing.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), wait)
                    wait = min(wait * 2, 5.0)
        finally:
            self._done.set()

    async def close(self) -> None:
        """Take no more jobs, give running ones `grace` seconds, then put them back in the queue."""
        self._closing.set()
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]  # the library's method has no annotations
        await self._done.wait()

    async def _work(self) -> None:
        async def configure(connection: psycopg.AsyncConnection) -> None:
            await connection.execute(ACT_AS_APP)
            await connection.commit()

        connector = PsycopgConnector(
            conninfo=conninfo(self._runtime.database, "aihub worker"),
            min_size=1,
            max_size=4,
            timeout=10,
            configure=configure,
        )
        app = App(connector=connector)
        for job in self._jobs.values():
            app.task(name=job.name, queue=job.queue, retry=_Retries(job.retry), pass_context=True)(
                self._runnable(job)
            )
        async with app.open_async():
            scheduler = Scheduler(self._runtime.database, list(self._jobs.values()))
            self._worker = _QueueWorker(
                app,
                scheduler.run,
                self._note_error,
                concurrency=self._concurrency,
                fetch_job_polling_interval=2.0,
                shutdown_graceful_timeout=self._grace,
                install_signal_handlers=False,
                update_heartbeat_interval=self._heartbeat,
                stalled_worker_timeout=self._dead_after,
            )
            recovery = asyncio.create_task(self._recover(), name="recover jobs")
            try:
                if not self._closing.is_set():
                    await self._worker.run()  # type: ignore[no-untyped-call]
            finally:
                self._worker = None
                recovery.cancel()
                await asyncio.gather(recovery, return_exceptions=True)

    async def _recover(self) -> None:
        while True:
            # First wait: after an outage of the database the living need a moment to say so.
            await asyncio.sleep(self._heartbeat * 2)
            try:
                async with self._runtime.database.work(system("recover jobs of dead workers")) as work:
                    await recover(work, self._dead_after)
            except _LOST as exc:
                log.warning("jobs of dead workers could not be looked for", error=str(exc))
            except Exception:  # the edge of this loop: other tries may go better
                log.exception("looking for jobs of dead workers failed")

    def _runnable(self, job: Job) -> Callable[..., Awaitable[None]]:
        async def run(queued: QueueContext, **arguments: Any) -> None:
            job_id = queued.job.id or 0
            attempt = queued.job.attempts + 1
            facts.request_id.set(f"job-{job_id}-{attempt}")
            facts.actor_id.set(None)
            facts.client_ip.set(None)
            facts.user_agent.set(None)
            try:
                with unhurried():
                    await job.run(JobContext(self._runtime, job_id, attempt), **arguments)
            except Exception as exc:
                level = log.warning if isinstance(exc, AihubError) else log.exception
                level("job failed", job=job.name, job_id=job_id, attempt=attempt, error=type(exc).__name__)
                await self._note_error(job_id, attempt, exc)
                raise

        return run

    async def _note_error(self, job_id: int, attempt: int, exc: Exception) -> None:
        try:
            async with self._runtime.database.work(system("note a job's error")) as work:
                await queries.add_error(work, job_id, attempt, error_text(exc))
        except Unavailable:
            log.warning("a job's error could not be stored", job_id=job_id)


class _QueueWorker(Worker):
    """The library's worker with our own schedule. Its `_periodic_deferrer` must never return: the worker
    stops watching its other side tasks, heartbeats among them, as soon as one of them ends."""

    def __init__(
        self,
        app: App,
        schedule: Callable[[], Awaitable[None]],
        note_error: Callable[[int, int, Exception], Awaitable[None]],
        **options: Any,
    ) -> None:
        super().__init__(app, **options)
        self._schedule = schedule
        self._note_error = note_error

    async def _periodic_deferrer(self) -> None:
        await self._schedule()

    async def _process_job(self, context: QueueContext) -> None:
        if context.job.task_name not in self.app.tasks:
            await self._note_error(context.job.id or 0, context.job.attempts + 1, _Unknown())
        try:
            await super()._process_job(context)
        except queue_errors.ConnectorException:
            log.warning("a job's outcome could not be stored: it runs again", job_id=context.job.id)
        finally:
            # The next job with the same lock could not be fetched until now: look again at once.
            self._new_job_event.set()

    def _log_job_outcome(self, *_outcome: Any, **_more: Any) -> None:
        """Said already, in our own words and without the job's arguments."""


class _Unknown(AihubError):
    code = "jobs.unknown"
    title = "This version of the hub knows no job of this name"
    remedy = "Update every worker to one version, then run the job again."


class _Retries(BaseRetryStrategy):
    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def get_retry_decision(self, *, exception: BaseException, job: QueuedJob) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # this worker shuts down
            return RetryDecision(retry_at=datetime.now(UTC))
        if job.attempts + 1 >= self._retry.attempts:
            return None
        wait = min(self._retry.wait * 2**job.attempts, self._retry.longest)
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait))


def error_text(exc: BaseException) -> str:
    """An exception for operators: secrets redacted, the end of the traceback, at most 2,000 characters."""
    if isinstance(exc, AihubError):
        text = f"{exc.code}: {exc}"
    else:
        text = "".join(traceback.format_exception(exc)).strip()
    text = str(redact(text)).replace("\x00", "\ufffd")
    return text if len(text) <= _LONGEST_ERROR else "…" + text[-_LONGEST_ERROR + 1 :]
