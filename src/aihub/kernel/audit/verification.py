"""Reading the whole log and saying what is wrong with it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from sqlalchemy.exc import DataError

from aihub.kernel.audit import marks, queries
from aihub.kernel.audit.chain import START, Entry, entry_hash, head_hash, what_is_whole, who_is_whole
from aihub.kernel.audit.checkpoints import ANCHOR, KINDS, Checkpoint, still_bind
from aihub.kernel.audit.errors import AuditKeyMissing
from aihub.kernel.audit.service import ERASED
from aihub.kernel.db import Work

_CHUNK = 2_000
_PROBLEMS = 100

Progress = Callable[[int, int], Awaitable[None]]
"""Told the number of the entry that was reached, and of the last one."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What this machine holds outside of the database: its public key, and the lines of its file."""

    key: bytes
    lines: Sequence[Checkpoint | None]
    place: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. `rows` were read; `problems` is empty when the log is whole; `warnings` say what
    could not be compared."""

    ok: bool
    rows: int
    head_seq: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


async def verify(work: Work, evidence: Evidence | None = None, progress: Progress | None = None) -> Verdict:
    """Read the whole log and check every entry, their order, and that nothing was cut off either end; with
    `evidence`, also that it still ends as its signed checkpoints say.

    Needs a system scope. Reads in chunks; at most 100 problems are listed.
    """
    if work.audit_key is None:
        raise AuditKeyMissing()
    reader = _Reader(work, work.audit_key, _Findings())
    stored = await marks.checkpoints(work)
    await reader.read(await reader.anchor(stored, evidence), progress)
    found = reader.found
    reader.judge_erasures()
    if evidence is None:
        if stored:
            found.warn("the log was not compared with its signed checkpoints")
    else:
        await _compare(work, found, stored, evidence, reader.head.seq)
    return Verdict(
        not found.problems, reader.rows, reader.head.seq, tuple(found.problems), tuple(found.warnings)
    )


@dataclass(slots=True)
class _Findings:
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        if len(self.problems) < _PROBLEMS:
            self.problems.append(problem)

    def warn(self, warning: str) -> None:
        if len(self.warnings) < _PROBLEMS:
            self.warnings.append(warning)


@dataclass(slots=True)
class _Reader:
    """Goes through the log from its beginning to its end."""

    work: Work
    key: bytes
    found: _Findings
    head: queries.Head = field(default_factory=lambda: queries.Head(0, START, None))
    rows: int = 0
    beyond: bool = False
    blanks: dict[UUID, int] = field(default_factory=dict)
    """Whose personal parts are missing, and the newest entry where they are."""
    erasures: dict[str, int] = field(default_factory=dict)
    """Who was erased, and the newest entry that says so."""

    async def anchor(self, stored: Sequence[Checkpoint], evidence: Evidence | None) -> tuple[int, bytes]:
        """The number and hash before the oldest entry: those of the signed anchor when older ones were
        removed, and the beginning otherwise."""
        first = await queries.first_seq(self.work)
        if first == 1:
            return 0, START
        for checkpoint in reversed(stored):
            if checkpoint.kind == ANCHOR and checkpoint.seq == first - 1:
                if evidence is None:
                    self.found.warn(f"the signature of the anchor at entry {checkpoint.seq} was not checked")
                elif not checkpoint.is_signed_by(evidence.key):
                    self.found.add(f"the anchor at entry {checkpoint.seq} is not signed with this hub's key")
                return checkpoint.seq, checkpoint.hash
        return 0, START

    async def read(self, start: tuple[int, bytes], progress: Progress | None) -> None:
        self.head = await queries.head(self.work, lock=False)
        seq, last = start
        try:
            while chunk := await queries.after(self.work, seq, _CHUNK):
                for stored in chunk:
                    if stored.entry.seq > self.head.seq and not self.beyond:
                        # Entries committed while we read are not part of this check.
                        newer = await queries.head(self.work, lock=False)
                        self.beyond = stored.entry.seq > newer.seq
                        self.head = newer
                    self._check(stored, seq, last)
                    seq, last = stored.entry.seq, stored.hash
                if progress is not None:
                    await progress(seq, self.head.seq)
        except (DataError, psycopg.DataError, UnicodeError, ValueError) as exc:
            self.found.add(f"the entries after {seq} cannot be read: {type(exc).__name__}")
            return
        self._check_end(seq, last)

    def _check_end(self, seq: int, last: bytes) -> None:
        head = self.head
        if seq < head.seq:
            self.found.add(f"entries {seq + 1} to {head.seq} are missing at the end")
        elif self.beyond:
            self.found.add(f"the log is longer than its seal says ({head.seq})")
        elif head.seq and head.hash != head_hash(self.key, head.seq, last):
            self.found.add("the seal of the log's length does not match its last entry")
        elif not head.seq and head.hash != START:
            self.found.add("the log is empty but its seal is not")

    def _check(self, stored: queries.Stored, before: int, last: bytes) -> None:
        entry = stored.entry
        self.rows += 1
        if entry.seq != before + 1:
            gap = f"{before + 1}" if entry.seq == before + 2 else f"{before + 1} to {entry.seq - 1}"
            self.found.add(f"entry {gap} missing before entry {entry.seq}")
        elif entry.previous != last:
            self.found.add(f"entry {entry.seq} does not follow entry {before}")
        if entry_hash(self.key, entry) != stored.hash:
            self.found.add(f"entry {entry.seq} was changed")
        elif entry.chain > 1:
            self._check_personal(entry)

    def _check_personal(self, entry: Entry) -> None:
        if not (who_is_whole(entry) and what_is_whole(entry)):
            self.found.add(f"entry {entry.seq} was changed")
        for salt, person in ((entry.who_salt, entry.actor_id), (entry.what_salt, entry.subject_id)):
            if salt is None and person is None:
                self.found.add(f"entry {entry.seq} was changed")
            elif salt is None and person is not None:
                self.blanks[person] = entry.seq
        if entry.action == ERASED:
            self.erasures[entry.target_id] = entry.seq

    def judge_erasures(self) -> None:
        """Personal parts may be missing only where a later entry says that their person was erased."""
        for person, newest in self.blanks.items():
            if self.erasures.get(str(person), 0) <= newest:
                self.found.add(f"entry {newest} lost its personal part although nobody erased {person}")


async def _compare(
    work: Work, found: _Findings, stored: Sequence[Checkpoint], evidence: Evidence, head: int
) -> None:
    """The log against what was signed, in the file and in the database."""
    own = _signatures(found, stored, evidence)
    _compare_ages(found, stored, own, evidence)
    signed = {c.id: c for c in stored if c.is_signed_by(evidence.key)} | {c.id: c for c in own}
    binding = still_bind(sorted(signed.values(), key=lambda c: (c.at, c.id)))
    pruned = max((c.seq for c in signed.values() if c.kind == ANCHOR), default=0)
    present = await queries.hashes(work, [c.seq for c in binding])
    for checkpoint in binding:
        if problem := _contradiction(checkpoint, present, pruned, head):
            found.add(problem)


def _contradiction(checkpoint: Checkpoint, present: dict[int, bytes], pruned: int, head: int) -> str | None:
    """What is wrong with the log, if this checkpoint is right."""
    when = f"{checkpoint.at:%Y-%m-%d %H:%M} UTC"
    if checkpoint.seq > head:
        return (
            f"the checkpoint of {when} says that there were {checkpoint.seq} entries, "
            f"now the last is {head}: the log was set back"
        )
    if checkpoint.seq not in present:
        if checkpoint.seq <= pruned:
            return None
        return f"entry {checkpoint.seq}, which the checkpoint of {when} vouches for, is missing"
    if present[checkpoint.seq] != checkpoint.hash:
        return (
            f"entry {checkpoint.seq} is not the one that the checkpoint of {when} vouches for: "
            "the log was set back or written anew"
        )
    return None


def _signatures(found: _Findings, stored: Sequence[Checkpoint], evidence: Evidence) -> list[Checkpoint]:
    """Complain about what is not signed; the lines of the file that are."""
    foreign = 0
    for checkpoint in stored:
        if checkpoint.key != evidence.key:
            foreign += 1
        elif not checkpoint.is_signed_by(evidence.key) or checkpoint.kind not in KINDS:
            found.add(f"the checkpoint at entry {checkpoint.seq} in the database has a wrong signature")
    if foreign:
        found.warn(f"{foreign} checkpoints in the database were signed with another key")
    own: list[Checkpoint] = []
    for number, line in enumerate(evidence.lines, 1):
        if line is None or not line.is_signed_by(evidence.key):
            found.add(f"line {number} of {evidence.place} is no checkpoint signed with this hub's key")
        else:
            own.append(line)
    written = {checkpoint.id: checkpoint for checkpoint in own}
    for checkpoint in stored:
        if written.get(checkpoint.id, checkpoint) != checkpoint:
            found.add(f"the checkpoint at entry {checkpoint.seq} in the database is not the one in the file")
    return own


def _compare_ages(
    found: _Findings, stored: Sequence[Checkpoint], own: Sequence[Checkpoint], evidence: Evidence
) -> None:
    ours = [c for c in stored if c.key == evidence.key]
    if not ours:
        return
    if not evidence.lines:
        found.warn(f"the file with the checkpoints is missing: {evidence.place}")
    elif not {c.id for c in own} >= {ours[-1].id}:
        found.warn(f"the file with the checkpoints ends before the newest in the database: {evidence.place}")
