"""Locks between processes, on files in the hub's home.

The kernel releases them when their process dies, however it dies, and they hold between containers
that share one volume, where process ids mean nothing.
"""

import fcntl
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aihub.kernel.postgres.errors import Busy, NotPermitted


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except PermissionError as exc:
        raise NotPermitted(f"{path} may not be opened by this account.") from exc
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


@contextmanager
def exclusive(path: Path, seconds: float, called_off: Callable[[], None]) -> Iterator[None]:
    """Hold the lock `path`, waiting up to `seconds`. Raises Busy; `called_off` may raise to give up."""
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                called_off()
                if time.monotonic() > deadline:
                    raise Busy(f"{path} has been locked for {seconds:.0f} seconds.") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


class Usage:
    """This object's mark on the list of those who use the server; the last one to leave stops it.

    Change it only while holding the exclusive start lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        _usages.add(self)

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def enter(self) -> None:
        if self._descriptor is None:
            self._descriptor = _open(self._path)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def leave(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def others(self) -> bool:
        """Whether anyone else uses the server, in any process."""
        descriptor = _open(self._path)
        held = self.held
        self.leave()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(descriptor)
            if held:
                self.enter()


_usages: weakref.WeakSet[Usage] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A forked child shares its parent's locks; left open they would outlive the parent's death."""
    for usage in _usages:
        usage.leave()


os.register_at_fork(after_in_child=_forget_in_child)
