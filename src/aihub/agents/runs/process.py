"""Which process executes a run, so that another one can tell when it is dead.

The name says on which machine (boot and process namespace), which process and when it began. A process
that sees the same machine can look; everybody else waits for the heartbeat to fall silent.
"""

import os
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def _machine() -> str | None:
    """What two processes have in common when they see each other in /proc; None without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None
    return f"{boot}.{namespace}"


def _began(pid: int) -> str | None:
    """When a process began, in clock ticks since the boot; None when there is no such process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def this_process() -> str:
    """The name of this process; each call gives another, for a process may hold several executors."""
    return f"{_here()}/{uuid.uuid4().hex}"


@cache
def _here() -> str:
    machine, pid = _machine(), os.getpid()
    return f"{machine}/{pid}/{_began(pid)}" if machine else f"?/{pid}/?"


def neighbours() -> str | None:
    """How the names of the processes begin that this one can look for."""
    machine = _machine()
    return f"{machine}/" if machine else None


def dead(names: Iterable[str]) -> list[str]:
    """Those of the neighbours that do not live any more."""
    gone = []
    for name in names:
        _, pid, began, _ = name.split("/")
        if _began(int(pid)) != began:
            gone.append(name)
    return gone
