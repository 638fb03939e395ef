"""Parameters of the two hot calls in PostgreSQL's binary form.

Rules kept here: arrays have one dimension and their element type's oid; None is NULL. Driver
adaptation was a third of a commit's time (SPIKE 2), so these few types are packed here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

BOOL, BYTEA, INT8, INT4, TEXT, JSONB, UUID_, TIMESTAMPTZ = 16, 17, 20, 23, 25, 3802, 2950, 1184
BOOLS, BYTEAS, INT4S, INT8S, TEXTS, UUIDS = 1000, 1001, 1007, 1016, 1009, 2951

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INT8 = struct.Struct("!q")
_INT4 = struct.Struct("!i")
_NULL = _INT4.pack(-1)


def int8(value: int) -> bytes:
    """Pack a bigint."""
    return _INT8.pack(value)


def int4(value: int) -> bytes:
    """Pack an int."""
    return _INT4.pack(value)


def instant(value: datetime) -> bytes:
    """Pack an aware time as microseconds since 2000."""
    gap = value - _EPOCH
    return _INT8.pack((gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds)


def uuid(value: UUID) -> bytes:
    """Pack a uuid."""
    return value.bytes


def text(value: str) -> bytes:
    """Pack text."""
    return value.encode()


def boolean(value: bool) -> bytes:
    """Pack a boolean."""
    return b"\x01" if value else b"\x00"


def array(oid: int, items: Sequence[bytes | None]) -> bytes:
    """Pack a one-dimensional array of already packed items of type ``oid``."""
    if not items:
        return struct.pack("!iii", 0, 0, oid)
    parts = [struct.pack("!iiiii", 1, int(None in items), oid, len(items), 1)]
    for item in items:
        if item is None:
            parts.append(_NULL)
        else:
            parts.append(_INT4.pack(len(item)))
            parts.append(item)
    return b"".join(parts)


def jsonb(data: bytes) -> bytes:
    """Pack JSON text as jsonb, format version 1."""
    return b"\x01" + data
