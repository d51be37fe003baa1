"""What becomes known while an answer is written."""

from dataclasses import dataclass, field

from aihub.agents.contracts import AnswerInterrupted, AnswerStopped, Cost
from aihub.kernel.errors import AihubError
from aihub.services.gateway.contracts import ProviderError, Receipt


@dataclass
class Tally:
    """What the calls of one run took so far. `calls` counts those whose receipt is known, `left_out` the
    messages at the beginning of the conversation that did not fit into the last one."""

    input_tokens: int = 0
    output_tokens: int = 0
    charged: int = 0
    calls: int = 0
    left_out: int = 0

    def add(self, receipt: Receipt) -> None:
        self.input_tokens += receipt.usage.input_tokens
        self.output_tokens += receipt.usage.output_tokens
        self.charged += receipt.charged
        self.calls += 1

    @property
    def cost(self) -> Cost | None:
        return Cost(self.input_tokens, self.output_tokens, self.charged) if self.calls else None


@dataclass
class Answering:
    """One answer on its way. When it has ended, `failure` says why it is not complete."""

    tally: Tally = field(default_factory=Tally)
    failure: AihubError | None = None
    finish_reason: str | None = None

    def status(self, text: str) -> str:
        """The status of a message that ended like this and says `text`."""
        if self.failure is None:
            return "complete"
        if isinstance(self.failure, AnswerStopped):
            return "stopped"
        if isinstance(self.failure, AnswerInterrupted) or (text and isinstance(self.failure, ProviderError)):
            return "interrupted"
        return "failed"
