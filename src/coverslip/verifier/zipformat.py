"""The one ZIP spelling of a bundle: every structural byte follows from names, sizes, CRCs and order.

Rules kept here:

* ``manifest.json`` first, ``manifest.sig`` second, then all members by the bytes of their names.
* Members are stored, dated 1980-01-01, flagged UTF-8, without comments, descriptors or extra fields,
  except the zip64 field exactly where a number does not fit.
* Writer and reader both call these functions: the writer to write, the reader to compare.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

LOCAL_SIGNATURE: Final = b"PK\x03\x04"
LOCAL_SIZE: Final = 30
FIRST: Final = ("manifest.json", "manifest.sig")
MAX_NAME: Final = 4096
MAX_MEMBERS: Final = 1_000_000
_FULL: Final = 0xFFFFFFFF
_UTF8: Final = 0x0800
_DATE: Final = 0x0021
_ATTRIBUTES: Final = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the structure knows it; ``offset`` is that of its local header."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def data_offset(self) -> int:
        """Offset of the first content byte."""
        return self.offset + len(local_header(self))


def order(name: str) -> tuple[int, bytes]:
    """Return the sort key of a member name."""
    return (FIRST.index(name) if name in FIRST else len(FIRST), name.encode())


def local_header(entry: Entry) -> bytes:
    """Return the bytes before a member's content."""
    name, big = entry.name.encode(), entry.size >= _FULL
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if big else b""
    size = _FULL if big else entry.size
    head = struct.pack(
        "<4s5H3I2H", LOCAL_SIGNATURE, 45 if big else 20, _UTF8, 0, 0, _DATE,
        entry.crc, size, size, len(name), len(extra),
    )  # fmt: skip
    return head + name + extra


def central_header(entry: Entry) -> bytes:
    """Return a member's record in the central directory."""
    name = entry.name.encode()
    big, far = entry.size >= _FULL, entry.offset >= _FULL
    numbers = ([entry.size, entry.size] if big else []) + ([entry.offset] if far else [])
    extra = struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
    size, version = _FULL if big else entry.size, 45 if numbers else 20
    head = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 3 << 8 | version, version, _UTF8, 0, 0, _DATE, entry.crc, size, size,
        len(name), len(extra), 0, 0, 0, _ATTRIBUTES, _FULL if far else entry.offset,
    )  # fmt: skip
    return head + name + extra


def end_record(count: int, start: int, size: int) -> bytes:
    """Return what follows a central directory of ``count`` records at ``start``, ``size`` bytes long."""
    big = b""
    if count >= 0xFFFF or start >= _FULL or size >= _FULL:
        big = struct.pack(
            "<4sQ2H2I4Q", b"PK\x06\x06", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, start
        ) + struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1)
    few = min(count, 0xFFFF)
    return big + struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, few, few, min(size, _FULL), min(start, _FULL), 0
    )
