"""The one place that asks what time it is, so that rules about time can be tested without waiting."""

from datetime import UTC, datetime


class Clock:
    """The system's wall clock."""

    def now(self) -> datetime:
        """The present instant, in UTC, with time zone."""
        return datetime.now(UTC)


class FixedClock(Clock):
    """A clock that stands still until it is moved; for tests of rules about time."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at
