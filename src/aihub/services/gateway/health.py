"""How the providers are, seen from calls people made. Nobody pays for a health check."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from aihub.services.gateway.contracts import (
    ProviderError,
    ProviderInfo,
    ProviderLimited,
    ProviderRejected,
    Readiness,
)

RECENT = 300.0
"""Seconds for which the last call says something about a provider."""

_NOT_ITS_FAULT = (ProviderRejected, ProviderLimited)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last call to a provider ended; `code` of the error, or None."""

    at: float
    code: str | None


class Outcomes:
    """The last outcome of each provider in this process."""

    def __init__(self) -> None:
        self._last: dict[UUID, Outcome] = {}

    @contextmanager
    def watch(self, provider: ProviderInfo) -> Iterator[None]:
        """Note how the block ends."""
        try:
            yield
        except ProviderError as exc:
            self.note_end(provider, exc)
            raise
        self.note_end(provider, None)

    def note_end(self, provider: ProviderInfo, error: ProviderError | None) -> None:
        """How a call ended; a request the provider rightly refused counts as an answer."""
        code = None if error is None or isinstance(error, _NOT_ITS_FAULT) else error.code
        self._last[provider.id] = Outcome(time.monotonic(), code)

    def of(self, provider: ProviderInfo) -> Readiness:
        """Ready or failed as of the last minutes; unknown when nobody called."""
        last = self._last.get(provider.id)
        if last is None or time.monotonic() - last.at > RECENT:
            return "unknown"
        return "failed" if last.code else "ready"
