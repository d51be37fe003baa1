"""Processes that die or end while answers are being written."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.agents.conftest import Event, Hub, another_process, kinds, text_of
from tests.services.gateway.conftest import Person
from tests.support.waiting import until

from aihub.agents.runs import process, recovery
from aihub.kernel.db import system
from aihub.services.gateway.adapters.fake import Script

ROOT = Path(__file__).resolve().parents[2]
SLOW = Script(text=" ".join(f"word{n}" for n in range(1, 201)), gap=0.03)


@asynccontextmanager
async def killable(hub: Hub, dsn: str, home: Path) -> AsyncIterator[tuple[Hub, asyncio.subprocess.Process]]:
    """The same hub served by a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.agents.serve_hub", dsn, str(home),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        async with asyncio.timeout(120):
            url = ""
            while not url.startswith("http"):
                url = (await child.stdout.readline()).decode().strip()
        yield (
            Hub(url, hub.runtime, hub.fake, hub.fake_url, hub.http, hub.admin, hub.provider_id, hub.made),
            child,
        )
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def some_events(hub: Hub, person: Person, run: str, count: int) -> list[Event]:
    seen: list[Event] = []
    async for event in hub.events(person, run):
        seen.append(event)
        if len(seen) == count:
            break
    return seen


async def test_kill_9_loses_no_word_that_was_shown_and_the_answer_can_be_continued(
    hub: Hub, dsn: str, home: Path
) -> None:
    await hub.add_model("slow", SLOW)
    ada = await hub.person()
    conversation = await hub.conversation(ada, "slow")
    async with killable(hub, dsn, home) as (served, child):
        started = await served.ask(ada, conversation)
        run = started["run"]["id"]
        seen = await some_events(served, ada, run, 12)
        child.send_signal(signal.SIGKILL)
        await child.wait()
    assert (await hub.until_ended(ada, run))["status"] == "interrupted"
    rest = await hub.whole(ada, run, after=seen[-1].id)
    assert rest[0].id == seen[-1].id + 1
    assert kinds(rest)[-4:] == ["data-error", "error", "finish", "[DONE]"]
    assert "text-end" in kinds(rest)
    assert rest[-4].data["data"]["code"] == "run.interrupted"
    message = await hub.message(ada, conversation, started["assistant_message"]["id"])
    assert message["status"] == "interrupted"
    assert message["text"] == text_of([*seen, *rest])
    assert message["text"].startswith(text_of(seen))
    assert message["parts"][-1]["state"] == "done"

    await hub.add_model("finisher", Script(text=f"{message['text'][-30:]} and this is the rest."))
    await hub.call("PATCH", f"/api/v1/conversations/{conversation}", {"model": "finisher"}, person=ada)
    hub.fake.scripts["slow"] = hub.fake.scripts["finisher"]
    path = f"/api/v1/conversations/{conversation}/messages/{message['id']}/continue"
    answer = await hub.call("POST", path, {}, person=ada)
    assert answer.status == 202, answer.body
    going_on = answer.json()
    assert going_on["assistant_message"]["parent_id"] == message["parent_id"]
    events = await hub.whole(ada, going_on["run"]["id"])
    continued = await hub.message(ada, conversation, going_on["assistant_message"]["id"])
    assert continued["text"] == f"{message['text']} and this is the rest." == text_of(events)
    assert continued["status"] == "complete"
    sent = hub.fake.requests[-1]["messages"]
    assert [m["role"] for m in sent[-3:]] == ["user", "assistant", "user"]
    assert sent[-2]["content"] == message["text"]
    kept = await hub.message(ada, conversation, message["id"])
    assert kept == message, "the unfinished answer stays as it was"


