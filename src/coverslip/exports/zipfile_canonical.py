"""Writes the one ZIP spelling of a bundle to a stream that need not be seekable.

The structure is that of :mod:`coverslip.verifier.zipformat`, which the verifier derives again from what
it reads. Sizes and CRCs are known before a member is written; content that turns out otherwise stops
the export, because its header has gone out already.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from coverslip.errors import EvidenceBroken
from coverslip.verifier import zipformat
from coverslip.verifier.zipformat import Entry


@dataclass(frozen=True, slots=True)
class Head:
    """What must be known of a member before it is written."""

    path: str
    size: int
    crc: int


class CanonicalZip:
    """Takes members in the order of ``zipformat.order``; ``offset`` is the number of bytes written."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._entries: list[Entry] = []
        self.offset = 0

    def add(self, head: Head, pieces: Iterable[bytes]) -> None:
        """Write one member.

        Raises ValueError for a member out of order, EvidenceBroken (``EVIDENCE``) if the pieces have
        another size or CRC than announced.
        """
        if self._entries and zipformat.order(self._entries[-1].name) >= zipformat.order(head.path):
            raise ValueError(f"member {head.path} is out of order")
        entry = Entry(head.path, head.size, head.crc, self.offset)
        self._write(zipformat.local_header(entry))
        size = crc = 0
        for piece in pieces:
            size, crc = size + len(piece), zlib.crc32(piece, crc)
            self._write(piece)
        if (size, crc) != (head.size, head.crc):
            raise EvidenceBroken(
                "EVIDENCE",
                what=f"content of {head.path} while it was exported",
                expected=f"{head.size} bytes with CRC {head.crc:08x}",
                found=f"{size} bytes with CRC {crc:08x}",
            )
        self._entries.append(entry)

    def close(self) -> None:
        """Write the central directory and the end record."""
        start = self.offset
        for entry in self._entries:
            self._write(zipformat.central_header(entry))
        self._write(zipformat.end_record(len(self._entries), start, self.offset - start))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self.offset += len(data)
