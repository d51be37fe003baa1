"""Which chat model this machine runs: the operator's file, else what somebody chose, else what is there.

The choice is a small file in AIHUB_HOME, beside the models it names, so that every process of the home
sees it and the one that runs the models can watch it.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from aihub.services.gateway.adapters.embedded.weights import SMOLLM2

MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class Choice:
    """`file` is a name in the folder of the user's own models; None: the demonstration model."""

    file: str | None


def folder(home: Path) -> Path:
    """Where the user's own chat models lie."""
    return home / "models" / "chat"


def files(home: Path) -> list[Path]:
    """The user's own models by name. Links that lead to a file count."""
    return sorted(path for path in folder(home).glob("*.gguf") if path.is_file())


def chosen(home: Path) -> Choice | None:
    """What somebody chose; None when nobody did, or when the record cannot be read."""
    try:
        record = json.loads(_record(home).read_text(encoding="utf-8"))
        file = record["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if file is None:
        return Choice(None)
    return Choice(file) if isinstance(file, str) and Path(file).name == file else None


def choose(home: Path, file: str | None) -> None:
    """Record the choice; done again with the same file, it is a new choice. Raises OSError."""
    path = _record(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"file": file}), encoding="utf-8")
    fresh.replace(path)


def mark(home: Path) -> tuple[int, int] | None:
    """Another value after each `choose`; None before the first."""
    try:
        found = _record(home).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def explicit(home: Path, gguf: Path | None) -> tuple[bool, Path | None]:
    """Whether operator or administrator said what to run, and the file (None: the demonstration model)."""
    if gguf is not None:
        return True, gguf
    wish = chosen(home)
    if wish is None:
        return False, None
    return True, None if wish.file is None else folder(home) / wish.file


def own_file(home: Path, gguf: Path | None) -> Path | None:
    """The file to run, None for the demonstration model. Where nobody chose, the first file there is."""
    said, file = explicit(home, gguf)
    return file if said else next(iter(files(home)), None)


def title_of(file: Path | None) -> str:
    """What the model of a file is called: never like the demonstration model, unless it is that one."""
    if file is None:
        return SMOLLM2.title
    return file.name if file.stem == SMOLLM2.title else file.stem


def is_gguf(file: Path) -> bool:
    """Whether the file begins as GGUF files do. Raises OSError."""
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _record(home: Path) -> Path:
    return home / "models" / "choice.json"
