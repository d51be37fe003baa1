"""A question whose answer is not kept."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import orjson

from aihub.agents.domain import Turn
from aihub.agents.runs.answering import Answering
from aihub.agents.runs.assembly import Assembly
from aihub.agents.runs.brake import Brake
from aihub.agents.runs.ending import Ending
from aihub.agents.runs.follow import DONE
from aihub.kernel.auth import Actor
from aihub.kernel.ids import new_id
from aihub.services.gateway.contracts import ModelInfo

if TYPE_CHECKING:
    from aihub.agents.runs.loop import Loop


async def answer_whole(loop: "Loop", actor: Actor, model: ModelInfo, question: str) -> tuple[Answering, str]:
    """The whole answer. Raises what the gateway raises, EmptyAnswer and AnswerBroken."""
    answering, assembly, key = Answering(), Assembly(), str(new_id())
    async for chunk in loop.answer(
        answering,
        actor=actor,
        model=model,
        key=f"query:{key}",
        system="",
        turns=[Turn("user", question)],
        message_id=key,
    ):
        assembly.take(chunk)
    if answering.failure is not None:
        raise answering.failure
    return answering, assembly.text


async def answer_streamed(
    loop: "Loop",
    actor: Actor,
    model: ModelInfo,
    question: str,
    braked: Callable[[], AbstractContextManager[Brake]],
) -> AsyncIterator[bytes]:
    """The answer as server-sent events; an error is one of them. `braked` gives what can end it early."""
    answering, assembly, key = Answering(), Assembly(), str(new_id())
    with braked() as brake:
        async for chunk in loop.answer(
            answering,
            actor=actor,
            model=model,
            key=f"query:{key}",
            system="",
            turns=[Turn("user", question)],
            message_id=key,
            brake=brake,
        ):
            assembly.take(chunk)
            yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    ending = Ending(
        answering.status(assembly.text),
        answering.failure,
        answering.tally.cost,
        answering.finish_reason,
        {"model": model.name},
    )
    for chunk in ending.chunks(assembly):
        yield b"data: " + orjson.dumps(chunk) + b"\n\n"
    yield DONE
