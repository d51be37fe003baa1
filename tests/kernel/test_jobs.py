"""Background jobs: enqueued with the deed, retried, recovered, once per tick."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from tests.support.database import Server
from tests.support.waiting import until

from aihub.kernel.db import Database, system
from aihub.kernel.errors import AihubError, InvalidRequest, NotFound
from aihub.kernel.jobs import Job, JobContext, Retry, defer
from aihub.kernel.jobs import service as jobs
from aihub.kernel.jobs.maintenance import KERNEL_JOBS
from aihub.kernel.jobs.queries import JobRow
from aihub.kernel.jobs.recovery import MOST_CRASHES
from aihub.kernel.jobs.runner import JobRunner, error_text
from aihub.kernel.runtime import Runtime


async def nothing(context: JobContext) -> None:
    """A job that succeeds."""


@asynccontextmanager
async def working(runtime: Runtime, *jobs: Job, **options: Any) -> AsyncIterator[JobRunner]:
    """A worker that runs these jobs until the block ends."""
    runner = JobRunner(runtime, jobs, **options)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        await runner.close()
        await asyncio.wait_for(task, 60)


async def rows(database: Database) -> Sequence[JobRow]:
    async with database.work(system("test")) as work:
        return (await jobs.page(work, limit=1000)).items


async def settled(database: Database) -> Sequence[JobRow]:
    """All jobs, once none waits or runs."""

    async def done() -> bool:
        return all(row.status not in ("todo", "doing") for row in await rows(database))

    await until(done)
    return await rows(database)


async def test_a_job_runs_with_its_arguments_once_the_transaction_commits(runtime: Runtime) -> None:
    seen: list[tuple[int, int, object]] = []

    async def note(context: JobContext, value: object) -> None:
        seen.append((context.job_id, context.attempt, value))

    job = Job("test.note", note)
    async with working(runtime, job):
        async with runtime.database.work(system("test")) as work:
            job_id = await defer(work, job, value={"deep": [1, "ü", None]})
            await asyncio.sleep(0.1)
            assert seen == []
        # A worker is woken, it does not wait for its next look.
        await until(lambda: seen, seconds=1)
    assert seen == [(job_id, 1, {"deep": [1, "ü", None]})]


async def test_a_job_of_a_rolled_back_transaction_never_was(runtime: Runtime) -> None:
    async def deed() -> None:
        async with runtime.database.work(system("test")) as work:
            await defer(work, Job("test.never", nothing))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await deed()
    assert await rows(runtime.database) == []


async def test_while_one_waits_a_queueing_lock_makes_no_second(runtime: Runtime) -> None:
    job = Job("test.once", nothing)

    async def enqueue() -> int:
        async with runtime.database.work(system("test")) as work:
            return await defer(work, job, queueing_lock="tidy")

    ids = await asyncio.gather(*(enqueue() for _ in range(5)))
    assert len(set(ids)) == 1
    assert len(await rows(runtime.database)) == 1


async def test_a_queueing_lock_inside_one_transaction_leaves_it_usable(runtime: Runtime) -> None:
    job = Job("test.once", nothing)
    async with runtime.database.work(system("test")) as work:
        first = await defer(work, job, queueing_lock="tidy")
        assert await defer(work, job, queueing_lock="tidy") == first
        assert await defer(work, job) != first
    assert len(await rows(runtime.database)) == 2


async def test_jobs_with_one_lock_run_one_after_the_other(runtime: Runtime) -> None:
    running, most, order = 0, 0, []

    async def exclusive(context: JobContext, number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        await asyncio.sleep(0.02)
        running -= 1

    job = Job("test.exclusive", exclusive)
    async with runtime.database.work(system("test")) as work:
        for number in range(5):
            await defer(work, job, lock="account:1", number=number)
    async with working(runtime, job, concurrency=4):
        await settled(runtime.database)
    assert (most, order) == (1, [0, 1, 2, 3, 4])


async def test_a_job_for_later_waits_for_its_time(runtime: Runtime) -> None:
    job = Job("test.later", nothing)
    at = datetime.now(UTC) + timedelta(hours=1)
    async with runtime.database.work(system("test")) as work:
        later = await defer(work, job, at=at)
        await defer(work, job)
    async with working(runtime, job):
        await until(lambda: _count(runtime.database, "succeeded", 1))
        await asyncio.sleep(0.2)
    waiting = {row.id: row for row in await rows(runtime.database)}[later]
    assert (waiting.status, waiting.scheduled_at) == ("todo", at)


async def _count(database: Database, status: str, number: int) -> bool:
    return sum(row.status == status for row in await rows(database)) == number


async def test_a_failing_job_is_tried_again_and_then_failed_with_its_error(runtime: Runtime) -> None:
    attempts: list[float] = []

    async def fail(context: JobContext) -> None:
        attempts.append(time.monotonic())
        raise ValueError(f"attempt {context.attempt} with ahk_0123456789abcdef and\x00 more")

    job = Job("test.fail", fail, retry=Retry(attempts=3, wait=0.2))
    async with working(runtime, job):
        async with runtime.database.work(system("test")) as work:
            await defer(work, job)
        row = (await settled(runtime.database))[0]
    assert (row.status, row.attempts, len(attempts)) == ("failed", 3, 3)
    assert attempts[1] - attempts[0] >= 0.2
    assert attempts[2] - attempts[1] >= 0.4
    assert row.error is not None
    assert "attempt 3" in row.error
    assert "0123456789abcdef" not in row.error
    assert row.created_at is not None
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.created_at <= row.started_at <= row.finished_at


def test_an_error_is_bounded_and_of_our_own_kind_is_short() -> None:
    assert len(error_text(RuntimeError("x" * 50_000))) == 2000
    assert error_text(NotFound("No such thing.")) == "resource.not_found: No such thing."


async def test_a_failed_job_can_be_run_again_by_hand(runtime: Runtime) -> None:
    healthy = False

    async def fickle(context: JobContext) -> None:
        if not healthy:
            raise ValueError("not yet")

    job = Job("test.fickle", fickle, retry=Retry(attempts=1))
    async with working(runtime, job):
        async with runtime.database.work(system("test")) as work:
            job_id = await defer(work, job)
        assert (await settled(runtime.database))[0].status == "failed"
        healthy = True
        async with runtime.database.work(system("test")) as work:
            again = await jobs.retry(work, job_id)
            assert (again.status, again.attempts) == ("todo", 0)
        row = (await settled(runtime.database))[0]
    assert row.status == "succeeded"
    async with runtime.database.work(system("test")) as work:
        with pytest.raises(jobs.JobRunning):
            await jobs.retry(work, job_id)
        with pytest.raises(NotFound):
            await jobs.retry(work, 424242)


async def test_the_list_is_paged_and_filtered(runtime: Runtime) -> None:
    async with runtime.database.work(system("test")) as work:
        ids = [await defer(work, Job("test.listed", nothing)) for _ in range(5)]
    async with runtime.database.work(system("test")) as work:
        first = await jobs.page(work, limit=2)
        second = await jobs.page(work, cursor=first.next_cursor, limit=2)
        third = await jobs.page(work, cursor=second.next_cursor, limit=2)
        assert [row.id for page in (first, second, third) for row in page.items] == ids[::-1]
        assert third.next_cursor is None
        assert (await jobs.page(work, status="failed, doing")).items == []
        assert len((await jobs.page(work, status="todo")).items) == 5
        with pytest.raises(InvalidRequest):
            await jobs.page(work, status="lost")
        with pytest.raises(InvalidRequest):
            await jobs.page(work, cursor="x")


async def test_a_job_that_nobody_knows_fails_and_stops_nothing(runtime: Runtime) -> None:
    async with runtime.database.work(system("test")) as work:
        await defer(work, Job("test.removed_in_this_version", nothing))
        await defer(work, Job("test.known", nothing))
    async with working(runtime, Job("test.known", nothing)):
        found = {row.name: row for row in await settled(runtime.database)}
    assert found["test.known"].status == "succeeded"
    unknown = found["test.removed_in_this_version"]
    assert unknown.status == "failed"
    assert unknown.error is not None
    assert unknown.error.startswith("jobs.unknown")


async def test_many_jobs_run_once_each_over_two_workers(runtime: Runtime) -> None:
    ran: list[int] = []

    async def note(context: JobContext, number: int) -> None:
        ran.append(number)

    job = Job("test.note", note)
    async with working(runtime, job), working(runtime, job):
        async with runtime.database.work(system("test")) as work:
            for number in range(300):
                await defer(work, job, number=number)
        found = await settled(runtime.database)
    assert sorted(ran) == list(range(300))
    assert {row.status for row in found} == {"succeeded"}


async def test_closing_gives_a_running_job_back(runtime: Runtime) -> None:
    entered = asyncio.Event()
    finish = asyncio.Event()
    runs: list[str] = []

    async def long(context: JobContext) -> None:
        runs.append("started")
        entered.set()
        await finish.wait()
        runs.append("ended")

    job = Job("test.long", long, retry=Retry(attempts=1))
    async with runtime.database.work(system("test")) as work:
        await defer(work, job)
    async with working(runtime, job, grace=0.1):
        await entered.wait()
    assert (await rows(runtime.database))[0].status == "todo"
    finish.set()
    async with working(runtime, job):
        assert (await settled(runtime.database))[0].status == "succeeded"
    assert runs == ["started", "started", "ended"]


async def test_two_jobs_of_one_name_are_refused(runtime: Runtime) -> None:
    with pytest.raises(ValueError, match=r"test\.twin"):
        JobRunner(runtime, [Job("test.twin", nothing), Job("test.twin", nothing)])


async def test_a_schedule_that_is_none_is_refused(runtime: Runtime) -> None:
    with pytest.raises(ValueError, match="not a cron line"):
        JobRunner(runtime, [Job("test.never", nothing, schedule="every now and then")])


WORKER = """
import asyncio, sys
from pathlib import Path
import psycopg
from aihub.kernel.jobs import Job, JobContext
from aihub.kernel.jobs.runner import JobRunner
from tests.support.runtime import open_runtime, settings_for

