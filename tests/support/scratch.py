"""Where tests put what nobody needs afterwards: in memory if there is room, which saves the kernel most of
the work of the thousand files that a database is."""

import os
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3  # bytes that shall be free, for a database of this test process among others


def scratch_folder(prefix: str) -> Path:
    """A new folder with a short path."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if _usable(_MEMORY) else "/tmp"))


def _usable(folder: Path) -> bool:
    """Programs run there too: those of PostgreSQL are copied when its account cannot reach them."""
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    room = facts.f_bavail * facts.f_frsize
    return room >= _ROOM and not facts.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK | os.X_OK)
