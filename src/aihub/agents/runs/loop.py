"""The agent loop: a prompt in, chunks of the Vercel AI UI message stream out."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from pydantic_ai import Agent
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)
from pydantic_ai.run import AgentRunResultEvent
from pydantic_ai.settings import ModelSettings
from pydantic_ai.ui.vercel_ai import VercelAIEventStream
from pydantic_ai.ui.vercel_ai.response_types import BaseChunk, FinishStepChunk, StartChunk
from pydantic_ai.usage import UsageLimits

from aihub.agents.contracts import AnswerBroken
from aihub.agents.domain import Turn
from aihub.agents.runs.answering import Answering
from aihub.agents.runs.assembly import Chunk
from aihub.agents.runs.brake import Brake
from aihub.agents.runs.model import GatewayModel
from aihub.kernel.auth import Actor
from aihub.kernel.errors import AihubError
from aihub.kernel.telemetry.logs import get_logger
from aihub.services.gateway.contracts import ModelInfo
from aihub.services.gateway.service import Gateway, GatewaySettings

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.agents")

Tool = Callable[..., Any]
_MOST_REQUESTS = 12
"""How often one answer may go to the model: it ends a model that calls tools for ever."""


class Loop:
    """Runs agents. Holds no state of a run."""

    def __init__(
        self, gateway: Gateway, *, temperature: float | None = None, tools: Sequence[Tool] = ()
    ) -> None:
        """`tools`: typed functions that models may call; only models that can call tools are told of them."""
        self._gateway = gateway
        self._tools = tuple(tools)
        self._settings = ModelSettings() if temperature is None else ModelSettings(temperature=temperature)
        self._with_tools: Agent[object, str] = Agent(name="assistant", tools=self._tools)
        self._plain: Agent[object, str] = Agent(name="assistant")

    async def answer(
        self,
        answering: Answering,
        *,
        actor: Actor,
        model: ModelInfo,
        key: str,
        system: str,
        turns: Sequence[Turn],
        message_id: str,
        brake: Brake | None = None,
        beginning: str = "",
    ) -> AsyncGenerator[Chunk]:
        """The chunks of the answer to `turns`, the last of which is the question. Never raises an
        AihubError: it is in `answering.failure`, and what was open is properly closed before."""
        gateway_model = GatewayModel(
            self._gateway,
            actor,
            model,
            key=key,
            brake=brake or Brake(),
            tally=answering.tally,
            beginning=beginning,
        )
        agent = self._plain if model.demonstration else self._with_tools
        stream = _Stream(server_message_id=message_id)
        stream.answering = answering
        async with (
            agent.run_stream_events(
                message_history=history(system, turns),
                model=gateway_model,
                model_settings=self._settings,
                retries={"output": 0},
                usage_limits=UsageLimits(request_limit=_MOST_REQUESTS),
            ) as events,
            aclosing(_closeable(stream.transform_stream(events))) as chunks,
        ):
            async for chunk in chunks:
                yield chunk.model_dump(by_alias=True, exclude_none=True, mode="json")


_NONE: tuple[BaseChunk, ...] = ()


def _closeable(chunks: AsyncIterator[BaseChunk]) -> AsyncGenerator[BaseChunk]:
    return cast(AsyncGenerator[BaseChunk], chunks)  # pydantic-ai's are generators, typed as iterators


class _Stream(VercelAIEventStream[object, str]):
    """The protocol's own events, without its words for errors and ends: those are the run's to say."""

    answering: Answering

    async def before_stream(self) -> AsyncIterator[BaseChunk]:
        yield StartChunk(message_id=self.server_message_id)

    async def after_stream(self) -> AsyncIterator[BaseChunk]:
        if self._step_started:
            yield FinishStepChunk()

    async def handle_run_result(self, event: AgentRunResultEvent) -> AsyncIterator[BaseChunk]:
        self.answering.finish_reason = event.result.response.finish_reason or "stop"
        for chunk in _NONE:
            yield chunk

    async def on_error(self, error: Exception) -> AsyncIterator[BaseChunk]:
        self.answering.failure = known(error)
        for chunk in _NONE:
            yield chunk


def known(error: Exception) -> AihubError:
    """The hub's own error for what ended an agent's run."""
    if isinstance(error, AihubError):
        return error
    cause = error.__cause__
    if isinstance(cause, AihubError):
        return cause
    if isinstance(error, AgentRunError | UserError):
        log.warning("the agent could not use the model's answer", error=str(error))
        return AnswerBroken()
    log.error("the agent loop failed", exc_info=error)
    return AihubError()


def history(system: str, turns: Sequence[Turn]) -> list[ModelMessage]:
    """A prompt as pydantic-ai's messages. It ends with the question."""
    out: list[ModelMessage] = []
    for index, turn in enumerate(turns):
        if turn.role == "assistant":
            out.append(ModelResponse(parts=[TextPart(turn.text)]))
            continue
        head = [SystemPromptPart(system)] if system and index == 0 else []
        out.append(ModelRequest(parts=[*head, UserPromptPart(turn.text)]))
    return out


def loop_of(runtime: "Runtime") -> Loop:
    """The loop of a process: its gateway and its settings."""
    return Loop(runtime.get(Gateway), temperature=runtime.settings[GatewaySettings].temperature)
