"""One server process: launched, waited for, ended."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from aihub.kernel.postgres import cluster, processes
from aihub.kernel.postgres.account import Account
from aihub.kernel.postgres.binaries import Binaries
from aihub.kernel.postgres.config import cluster_name
from aihub.kernel.postgres.errors import StartFailed
from aihub.kernel.postgres.files import new_log, tail
from aihub.kernel.postgres.layout import Layout

_START_SECONDS = 300
_TELL_EVERY_SECONDS = 3


# Servers that are children of this process, whichever object launched them: a dead child stays in the
# process table until its parent has asked for its end.
_children: dict[int, subprocess.Popen[bytes]] = {}


class Launcher:
    """Launches the server of one home and ends it, whoever launched it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cluster_name = cluster_name(layout.data)
        self._launched: int | None = None
        self._launched_at = 0.0

    def launch(self, account: Account, binaries: Binaries) -> int:
        """Start a server on a folder that has none, after clearing what a crash left. Its process id."""
        layout = self._layout
        processes.clear_after_crash(layout.data, self._cluster_name)
        for pid in [pid for pid, child in _children.items() if child.poll() is not None]:
            del _children[pid]
        self._launched_at = time.time()
        with new_log(layout.start_log) as log:
            # In a session of its own: Ctrl-C in the terminal must reach the hub only, which then stops
            # the server in order.
            child = subprocess.Popen(
                cluster.command(binaries, layout.data, layout.configuration),
                cwd="/",
                env=cluster.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=account.user,
                group=account.group,
                extra_groups=account.extra_groups,
                umask=0o077,
            )
        _children[child.pid] = child
        self._launched = child.pid
        return child.pid

    def wait_until_ready(
        self, pid: int, say: Callable[[str], None], check_called_off: Callable[[], None]
    ) -> Path:
        """Wait until the server accepts connections; its socket folder.

        `check_called_off` may raise to give up. Raises StartFailed when the server ends, or is not
        ready after five minutes.
        """
        begun = time.monotonic()
        told = 0
        while True:
            found = processes.find_postmaster(self._layout.data)
            if found is not None and found.pid == pid and found.ready:
                return found.socket_folder
            if not self._alive(pid):
                raise StartFailed(self._last_words() or "It ended without a word.")
            check_called_off()
            waited = time.monotonic() - begun
            if waited > _START_SECONDS:
                raise StartFailed(f"It was not ready after {_START_SECONDS} seconds. {self._last_words()}")
            if waited > _TELL_EVERY_SECONDS * (told + 1):
                told += 1
                say(f"The database is recovering after an unclean stop ({waited:.0f} s)")
            time.sleep(0.01)

    def _alive(self, pid: int) -> bool:
        child = _children.get(pid)
        if child is not None:
            return child.poll() is None
        return bool(processes.command_line(pid))

    def _last_words(self) -> str:
        logs = sorted(self._layout.logs.glob("postgresql-*.log"))
        spoke = bool(logs) and logs[-1].stat().st_mtime >= self._launched_at
        parts = [tail(self._layout.start_log), tail(logs[-1]) if spoke else ""]
        return "\n".join(part for part in parts if part)

    def terminate(self, pid: int) -> None:
        """End a server and wait until all of it is gone. Raises StopFailed."""
        processes.terminate(pid, self._layout.data, self._cluster_name)
        child = _children.pop(pid, None)
        if child is not None:
            child.wait()

    def abandon(self) -> None:
        """End the child of a start that failed or was interrupted; a server of others is left alone."""
        if self._launched is not None and self._alive(self._launched):
            self.terminate(self._launched)
