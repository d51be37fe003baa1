"""Signed statements of how long the log was and how it ended, kept in a file outside of the database.

Whoever can write the database, even with the key that chains the entries, cannot write these: they are
signed with a key that stands in a file of the hub's home (or in AIHUB_AUDIT_SIGNING_KEY) and nowhere else.
"""

import base64
import binascii
import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aihub.kernel.audit.errors import CheckpointFileUnusable
from aihub.kernel.ids import new_id

CHECKPOINT, ANCHOR, RESTORE = "checkpoint", "anchor", "restore"
KINDS = frozenset({CHECKPOINT, ANCHOR, RESTORE})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Entry `seq` is the newest (of an `anchor`: the newest removed one) and has this hash; the oldest is
    `first`. A `restore` accepts that what earlier checkpoints say of entries after `base` no longer holds."""

    id: UUID
    kind: str
    seq: int
    hash: bytes
    first: int
    base: int | None
    at: datetime
    reason: str
    key: bytes = b""
    signature: bytes = b""

    @property
    def entries(self) -> int:
        return self.seq - self.first + 1

    def message(self) -> bytes:
        """What is signed."""
        return orjson.dumps(
            [
                "aihub.audit.checkpoint.1", self.id, self.kind, self.seq, self.hash.hex(), self.first,
                self.base, self.at.isoformat(timespec="microseconds"), self.reason, self.key.hex(),
            ]
        )  # fmt: skip

    def is_signed_by(self, key: bytes) -> bool:
        """Whether the holder of this public key signed it."""
        if self.key != key:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(self.signature, self.message())
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """Signs checkpoints. Takes 32 secret bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def signed(
        self,
        kind: str,
        seq: int,
        last: bytes,
        *,
        first: int,
        at: datetime,
        base: int | None = None,
        reason: str = "",
    ) -> Checkpoint:
        blank = Checkpoint(new_id(), kind, seq, last, first, base, at, reason, self.public)
        return replace(blank, signature=self._key.sign(blank.message()))


class CheckpointFile:
    """The checkpoints of this machine, one JSON line each, only ever appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Checkpoint | None]:
        """Every line in order; None for one that is no checkpoint. Empty when there is no file.

        Raises CheckpointFileUnusable.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise CheckpointFileUnusable(f"{self.path}: {exc.strerror}.") from exc
        return [parsed(line) for line in lines]

    def append(self, checkpoint: Checkpoint) -> None:
        """Add a line and wait until the disk has it. Raises CheckpointFileUnusable."""
        try:
            with self._locked() as file:
                # After a line that a crash cut short, begin a new one.
                end = os.lseek(file, 0, os.SEEK_END)
                torn = end > 0 and os.pread(file, 1, end - 1) != b"\n"
                os.write(file, (b"\n" if torn else b"") + as_json(checkpoint) + b"\n")
                os.fsync(file)
        except OSError as exc:
            raise CheckpointFileUnusable(f"{self.path}: {exc.strerror}.") from exc

    @contextmanager
    def _locked(self) -> Iterator[int]:
        folder = self.path.parent
        fresh = not self.path.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            if fresh:
                _sync_folder(folder)
        finally:
            os.close(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def as_json(checkpoint: Checkpoint) -> bytes:
    """One line, for the file and for whoever keeps checkpoints elsewhere."""
    return orjson.dumps(
        {
            "id": checkpoint.id,
            "kind": checkpoint.kind,
            "seq": checkpoint.seq,
            "hash": checkpoint.hash.hex(),
            "first": checkpoint.first,
            "base": checkpoint.base,
            "at": checkpoint.at.isoformat(timespec="microseconds"),
            "reason": checkpoint.reason,
            "key": base64.b64encode(checkpoint.key).decode(),
            "signature": base64.b64encode(checkpoint.signature).decode(),
        }
    )


def parsed(line: bytes) -> Checkpoint | None:
    """A line of the file, or None when it is none."""
    try:
        said = orjson.loads(line)
        base = said["base"]
        return Checkpoint(
            id=UUID(said["id"]),
            kind=str(said["kind"]),
            seq=int(said["seq"]),
            hash=bytes.fromhex(said["hash"]),
            first=int(said["first"]),
            base=None if base is None else int(base),
            at=datetime.fromisoformat(said["at"]),
            reason=str(said["reason"]),
            key=base64.b64decode(said["key"], validate=True),
            signature=base64.b64decode(said["signature"], validate=True),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, binascii.Error, AttributeError):
        return None


def still_bind(checkpoints: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Those whose statement must be true today: an accepted restore excuses what was said before about
    entries after its base."""
    binding: list[Checkpoint] = []
    for checkpoint in checkpoints:
        if checkpoint.kind == RESTORE and checkpoint.base is not None:
            binding = [earlier for earlier in binding if earlier.seq <= (checkpoint.base or 0)]
        binding.append(checkpoint)
    return binding
