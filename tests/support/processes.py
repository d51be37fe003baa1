"""What runs on this machine, as /proc tells it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def _all() -> Iterator[Path]:
    return (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def command_line(pid: int) -> str:
    """Empty for a process that is gone or not reaped."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def children(pid: int) -> dict[int, str]:
    """The processes that this one started itself, with their command lines."""
    found = {}
    for entry in _all():
        with suppress(OSError):
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == pid and (command := command_line(int(entry.name))):
                found[int(entry.name)] = command
    return found


def processes_in(folder: Path) -> dict[int, str]:
    """The processes that work in this folder or name it in their command line or environment."""
    found = {}
    for entry in _all():
        pid = int(entry.name)
        traces = [command_line(pid)]
        with suppress(OSError):
            traces.append((entry / "environ").read_bytes().decode(errors="replace"))
        with suppress(OSError):
            traces.append(f"{(entry / 'cwd').readlink()}/")
        if traces[0] and any(f"{folder}/" in trace for trace in traces):
            found[pid] = traces[0]
    return found
