"""A home in which a hub was started once: a hub in a copy of it has its first start behind it.

Making a database and its tables takes longer than everything else of a start, and is the same each time.
Hubs in copies share their secrets with one another. What is about the first start itself begins in an
empty home instead.
"""

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

# Data of tests need not survive a power cut; a killed process loses nothing by it.
_FAST = "fsync = 'off'\n"


def copy_prepared(home: Path) -> None:
    """Make `home`, which does not exist yet: set up, without anybody in it, and not running."""
    subprocess.run(["cp", "-a", str(_prepared()), str(home)], check=True, timeout=120)


@cache
def _prepared() -> Path:
    """One for each test process, made when it is needed first."""
    # The hub's file knows this one.
    from tests.support.hub import Hub

    folder = Path(tempfile.mkdtemp(prefix="aihub-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    home = folder / "home"
    (home / "postgres").mkdir(mode=0o711, parents=True)
    (home / "postgres" / "custom.conf").write_text(_FAST)
    (home / "postgres" / "custom.conf").chmod(0o644)
    home.chmod(0o711)
    hub = Hub(home, env={"AIHUB_EMBEDDED": "off"})
    hub.start()
    assert hub.stop() == 0, "\n".join(hub.lines[-60:])
    return home
