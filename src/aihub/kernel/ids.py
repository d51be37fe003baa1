"""Identifiers: time-ordered UUIDs, so that primary keys insert at the end of their index."""

import os
import time
from uuid import UUID


def new_id() -> UUID:
    """A version-7 UUID (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    stamp = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (stamp & 0xFFFFFFFFFFFF) << 80
    value |= 0x7 << 76
    value |= (noise >> 64 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= noise & 0x3FFFFFFFFFFFFFFF
    return UUID(int=value)