async def slow(context: JobContext, marks: str) -> None:
    with open(marks, "a") as file:
        file.write("begun\\n")
    await asyncio.sleep(0 if sys.argv[3] == "quick" else 600)
    with open(marks, "a") as file:
        file.write("done\\n")

async def main() -> None:
    async with open_runtime(sys.argv[1], settings_for(Path(sys.argv[2]))) as runtime:
        await JobRunner(runtime, [Job("test.slow", slow)], heartbeat=0.3, dead_after=1.5).run()

asyncio.run(main())
"""


@asynccontextmanager
async def worker_process(dsn: str, home: Path, manner: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, dsn, str(home), manner)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_job_whose_worker_was_killed_runs_again(runtime: Runtime, dsn: str, home: Path) -> None:
    marks = home / "marks"

    def lines() -> list[str]:
        return marks.read_text().split() if marks.exists() else []

    job = Job("test.slow", nothing)
    async with runtime.database.work(system("test")) as work:
        await defer(work, job, marks=str(marks))
    for kill in range(1, 3):
        async with worker_process(dsn, home, "slow") as process:
            await until(lambda kill=kill: len(lines()) == kill)
            process.send_signal(signal.SIGKILL)
    assert (await rows(runtime.database))[0].status == "doing"
    async with worker_process(dsn, home, "quick"):
        row = (await settled(runtime.database))[0]
    assert (row.status, row.attempts) == ("succeeded", 1)
    assert lines() == ["begun", "begun", "begun", "done"]
    assert row.error is not None
    assert "ended without finishing" in row.error


async def test_a_job_that_keeps_killing_its_worker_is_given_up(runtime: Runtime) -> None:
    async with runtime.database.work(system("test")) as work:
        job_id = await defer(work, Job("test.deadly", nothing))
    async with working(runtime, heartbeat=0.02, dead_after=0.1):
        for _ in range(MOST_CRASHES):
            async with runtime.database.work(system("test")) as work:
                # What a killed worker leaves: a running job of nobody.
                await work.session.execute(
                    text("update procrastinate_jobs set status = 'doing' where status = 'todo'")
                )
            await until(lambda: _count(runtime.database, "doing", 0))
        row = (await rows(runtime.database))[0]
    assert (row.id, row.status) == (job_id, "failed")


async def test_a_living_worker_keeps_its_long_job(runtime: Runtime) -> None:
    runs = 0

    async def long(context: JobContext) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(4.5)

    job = Job("test.long", long)
    async with runtime.database.work(system("test")) as work:
        await defer(work, job)
    async with (
        working(runtime, job, heartbeat=0.2, dead_after=3.0),
        working(runtime, job, heartbeat=0.2, dead_after=3.0),
    ):
        await settled(runtime.database)
    assert runs == 1


async def test_each_tick_runs_once_over_two_workers(runtime: Runtime) -> None:
    ticks: list[float] = []

    async def tick(context: JobContext) -> None:
        ticks.append(time.time())

    job = Job("test.every_second", tick, schedule="* * * * * *")
    started = time.time()
    async with working(runtime, job), working(runtime, job):
        await until(lambda: len(ticks) >= 4)
    ended = time.time()
    async with runtime.database.work(system("test")) as work:
        handled = (
            await work.session.execute(
                text("select count(*) from procrastinate_jobs where task_name = 'test.every_second'")
            )
        ).scalar_one()
    # Two workers that each made the ticks would have made nearly twice as many as seconds began meanwhile.
    assert len(ticks) <= handled <= int(ended) - int(started) + 1


async def test_finished_jobs_are_kept_for_a_week(runtime: Runtime, postgres: Server) -> None:
    job = Job("test.old", nothing)
    async with runtime.database.work(system("test")) as work:
        old, recent = await defer(work, job), await defer(work, job)
    async with working(runtime, job):
        await settled(runtime.database)
    with psycopg.connect(postgres.owner, autocommit=True) as connection:
        connection.execute(
            "update procrastinate_events set at = at - interval '8 days' where job_id = %s", (old,)
        )
    async with runtime.database.work(system("test")) as work:
        waiting = await defer(work, job)
    cleaning = next(job for job in KERNEL_JOBS if job.name == "kernel.delete_finished_jobs")
    await cleaning.run(JobContext(runtime, 0, 1))
    assert {row.id for row in await rows(runtime.database)} == {recent, waiting}


async def test_the_worker_survives_a_lost_database(runtime: Runtime, postgres: Server) -> None:
    job = Job("test.after", nothing)
    async with working(runtime, job, heartbeat=0.1):
        await until(lambda: _workers(postgres) >= 1)
        with psycopg.connect(postgres.admin, autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        await until(lambda: _enqueue_when_possible(runtime, job))
        assert [row.status for row in await settled(runtime.database)] == ["succeeded"]
        await until(lambda: _workers(postgres) >= 1)


async def test_a_job_whose_end_could_not_be_stored_runs_again(runtime: Runtime, postgres: Server) -> None:
    entered, finish = asyncio.Event(), asyncio.Event()
    runs = 0

    async def long(context: JobContext) -> None:
        nonlocal runs
        runs += 1
        entered.set()
        await finish.wait()

    job = Job("test.long", long)
    async with runtime.database.work(system("test")) as work:
        await defer(work, job)
    async with working(runtime, job, heartbeat=0.1, dead_after=1.0):
        await entered.wait()
        with psycopg.connect(postgres.admin, autocommit=True) as admin:
            database = admin.info.dbname
        with psycopg.connect(postgres.admin, autocommit=True, dbname="postgres") as admin:
            admin.execute(f"alter database {database} allow_connections false")
            admin.execute(
                f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"
            )
            finish.set()
            await asyncio.sleep(0.5)
            admin.execute(f"alter database {database} allow_connections true")
        await until(lambda: _all_done(runtime.database))
    assert [row.status for row in await rows(runtime.database)] == ["succeeded"]
    assert runs >= 1


async def _all_done(database: Database) -> bool:
    try:
        return all(row.status not in ("todo", "doing") for row in await rows(database))
    except AihubError:
        return False


def _workers(postgres: Server) -> int:
    with psycopg.connect(postgres.owner) as connection:
        return connection.execute("select count(*) from procrastinate_workers").fetchone()[0]


async def _enqueue_when_possible(runtime: Runtime, job: Job) -> bool:
    try:
        async with runtime.database.work(system("test")) as work:
            await defer(work, job)
    except AihubError:
        return False
    return True
