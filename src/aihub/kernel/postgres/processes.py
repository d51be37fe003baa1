"""Finding the server's processes, and ending them.

A process id alone proves nothing: after a power cut the id in postmaster.pid may belong to anyone.
The command line in /proc can be read without any privilege, so it decides.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from aihub.kernel.postgres.errors import NotPermitted, StopFailed

_FAST_SECONDS = 60
_IMMEDIATE_SECONDS = 15
_PID_FILE_LINES = 8
_SOCKET_FOLDER_LINE = 4


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A live server: its process id, its socket folder, and what it says of itself."""

    pid: int
    socket_folder: Path
    ready: bool
    stopping: bool


def command_line(pid: int) -> list[str]:
    """The arguments of a process; empty when it is gone, a zombie or a kernel thread."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(part) for part in raw.rstrip(b"\0").split(b"\0")] if raw else []


def read_pid_file(data: Path) -> list[str]:
    """The lines of postmaster.pid, empty when there is none. Raises NotPermitted."""
    return _lines(data / "postmaster.pid")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as exc:
        raise NotPermitted(f"{path} may not be read by this account.") from exc


def _pid_in(lines: list[str]) -> int | None:
    pid = lines[0].strip() if lines else ""
    return int(pid) if pid.isdecimal() and int(pid) > 1 else None


def is_postmaster_of(pid: int, data: Path) -> bool:
    """Whether this process is the server of this data folder."""
    arguments = command_line(pid)
    if not arguments or Path(arguments[0]).name != "postgres" or "-D" not in arguments[:-1]:
        return False
    folder = Path(arguments[arguments.index("-D") + 1])
    if folder == data:
        return True
    try:
        if Path(f"/proc/{pid}").stat().st_uid != data.stat().st_uid:
            return False
        if folder.samefile(data):
            return True
    except FileNotFoundError:
        return command_line(pid) == arguments and data.exists()
    # A server of another folder says so in that folder. One that does not has had its folder moved
    # away under it, possibly to here, and must not be overlooked.
    return _pid_in(read_pid_file(folder)) != pid


def find_postmaster(data: Path) -> Postmaster | None:
    """The live server of this data folder, None when there is none."""
    lines = read_pid_file(data)
    pid = _pid_in(lines)
    if pid is None or not is_postmaster_of(pid, data):
        return None
    complete = len(lines) >= _PID_FILE_LINES
    return Postmaster(
        pid=pid,
        socket_folder=Path(lines[_SOCKET_FOLDER_LINE].strip()) if complete else data,
        ready=complete and lines[7].strip() == "ready",
        stopping=complete and lines[7].strip() == "stopping",
    )


def stragglers(cluster_name: str) -> list[int]:
    """Server processes that outlived their postmaster; their titles carry the cluster's name."""
    title = f"postgres: {cluster_name}: "
    return [pid for pid in _running() if " ".join(command_line(pid)).startswith(title)]


def _running() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def clear_after_crash(data: Path, cluster_name: str, seconds: float = 10) -> None:
    """Make way for a new server where the old one was killed.

    Ends a server that lost its postmaster.pid, waits for orphaned backends, ends them when they do not
    leave, and removes lock files whose process id now belongs to a stranger or to a dead process that
    nobody has reaped: PostgreSQL would take either for a running server. It judges every other case
    itself.
    """
    for lost in _running():
        if command_line(lost)[1:3] == ["-D", str(data)]:
            _end(lost, data)
    left = _wait_for_stragglers(cluster_name, seconds)
    for straggler in left:
        _send(straggler, signal.SIGKILL)
    if left and _wait_for_stragglers(cluster_name, seconds):
        return
    lines = read_pid_file(data)
    locks = [data / "postmaster.pid"]
    if len(lines) > _SOCKET_FOLDER_LINE:
        folder, port = lines[_SOCKET_FOLDER_LINE].strip(), lines[_SOCKET_FOLDER_LINE - 1].strip()
        locks.append(Path(folder) / f".s.PGSQL.{port}.lock")
    for lock in locks:
        pid = _pid_in(_lines(lock))
        if pid is not None and Path(f"/proc/{pid}").exists() and not is_postmaster_of(pid, data):
            lock.unlink(missing_ok=True)


def _wait_for_stragglers(cluster_name: str, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := stragglers(cluster_name)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def terminate(pid: int, data: Path, cluster_name: str) -> None:
    """Stop a server: fast shutdown, then immediate. Returns when it is gone. Raises StopFailed."""
    _end(pid, data)
    # The log writer leaves last, on its own.
    _wait_for_stragglers(cluster_name, 5)


def _end(pid: int, data: Path) -> None:
    for number, seconds in ((signal.SIGINT, _FAST_SECONDS), (signal.SIGQUIT, _IMMEDIATE_SECONDS)):
        if not is_postmaster_of(pid, data):
            return
        _send(pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_postmaster_of(pid, data):
                return
            time.sleep(0.01)
    raise StopFailed(f"Process {pid} still runs.")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as exc:
        raise StopFailed(f"Process {pid} belongs to another user.") from exc
