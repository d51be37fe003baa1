"""Where a running embedded model is reached, also from the other processes of this installation."""

import asyncio
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["chat", "embedding"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible upstream on loopback. `base_url` ends in /v1."""

    base_url: str
    api_key: str = field(repr=False)
    model_name: str


def file_of(home: Path, kind: Kind) -> Path:
    return home / "run" / f"embedded-{kind}.json"


def publish(home: Path, kind: Kind, endpoint: Endpoint, pid: int) -> None:
    """Let other processes of the same user find `endpoint` for as long as process `pid` lives."""
    path = file_of(home, kind)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    record = {**asdict(endpoint), "pid": pid, "started": start_mark(pid)}
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(record, stream)
    fresh.replace(path)


def withdraw(home: Path, kind: Kind, api_key: str) -> None:
    """Take back what was published with this key, and nothing that somebody else published since."""
    record = _record(home, kind)
    if record is not None and record.get("api_key") == api_key:
        file_of(home, kind).unlink(missing_ok=True)


async def discover(home: Path, kind: Kind, within: float = 2.0) -> Endpoint | None:
    """The endpoint another process of this installation published, if it is really there.

    A chat endpoint must answer its health check within `within` seconds. An embedding endpoint is
    a socket that its owner holds open and serves from the first connection on, so the owner's life
    is the answer, and asking does not wake the model.
    """
    record = _record(home, kind)
    if record is None:
        return None
    try:
        endpoint = Endpoint(record["base_url"], record["api_key"], record["model_name"])
        pid, started = int(record["pid"]), record["started"]
    except (ValueError, KeyError, TypeError):
        return None
    if not is_same_process(pid, started):
        return None
    if kind == "chat" and not await answers(endpoint, "/health", within):
        return None
    return endpoint


async def answers(endpoint: Endpoint, path: str, within: float) -> bool:
    """Whether GET `path` at the endpoint's server gives 200 within `within` seconds."""
    address = endpoint.base_url.removeprefix("http://").removesuffix("/v1")
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(
                    f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {endpoint.api_key}\r\n"
                    "Connection: close\r\n\r\n".encode("ascii")
                )
                status = await reader.readline()
            finally:
                writer.close()
    except (TimeoutError, OSError):
        return False
    return status.split(b" ", 2)[1:2] == [b"200"]


def _record(home: Path, kind: Kind) -> dict[str, Any] | None:
    try:
        record = json.loads(file_of(home, kind).read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_same_process(pid: int, started: str | None) -> bool:
    """Whether process `pid` lives and is the one that had this start mark."""
    return _alive(pid) and start_mark(pid) == started


def start_mark(pid: int) -> str | None:
    """The kernel's start mark of a process, which tells it from a later one with the same number."""
    fields = stat_fields(pid)
    return fields[19] if fields else None


def stat_fields(pid: int) -> list[str] | None:
    """Linux's /proc/PID/stat from the state on (field 3); None where there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
