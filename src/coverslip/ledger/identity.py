"""Version 7 UUIDs (RFC 9562): names that sort by the time they were given, never twice the same."""

from __future__ import annotations

import secrets
import threading
import time
from uuid import UUID

__all__ = ["uuid7"]

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new version 7 UUID, greater than every earlier one of this process.

    48 bits of Unix milliseconds and 12 bits of their fraction, moved on by one step where the clock
    stands still or goes back (RFC 9562, section 6.2, methods 3 and 1), then 62 random bits.
    """
    global _last
    tick = time.time_ns() * 4096 // 1_000_000
    with _lock:
        _last = tick = max(tick, _last + 1)
    value = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