async def test_many_processes_end_a_cut_run_once(hub: Hub) -> None:
    ada = await hub.person()
    conversation = await hub.conversation(ada)
    started = await hub.ask(ada, conversation)
    run = started["run"]["id"]
    await hub.until_ended(ada, run)
    gone = process.this_process().rpartition("/")[0].rsplit("/", 1)[0] + "/12345/x"
    async with hub.runtime.database.work(system("test")) as work:
        connection = await work.session.connection()
        await connection.exec_driver_sql("update runs set status = 'running', process = %s", (gone,))
        await connection.exec_driver_sql("update messages set status = 'streaming' where role = 'assistant'")
        before = await connection.exec_driver_sql("select max(seq) from run_events")
        last = before.scalar_one()
    ended = await asyncio.gather(*(recovery.recover(hub.runtime.database) for _ in range(4)))
    assert sum(ended) <= 1, "the keeper may have been faster"
    assert (await hub.until_ended(ada, run))["status"] == "interrupted"
    events = await hub.whole(ada, run, after=last)
    assert kinds(events) == ["data-error", "error", "finish", "[DONE]"]


async def test_a_live_run_of_another_process_is_left_alone(hub: Hub, dsn: str, home: Path) -> None:
    await hub.add_model("slow", SLOW)
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada, "slow")))["run"]["id"]
    async with another_process(hub, dsn, home) as other:
        assert await recovery.recover(other.runtime.database) == 0
    assert (await hub.until_ended(ada, run))["status"] == "complete"


async def test_a_silent_process_elsewhere_is_given_up(hub: Hub) -> None:
    """A machine whose processes cannot be seen from here: only its silence tells."""
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada)))["run"]["id"]
    await hub.until_ended(ada, run)
    for age, ended in (("8 seconds", 0), ("12 seconds", 1)):
        async with hub.runtime.database.work(system("test")) as work:
            connection = await work.session.connection()
            await connection.exec_driver_sql(
                "update messages set status = 'streaming' where role = 'assistant'"
            )
            await connection.exec_driver_sql(
                "update runs set status = 'running', process = 'elsewhere/1/1/a', "
                f"heartbeat_at = now() - interval '{age}'"
            )
        done = await recovery.recover(hub.runtime.database)
        assert done <= ended
        if ended:
            assert (await hub.until_ended(ada, run))["status"] == "interrupted"


async def test_a_process_that_ends_interrupts_its_answers_properly(hub: Hub, dsn: str, home: Path) -> None:
    await hub.add_model("endless", Script(text="word " * 5000, gap=0.05))
    ada = await hub.person()
    conversation = await hub.conversation(ada, "endless")
    short = await hub.conversation(ada)
    async with another_process(hub, dsn, home) as other:
        cut = (await other.ask(ada, conversation))["run"]["id"]
        finished = (await other.ask(ada, short))["run"]["id"]
        seen = await some_events(other, ada, cut, 6)
        closing = asyncio.create_task(other.executor.close())
        refused = await other.call(
            "POST", f"/api/v1/conversations/{await hub.conversation(ada)}/messages", {"text": "?"}, person=ada
        )
        assert (refused.status, refused.json()["code"]) == (503, "run.not_here")
        await closing
    assert (await hub.until_ended(ada, finished))["status"] == "complete"
    assert (await hub.until_ended(ada, cut))["status"] == "interrupted"
    rest = await hub.whole(ada, cut, after=seen[-1].id)
    detail = await hub.read(ada, conversation)
    assert detail["messages"][1]["text"] == text_of([*seen, *rest])
    assert detail["messages"][1]["error"]["code"] == "run.interrupted"


async def test_a_run_that_was_taken_away_writes_nothing_more(hub: Hub) -> None:
    await hub.add_model("slow", SLOW)
    ada = await hub.person()
    run = (await hub.ask(ada, await hub.conversation(ada, "slow")))["run"]["id"]
    await some_events(hub, ada, run, 6)
    async with hub.runtime.database.work(system("test")) as work:
        connection = await work.session.connection()
        await connection.exec_driver_sql("update runs set status = 'interrupted', finished_at = now()")
        taken = (await connection.exec_driver_sql("select last_event from runs")).scalar_one()
    await until(lambda: not hub.executor._tasks)
    async with hub.runtime.database.work(system("test")) as work:
        connection = await work.session.connection()
        stored = (await connection.exec_driver_sql("select max(seq) from run_events")).scalar_one()
    assert stored == taken
