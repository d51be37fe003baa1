"""One more serving process: `python -m aihub.app.sibling <descriptor> <targets>`. See `siblings`."""

import asyncio
import os
import socket
import sys
import threading

from aihub.app.settings import load_settings
from aihub.app.start import Started, run
from aihub.app.targets import resolve
from aihub.kernel.errors import AihubError


def main(descriptor: int, names: list[str]) -> int:
    """Serve on the socket that was inherited; the exit code."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        asyncio.run(
            run(
                load_settings(),
                targets=resolve(names),
                inherited=socket.socket(fileno=descriptor),
                migrate_first=False,
                worker=False,
                embedded=False,
                say=_silent,
                ready=_silent,
            )
        )
    except AihubError as exc:
        sys.stderr.write(f"error: {exc.title}: {exc}  [{exc.code}]\n")
        return 1
    return 0


def _leave_with_parent() -> None:
    """The parent holds the other end of our standard input open for as long as it lives. When it was
    killed we hold its port, so we go at once, as if we had been killed too."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(1)


def _silent(_: str | Started) -> None:
    return


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2].split(",")))
