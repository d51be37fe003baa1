"""Writing answers: the part of a serving process that executes the runs it accepted."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from aihub.agents.asking import Plan
from aihub.agents.contracts import AnswerInterrupted, AnswerStopped, RunsUnavailable
from aihub.agents.domain import Turn
from aihub.agents.metrics import ENDED, RUNNING
from aihub.agents.queries import runs as run_rows
from aihub.agents.runs import prompt, recovery
from aihub.agents.runs.answering import Answering
from aihub.agents.runs.brake import Brake
from aihub.agents.runs.ending import Ending, end
from aihub.agents.runs.event_log import EventLog, RunLost, patiently
from aihub.agents.runs.process import this_process
from aihub.agents.runs.wakeups import Wakeups
from aihub.kernel.db import Database, owned_by, system
from aihub.kernel.db.listener import Listener
from aihub.kernel.errors import AihubError, Unavailable
from aihub.kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from aihub.agents.runs.loop import Loop
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.agents")

_HEARTBEAT = 2.0
_RECOVERY = 5.0
_GRACE = 5.0
_LAST_WORDS = 5.0


class RunExecutor:
    """Executes runs in the background, keeps their heartbeat, and ends those whose process died."""

    def __init__(self, database: Database, loop: "Loop | None") -> None:
        self.process = this_process()
        self.wakeups = Wakeups()
        self._database = database
        self._loop = loop
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._brakes: dict[UUID, Brake] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._leaver: asyncio.Task[None] | None = None
        self._winding_up: asyncio.Task[None] | None = None
        self._closing = False

    @classmethod
    async def start(cls, runtime: "Runtime") -> "RunExecutor":
        """In processes that serve HTTP: begin to listen, and end what a crash left running."""
        if "http" not in runtime.duties:
            return cls(runtime.database, None)
        # pydantic-ai takes a third of a second to import: only processes that answer pay for it.
        from aihub.agents.runs.loop import loop_of  # noqa: PLC0415

        executor = cls(runtime.database, loop_of(runtime))
        listener = runtime.get(Listener)
        listener.on(run_rows.CHANNEL, executor.wakeups.heard)
        listener.on_gap(executor.wakeups.wake_all)
        await listener.ready()
        await recovery.recover(runtime.database)
        executor._keeper = asyncio.create_task(executor._keep(), name="runs-keeper")
        executor._leaver = asyncio.create_task(executor._leave(runtime.stopping), name="runs-leaver")
        return executor

    @property
    def loop(self) -> "Loop":
        """The agent loop. Raises RunsUnavailable in a process that does not answer questions."""
        if self._loop is None or self._closing:
            raise RunsUnavailable(headers={"Retry-After": "2"})
        return self._loop

    @property
    def closing(self) -> bool:
        """Whether this process is about to end, so that readers do well to come back elsewhere."""
        return self._closing

    def execute(self, plan: Plan) -> None:
        """Begin to write the answer, in the background. Call it when the plan's work has committed."""
        brake = self._brakes[plan.run_id] = Brake()
        if self._loop is None or self._closing:
            brake.pull(AnswerInterrupted())
        task = asyncio.create_task(self._execute(plan, brake), name=f"run-{plan.run_id}")
        self._tasks[plan.run_id] = task
        RUNNING.inc()
        task.add_done_callback(lambda _: self._forget(plan.run_id))

    def _forget(self, run_id: UUID) -> None:
        del self._tasks[run_id], self._brakes[run_id]
        RUNNING.dec()

    @contextmanager
    def brake(self) -> Iterator[Brake]:
        """A brake for an answer that is not a run; it is pulled when this process stops."""
        name = uuid4()
        brake = self._brakes[name] = Brake()
        if self._closing:
            brake.pull(AnswerInterrupted())
        try:
            yield brake
        finally:
            del self._brakes[name]

    async def close(self) -> None:
        """Let runs finish for some seconds, then interrupt them properly: what they wrote is kept."""
        await asyncio.shield(self._begin_to_wind_up())

    async def _leave(self, stopping: asyncio.Event) -> None:
        """End the runs as soon as the process is told to stop, while their readers are still connected."""
        await stopping.wait()
        self._begin_to_wind_up()

    def _begin_to_wind_up(self) -> asyncio.Task[None]:
        if self._winding_up is None:
            self._winding_up = asyncio.create_task(self._wind_up(), name="runs-end")
        return self._winding_up

    async def _wind_up(self) -> None:
        self._closing = True
        self.wakeups.wake_all()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=_GRACE)
        for brake in list(self._brakes.values()):
            brake.pull(AnswerInterrupted())
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=_LAST_WORDS)
        left = [*self._tasks.values(), *(task for task in (self._keeper, self._leaver) if task)]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _execute(self, plan: Plan, brake: Brake) -> None:
        try:
            with self.wakeups.executing(plan.run_id, lambda: brake.pull(AnswerStopped())) as tail:
                events = EventLog(self._database, plan.actor.user_id, plan.run_id, self.wakeups, tail)
                try:
                    answering = await self._answer(plan, brake, events)
                    await self._end(plan, answering, events)
                finally:
                    await events.close()
        except RunLost:
            log.warning("a run was taken away from this process", run=str(plan.run_id))
        except Exception:
            log.exception("a run could not be brought to its end", run=str(plan.run_id))

    async def _answer(self, plan: Plan, brake: Brake, events: EventLog) -> Answering:
        """Have the model write until it has finished, fails or is stopped. Raises RunLost."""
        answering = Answering()
        try:
            if brake.reason is not None or self._loop is None:
                raise brake.reason or RunsUnavailable()
            turns = await patiently(lambda: self._turns(plan))
            chunks = self._loop.answer(
                answering,
                actor=plan.actor,
                model=plan.model,
                key=f"run:{plan.run_id}",
                system=plan.system_prompt,
                turns=turns,
                message_id=str(plan.message_id),
                brake=brake,
                beginning=plan.beginning,
            )
            async with aclosing(chunks):
                async for chunk in chunks:
                    await events.put(chunk)
            await events.drain()
        except RunLost:
            raise
        except AihubError as exc:
            answering.failure = exc
        return answering

    async def _turns(self, plan: Plan) -> list[Turn]:
        async with self._database.work(owned_by(plan.actor.user_id)) as work:
            return await prompt.turns_of(work, plan)

    async def _end(self, plan: Plan, answering: Answering, events: EventLog) -> None:
        """Write the last word, however long the database takes to come back. Raises RunLost."""
        tally = answering.tally
        ending = Ending(
            answering.status(events.assembly.text),
            answering.failure,
            tally.cost,
            answering.finish_reason,
            {"left_out": tally.left_out} if tally.left_out else {},
        )

        await events.settled()
        batch = ending.batch(events.assembly, events.seq)

        async def write() -> bool:
            async with self._database.work(owned_by(plan.actor.user_id)) as work:
                return await end(work, plan.run_id, plan.message_id, events.assembly, ending, batch)

        if not await patiently(write):
            raise RunLost()
        events.shown(batch, done=True)
        ENDED.labels(ending.status).inc()

    async def _keep(self) -> None:
        """Heartbeats, missed wishes to stop, and the ends of dead processes' runs."""
        clock = asyncio.get_running_loop().time
        next_recovery = clock() + random.uniform(1, _RECOVERY)  # noqa: S311 - jitter, not a secret
        while True:
            await asyncio.sleep(_HEARTBEAT)
            try:
                await self._beat()
                if clock() >= next_recovery:
                    await recovery.recover(self._database, list(self._tasks))
                    next_recovery = clock() + random.uniform(0.8, 1.2) * _RECOVERY  # noqa: S311
            except Unavailable:
                continue
            except Exception:  # the edge of this loop: without heartbeats, others would take the runs away
                log.exception("looking after the runs failed")

    async def _beat(self) -> None:
        if not self._tasks:
            return
        mine = list(self._tasks)
        async with self._database.work(system("heartbeat of runs")) as work:
            alive = await run_rows.heartbeat(work, self.process, mine)
        for run_id in mine:
            brake = self._brakes.get(run_id)
            if brake is None:
                continue
            if run_id not in alive:
                brake.pull(RunLost())
            elif alive[run_id]:
                brake.pull(AnswerStopped())
