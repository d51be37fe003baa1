"""Promises in seconds are for a machine at ease; tests share theirs with others."""

import subprocess
import sys
import time

AT_EASE = 0.5  # seconds that this takes on two quiet cores
_SOMEBODYS_CODE = "import sqlalchemy.ext.asyncio, pydantic"


def slowness() -> float:
    """How many times slower than at ease the machine is now, by the clock on the wall; at least 1."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _SOMEBODYS_CODE], check=True)
    return max(1.0, (time.monotonic() - began) / AT_EASE)
