"""What the gateway asks of a provider, whatever dialect it speaks."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a streamed answer: an OpenAI chat.completion.chunk, parsed, and as an event's bytes."""

    raw: bytes
    data: dict[str, Any]


class Upstream(Protocol):
    """One provider. Bodies and answers are OpenAI's; each method raises ProviderError."""

    def limited(self, body: dict[str, Any], limit: int) -> dict[str, Any]:
        """`body` with the longest answer set to `limit` tokens, in the field this provider reads."""
        ...

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A whole chat.completion."""
        ...

    def stream(self, body: dict[str, Any]) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """The chunks of a streamed answer, with usage where the provider gives it; ends only when the
        answer is complete."""
        ...

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        """A list of embeddings."""
        ...

    async def models(self, within: float) -> list[str]:
        """The names of the models this provider offers, within so many seconds. Costs nothing."""
        ...
