"""How the chat model is, told by the process that runs it to the other processes of the home."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from aihub.services.gateway.adapters.embedded.endpoint import is_same_process, start_mark
from aihub.services.gateway.adapters.embedded.model import ModelState


def tell(home: Path, state: ModelState) -> None:
    """Replace what was told before."""
    path = _file(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    record = {"pid": os.getpid(), "started": start_mark(os.getpid()), "state": asdict(state)}
    fresh.write_text(json.dumps(record), encoding="utf-8")
    fresh.replace(path)


def told(home: Path) -> ModelState | None:
    """What the process that runs the chat model told last; None when there is no such process."""
    try:
        record = json.loads(_file(home).read_text(encoding="utf-8"))
        if not is_same_process(int(record["pid"]), record["started"]):
            return None
        return ModelState(**record["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(home: Path) -> None:
    """Take back what was told."""
    _file(home).unlink(missing_ok=True)


def _file(home: Path) -> Path:
    return home / "run" / "embedded-chat-state.json"
