"""`aihub` with one module more: its route writes a mark and enqueues a job in one transaction, and the job
counts that it ran. What a test needs to see that no job is lost."""

import asyncio
import random
from typing import Annotated

from fastapi import APIRouter, Request
from sqlalchemy import text

from aihub.app import start
from aihub.app.modules import MODULES
from aihub.cli.main import main
from aihub.kernel.auth import Actor, requires
from aihub.kernel.db import system
from aihub.kernel.jobs import Job, JobContext, defer
from aihub.kernel.module import Module
from aihub.kernel.runtime import Runtime

TABLES = """
create table if not exists marks (name text primary key, job_id bigint);
create table if not exists mark_effects (name text primary key, times integer not null);
"""

router = APIRouter()


async def leave_mark(context: JobContext, name: str) -> None:
    """Takes a moment, so that a kill finds it at work."""
    await asyncio.sleep(random.uniform(0, 0.3))
    async with context.runtime.database.work(system("test: effect")) as work:
        await work.session.execute(
            text(
                "insert into mark_effects (name, times) values (:name, 1) "
                "on conflict (name) do update set times = mark_effects.times + 1"
            ),
            {"name": name},
        )


LEAVE_MARK = Job("marks.leave", leave_mark)


@router.post("/api/v1/marks/{name}", status_code=201)
async def mark(request: Request, name: str, _actor: Annotated[Actor, requires("jobs:manage")]) -> None:
    """Enqueue a job, once per name."""
    runtime: Runtime = request.app.state.runtime
    async with runtime.database.work(system("test: mark")) as work:
        fresh = await work.session.scalar(
            text("insert into marks (name) values (:name) on conflict do nothing returning name"),
            {"name": name},
        )
        if fresh is not None:
            number = await defer(work, LEAVE_MARK, name=name)
            await work.session.execute(
                text("update marks set job_id = :number where name = :name"), {"number": number, "name": name}
            )


if __name__ == "__main__":
    start.MODULES = (*MODULES, Module(name="marks", routers=(router,), jobs=(LEAVE_MARK,)))
    main()
