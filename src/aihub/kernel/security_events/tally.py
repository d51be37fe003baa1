"""Security events of a process between two writes, added up. Pure but for the counting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

OTHERS = "others"
MOST_SUBJECTS = 20
"""Subjects that are told apart, per kind and minute and process; the rest counts as one."""


@dataclass(slots=True)
class Sum:
    """What happened of one kind to one subject within one minute; the facts are those of the last time."""

    kind: str
    severity: str
    subject: str
    subject_id: UUID | None
    minute: datetime
    first_at: datetime
    last_at: datetime
    facts: Mapping[str, Any]
    count: int = 1


@dataclass(slots=True)
class Tally:
    """Grows with kinds and minutes, never with the number of events or of subjects."""

    sums: dict[tuple[str, str, datetime], Sum] = field(default_factory=dict)
    _told_apart: dict[tuple[str, datetime], set[str]] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        severity: str,
        subject: str,
        subject_id: UUID | None,
        facts: Mapping[str, Any],
        at: datetime,
    ) -> None:
        minute = at.replace(second=0, microsecond=0)
        told_apart = self._told_apart.setdefault((kind, minute), set())
        if subject not in told_apart:
            if len(told_apart) >= MOST_SUBJECTS:
                subject, subject_id, facts = OTHERS, None, {}
            else:
                told_apart.add(subject)
        known = self.sums.get((kind, subject, minute))
        if known is None:
            self.sums[kind, subject, minute] = Sum(kind, severity, subject, subject_id, minute, at, at, facts)
        else:
            known.count += 1
            known.last_at = max(known.last_at, at)
            known.facts = facts

    def take(self, now: datetime) -> list[Sum]:
        """What came together, which is then no longer here."""
        taken = list(self.sums.values())
        self.sums.clear()
        recent = now - timedelta(minutes=2)
        self._told_apart = {key: told for key, told in self._told_apart.items() if key[1] > recent}
        return taken

    def put_back(self, sums: list[Sum]) -> None:
        """What could not be written; it is added to what came since."""
        for old in sums:
            known = self.sums.setdefault((old.kind, old.subject, old.minute), old)
            if known is not old:
                known.count += old.count
                known.first_at = min(known.first_at, old.first_at)
