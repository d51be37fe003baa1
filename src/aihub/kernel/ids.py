"""Identifiers: time-ordered UUIDs, so that primary keys insert at the end of their index."""

import os
import threading
import time
from uuid import UUID

_LATE = 10_000  # milliseconds: a clock that was set back by more begins anew
_STEP = 5  # bytes: what may lie between two ids of one millisecond
_NOISE = (1 << 74) - 1
_one_at_a_time = threading.Lock()
_last = [0, 0]  # milliseconds and the rest of the newest id


def new_id() -> UUID:
    """A version-7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits.

    Each is greater than those before it in this process, also within a millisecond and when the clock is
    corrected: what is listed by id is listed as it came.
    """
    with _one_at_a_time:
        stamp, (before, noise) = time.time_ns() // 1_000_000, _last
        if before - _LATE <= stamp <= before:
            stamp, noise = before, noise + 1 + int.from_bytes(os.urandom(_STEP))
        if stamp != before or noise > _NOISE:
            stamp, noise = stamp + (stamp == before), int.from_bytes(os.urandom(10)) & _NOISE
        _last[:] = stamp, noise
    value = (stamp & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76
    value |= noise >> 62 << 64
    value |= 0b10 << 62
    value |= noise & 0x3FFFFFFFFFFFFFFF
    return UUID(int=value)
