"""The last word of a run: what is still open is closed, and message, run and events end together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from aihub.agents.contracts import AnswerStopped, Cost, Fault
from aihub.agents.queries import conversations as rows
from aihub.agents.queries import runs as run_rows
from aihub.agents.queries.runs import Event
from aihub.agents.runs.assembly import Assembly, Chunk, coalesced
from aihub.kernel.db import Work
from aihub.kernel.errors import AihubError
from aihub.services.credits.contracts import CreditsOut

_REASONS = {"stop": "stop", "length": "length", "content_filter": "content-filter", "tool_call": "tool-calls"}


_CREDITS: TypeAdapter[int] = TypeAdapter(CreditsOut)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended. `status` is that of its message and its run."""

    status: str
    error: AihubError | None = None
    cost: Cost | None = None
    finish_reason: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def chunks(self, assembly: Assembly) -> list[Chunk]:
        """What the stream says at its end."""
        out = list(assembly.closing())
        finish: Chunk = {"type": "finish", "finishReason": _REASONS.get(self.finish_reason or "", "other")}
        if isinstance(self.error, AnswerStopped):
            out.append({"type": "abort", "reason": self.error.title})
        elif self.error is not None:
            fault = Fault.of(self.error)
            out.append({"type": "data-error", "data": fault.as_json()})
            out.append({"type": "error", "errorText": f"{fault.title}. {fault.remedy}"})
            finish["finishReason"] = "error"
        metadata: dict[str, Any] = {"status": self.status, **self.facts}
        if self.cost is not None:
            metadata["usage"] = {
                "input_tokens": self.cost.input_tokens,
                "output_tokens": self.cost.output_tokens,
                "credits": _CREDITS.dump_python(self.cost.credits, mode="json"),
            }
        finish["messageMetadata"] = metadata
        out.append(finish)
        return out

    def batch(self, assembly: Assembly, last_event: int) -> list[Event]:
        """The events of the end, numbered after the last one. Call it once: it closes the assembly."""
        chunks = self.chunks(assembly)
        for chunk in chunks:
            assembly.take(chunk)
        return [
            Event(seq, orjson.dumps(chunk).decode())
            for seq, chunk in enumerate(coalesced(chunks), start=last_event + 1)
        ]

    @property
    def fault(self) -> Fault | None:
        """What the message says is wrong with it. To be stopped is nothing wrong."""
        if self.error is None or isinstance(self.error, AnswerStopped):
            return None
        return Fault.of(self.error)


async def end(
    work: Work, run_id: UUID, message_id: UUID, assembly: Assembly, ending: Ending, batch: Sequence[Event]
) -> bool:
    """Write the ending with its events; False when the run had ended already."""
    if not await run_rows.append(work, run_id, batch):
        return False
    await rows.set_answer(
        work,
        message_id,
        body=assembly.text,
        parts=assembly.finished_parts(),
        status=ending.status,
        error=ending.fault,
        facts=ending.facts | ({"finish_reason": ending.finish_reason} if ending.finish_reason else {}),
        cost=ending.cost,
    )
    await run_rows.finish(work, run_id, ending.status)
    await work.notify(run_rows.CHANNEL, str(run_id))
    return True
