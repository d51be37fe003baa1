"""The audit log as this process keeps it: checkpoints, retention, and restores that were meant."""

import asyncio
from typing import TYPE_CHECKING

from aihub.kernel.audit import marks, queries
from aihub.kernel.audit.chain import head_hash
from aihub.kernel.audit.checkpoints import (
    ANCHOR,
    CHECKPOINT,
    RESTORE,
    Checkpoint,
    CheckpointFile,
    Signer,
    still_bind,
)
from aihub.kernel.audit.errors import AuditKeyMissing, LogSetBack, NothingToAccept
from aihub.kernel.audit.service import record
from aihub.kernel.audit.verification import Evidence, Progress, Verdict, verify
from aihub.kernel.audit_settings import AuditSettings
from aihub.kernel.auth import Actor
from aihub.kernel.clock import Clock
from aihub.kernel.config import KernelSettings
from aihub.kernel.db import Database, Work, system
from aihub.kernel.errors import AihubError
from aihub.kernel.secrets import SecretFileUnusable, WeakSecret, kept_secret, parse_master_key
from aihub.kernel.telemetry.logs import get_logger

if TYPE_CHECKING:
    from aihub.kernel.runtime import Runtime

log = get_logger("aihub.audit")

SEED_BYTES = 32


class AuditTrail:
    """One per process. What it writes outside of the database stands in `<home>/audit`."""

    def __init__(self, database: Database, signer: Signer | None, file: CheckpointFile, clock: Clock) -> None:
        """Without a `signer` nothing is signed and nothing compared; entries are recorded all the same."""
        self._database = database
        self._signer = signer
        self._clock = clock
        self.file = file

    @classmethod
    async def start(cls, runtime: "Runtime") -> "AuditTrail":
        """Open it, and sign how the log stands. A log that was set back is reported and not signed, and a hub
        whose home cannot hold the signing key runs without checkpoints."""
        try:
            trail = await cls.opened(runtime)
        except SecretFileUnusable as exc:
            log.error("the audit trail has no checkpoints: set AIHUB_AUDIT_SIGNING_KEY", detail=str(exc))
            return cls(runtime.database, None, _file(runtime), runtime.clock)
        await trail.mark_if_possible("start")
        return trail

    @classmethod
    async def opened(cls, runtime: "Runtime") -> "AuditTrail":
        """Without signing anything."""
        seed = await asyncio.to_thread(_seed, runtime.kernel, runtime.settings[AuditSettings])
        return cls(runtime.database, Signer(seed), _file(runtime), runtime.clock)

    async def close(self) -> None:
        await self.mark_if_possible("stop")

    async def evidence(self) -> Evidence | None:
        """What this machine can hold against the database."""
        if self._signer is None:
            return None
        lines = await asyncio.to_thread(self.file.read)
        return Evidence(self._signer.public, lines, str(self.file.path))

    async def verify(self, progress: Progress | None = None) -> Verdict:
        """Read the whole log and compare it with everything that was signed."""
        # Read first: what is signed while we read the log would seem to lie in the future.
        evidence = await self.evidence()
        async with self._database.work(system("verify the audit trail")) as work:
            return await verify(work, evidence, progress)

    async def mark(self) -> Checkpoint | None:
        """Sign how the log stands now; None when that was done already.

        Raises LogSetBack, and signs nothing, when the log contradicts what was signed before.
        """
        if self._signer is None:
            return None
        own = self._own(await asyncio.to_thread(self.file.read))
        async with self._database.work(system("sign a checkpoint of the audit trail")) as work:
            head = await queries.head(work, lock=False)
            if await _broken(work, own):
                raise LogSetBack()
            newest = await marks.newest_checkpoint(work)
            if head.seq == 0 or (
                newest is not None
                and own
                and newest.seq == own[-1].seq == head.seq
                and newest.key == own[-1].key
            ):
                return None
            checkpoint = await self._signed(work, CHECKPOINT)
        await asyncio.to_thread(self.file.append, checkpoint)
        return checkpoint

    async def accept_restore(self, reason: str, actor: Actor | None = None) -> Checkpoint:
        """Go on from a log that was set back on purpose: say so in the log, and sign that what was signed
        before about the lost entries no longer binds.

        Raises NothingToAccept when the log contradicts nothing.
        """
        own = self._own(await asyncio.to_thread(self.file.read))
        async with self._database.work(system("accept a restored audit trail")) as work:
            broken = await _broken(work, own)
            if not broken:
                raise NothingToAccept()
            lost = min(checkpoint.seq for checkpoint in broken)
            held = [c.seq for c in still_bind(own) if c not in broken and c.seq < lost]
            base = max(held, default=0)
            await record(
                work,
                actor=actor,
                action="audit.restore_accepted",
                target_kind="audit trail",
                target_id=str(base),
                details={
                    "reason": reason,
                    "agrees_up_to": base,
                    "signed_up_to": max(checkpoint.seq for checkpoint in broken),
                    "signed_hash": broken[-1].hash.hex(),
                },
            )
        async with self._database.work(system("sign an accepted restore")) as work:
            accepted = await self._signed(work, RESTORE, base=base, reason=reason)
        await asyncio.to_thread(self.file.append, accepted)
        return accepted

    async def prune(self, days: int) -> int:
        """Remove entries that are older than `days`, up to the newest checkpoint among them, which becomes
        the signed beginning of the rest. How many went.

        Call it only for a log that was found whole.
        """
        if self._signer is None:
            return 0
        async with self._database.work(system("retention of the audit trail")) as work:
            last = await queries.last_before(work, days)
            stored = await marks.checkpoints(work)
            head = await queries.head(work, lock=False)
            first = await queries.first_seq(work)
            fit = [c for c in stored if first <= c.seq <= min(last, head.seq - 1) and self._is_own(c)]
            known = await queries.hashes(work, [c.seq for c in fit])
            upto = max((c.seq for c in fit if known.get(c.seq) == c.hash), default=0)
            if not upto:
                return 0
            now = self._clock.now()
            anchor = self._signer.signed(ANCHOR, upto, known[upto], first=first, at=now, reason="retention")
            await marks.insert_checkpoint(work, anchor)
            pruned = await queries.prune(work, upto)
            await record(
                work,
                actor=None,
                action="audit.prune",
                target_kind="audit trail",
                target_id=str(upto),
                details={"entries": pruned, "days": days},
            )
        await asyncio.to_thread(self.file.append, anchor)
        return pruned

    async def _signed(
        self, work: Work, kind: str, *, base: int | None = None, reason: str = ""
    ) -> Checkpoint:
        if work.audit_key is None or self._signer is None:
            raise AuditKeyMissing()
        head = await queries.head(work, lock=False)
        if head.last is None or head.hash != head_hash(work.audit_key, head.seq, head.last):
            raise LogSetBack("The log's last entry is not the one that its seal names.")
        first = await queries.first_seq(work)
        now = self._clock.now()
        made = self._signer.signed(kind, head.seq, head.last, first=first, at=now, base=base, reason=reason)
        await marks.insert_checkpoint(work, made)
        return made

    async def mark_if_possible(self, when: str) -> None:
        """A hub starts and stops whatever its audit log looks like."""
        try:
            await self.mark()
        except AihubError as exc:
            log.error("no checkpoint of the audit trail was made", when=when, code=exc.code, detail=str(exc))

    def _is_own(self, checkpoint: Checkpoint) -> bool:
        return self._signer is not None and checkpoint.is_signed_by(self._signer.public)

    def _own(self, lines: list[Checkpoint | None]) -> list[Checkpoint]:
        return [line for line in lines if line is not None and self._is_own(line)]


async def _broken(work: Work, own: list[Checkpoint]) -> list[Checkpoint]:
    """Those that still bind and that the log contradicts."""
    binding = still_bind(own)
    first = await queries.first_seq(work)
    present = await queries.hashes(work, [checkpoint.seq for checkpoint in binding])
    return [c for c in binding if c.seq >= first and present.get(c.seq) != c.hash]


def _file(runtime: "Runtime") -> CheckpointFile:
    return CheckpointFile(runtime.kernel.home / "audit" / "checkpoints.jsonl")


def _seed(kernel: KernelSettings, settings: AuditSettings) -> bytes:
    if settings.signing_key is None:
        return kept_secret(kernel, "audit", SEED_BYTES)
    key = parse_master_key(settings.signing_key, "AIHUB_AUDIT_SIGNING_KEY")
    if key.passphrase:
        raise WeakSecret("AIHUB_AUDIT_SIGNING_KEY must be 32 random bytes as base64.")
    return key.material
