"""Reading a bundle's ZIP without trusting any of its numbers.

Rules kept here:

* Members are found by walking from the first byte; nothing is allocated by a number read from input.
* :func:`differences` re-derives every structural byte from names, sizes, CRCs and order, and compares;
  the first byte that differs is named with the member it lies nearest to.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO, Final

from coverslip.ledger.files import ChunkTree
from coverslip.verifier import zipformat
from coverslip.verifier.report import BundleError
from coverslip.verifier.zipformat import Entry

PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Digest:
    """What was computed over a member's content; ``root`` (hex) only for original files."""

    size: int
    sha256: str
    crc: int
    root: str = ""


class Container:
    """The members of a bundle in the order they lie in the file."""

    def __init__(self, stream: BinaryIO) -> None:
        """Walk the local headers. ``stop`` is where the walk ended: the central directory, if sound."""
        self._stream = stream
        self.length = stream.seek(0, 2)
        self.entries: list[Entry] = []
        self.stop = 0
        self.fault = ""
        self._walk()
        self.by_name = {entry.name: entry for entry in self.entries}

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes at ``offset``."""
        self._stream.seek(offset)
        return self._stream.read(count)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member, at most 1 MiB at a time. Raises BundleError if there is none."""
        entry = self.by_name.get(name)
        if entry is None:
            raise BundleError("the member is missing")
        offset, left = entry.data_offset, entry.size
        while left:
            piece = self.read(offset, min(PIECE, left))
            if not piece:
                raise BundleError("the file ended while it was read")
            offset, left = offset + len(piece), left - len(piece)
            yield piece

    def whole(self, name: str, limit: int) -> bytes:
        """Return a member's content. Raises BundleError if it is missing or longer than ``limit``."""
        entry = self.by_name.get(name)
        if entry is not None and entry.size > limit:
            raise BundleError(f"{entry.size} bytes; at most {limit} are read")
        return b"".join(self.pieces(name))

    def digest(self, name: str, tree: bool = False) -> Digest:
        """Return size, SHA-256 and CRC-32 of a member, and with ``tree`` its chunk-tree root."""
        chunks = ChunkTree()
        flat, crc, size = sha256(), 0, 0
        for piece in self.pieces(name):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if tree:
                chunks.update(piece)
            else:
                flat.update(piece)
        if tree:
            found = chunks.finish()
            return Digest(size, found.sha256.hex(), crc, found.root.hex())
        return Digest(size, flat.hexdigest(), crc)

    def near(self, offset: int) -> str:
        """Return the name of the member whose header or content lies at or just before ``offset``."""
        if not self.entries:
            return "none"
        return self.entries[max(0, bisect_right(self.entries, offset, key=lambda e: e.offset) - 1)].name

    def _walk(self) -> None:
        while self.length - self.stop >= zipformat.LOCAL_SIZE:
            head = self.read(self.stop, zipformat.LOCAL_SIZE)
            if not head.startswith(zipformat.LOCAL_SIGNATURE):
                break
            if len(self.entries) >= zipformat.MAX_MEMBERS:
                self.fault = "more members than a bundle can have"
                return
            entry = self._entry(head)
            if entry is None:
                return
            self.entries.append(entry)
            self.stop = entry.data_offset + entry.size
        if not self.read(self.stop, 4).startswith(b"PK\x01\x02"):
            self.fault = "neither a member nor the central directory begins here"

    def _entry(self, head: bytes) -> Entry | None:
        crc, _, size, name_length, extra_length = struct.unpack("<3I2H", head[14:30])
        start = self.stop + zipformat.LOCAL_SIZE
        raw = self.read(start, min(name_length, zipformat.MAX_NAME + 1))
        extra = self.read(start + name_length, 20) if extra_length else b""
        if size == 0xFFFFFFFF and len(extra) == 20:
            size = struct.unpack("<Q", extra[4:12])[0]
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = ""
        if not name or len(raw) > zipformat.MAX_NAME:
            self.fault = "the name of a member cannot be read"
            return None
        entry = Entry(name, size, crc, self.stop)
        if entry.data_offset + size > self.length:
            self.fault = "a member reaches beyond the end of the file"
            return None
        return entry


def differences(
    container: Container, crcs: Mapping[str, int], layout: Sequence[tuple[str, int]] = ()
) -> Iterator[str]:
    """Yield one sentence for the first structural byte that differs, or none if all are as they must be.

    ``crcs`` gives the true CRC of members whose content is known to be right; for others the CRC
    their own header claims is used. ``layout`` are the names and sizes, in order, that an authentic
    manifest gives; without it those found in the file are taken.
    """
    entries = _entries(container, crcs, layout)
    for entry in entries:
        expected = zipformat.local_header(entry)
        at = _first_difference(expected, container.read(entry.offset, len(expected)))
        if at is not None:
            yield _sentence(entry.offset + at, entry.name)
            return
    if container.fault and not layout:
        yield f"{_sentence(container.stop, container.near(container.stop))}: {container.fault}"
        return
    keys = [zipformat.order(entry.name) for entry in entries]
    for index in range(1, len(keys)):
        if keys[index - 1] >= keys[index]:
            yield f"{_sentence(entries[index].offset, entries[index].name)}: out of order, or there twice"
            return
    yield from _compare_directory(container, entries)


def _entries(container: Container, crcs: Mapping[str, int], layout: Sequence[tuple[str, int]]) -> list[Entry]:
    """Return the members as they must lie one after the other."""
    offset, found = 0, []
    for name, size in layout or [(entry.name, entry.size) for entry in container.entries]:
        claimed = int.from_bytes(container.read(offset + 14, 4), "little")
        entry = Entry(name, size, crcs.get(name, claimed), offset)
        found.append(entry)
        offset = entry.data_offset + size
    return found


def _compare_directory(container: Container, entries: list[Entry]) -> Iterator[str]:
    start = offset = entries[-1].data_offset + entries[-1].size if entries else 0
    for entry in entries:
        expected = zipformat.central_header(entry)
        at = _first_difference(expected, container.read(offset, len(expected)))
        if at is not None:
            yield _sentence(offset + at, entry.name)
            return
        offset += len(expected)
    last = entries[-1].name if entries else "none"
    expected = zipformat.end_record(len(entries), start, offset - start)
    found = container.read(offset, len(expected) + 1)
    at = _first_difference(expected, found)
    if at is not None:
        yield f"{_sentence(offset + at, last)}: the end record differs"
    elif len(found) > len(expected):
        yield f"{_sentence(offset + len(expected), last)}: bytes follow the end record"


def _sentence(offset: int, name: str) -> str:
    return f"zip structure at byte {offset} (near member {name})"


def _first_difference(expected: bytes, found: bytes) -> int | None:
    if found[: len(expected)] == expected:
        return None
    pairs = zip(expected, found, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(found)))
