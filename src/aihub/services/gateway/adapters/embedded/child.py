"""The model process's side of the agreement with its parent.

The parent writes one line of JSON to standard input and keeps it open; the child answers with one
line on standard output when it serves. The end of standard input means that the parent is gone.
Secrets travel in that line and never in the argument list or the environment.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1


def begin() -> dict[str, Any]:
    """Tie this process's life to its parent's, step back in priority, and read the configuration."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(5)
    line = sys.stdin.buffer.readline()
    if not line:
        raise SystemExit(0)  # the parent died before it could speak
    config: dict[str, Any] = json.loads(line)
    return config


def announce(address: str) -> None:
    """Tell the parent where we serve."""
    sys.stdout.write(json.dumps({"address": address}) + "\n")
    sys.stdout.flush()


def when_parent_leaves(then: Callable[[], object]) -> None:
    """Call `then` from another thread once the parent closed our standard input or died."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        then()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
