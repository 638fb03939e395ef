"""The structure of a TIFF or BigTIFF file, walked without believing it.

Rules kept here: every offset and count is held against the file's length before it is followed; a
directory seen twice ends the walk; directories and tags are limited in number. What is wrong
becomes a finding that names page and byte range, and the walk goes on where it safely can.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from coverslip.imaging.metadata import counted
from coverslip.imaging.readers.base import Findings, RefusedFile, Source

_SIZES: Final = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_FORMATS: Final = {
    1: "B",
    3: "H",
    4: "I",
    6: "b",
    8: "h",
    9: "i",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
MAX_TAGS: Final = 2000
MAX_VALUES: Final = 8_000_000
MAX_LEVELS: Final = 64

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
DESCRIPTION, MAKE, MODEL, STRIP_OFFSETS, ORIENTATION = 270, 271, 272, 273, 274
SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, X_RESOLUTION, Y_RESOLUTION = 277, 278, 279, 282, 283
PLANAR, SOFTWARE, DATE_TIME, TILE_WIDTH, TILE_LENGTH = 284, 305, 306, 322, 323
TILE_OFFSETS, TILE_COUNTS, SUB_IFDS, SAMPLE_FORMAT, SUBFILE_TYPE = 324, 325, 330, 339, 254
FILL_ORDER, UIC1, UIC2, EXIF, DATE_ORIGINAL, BODY_SERIAL = 266, 33628, 33629, 34665, 36867, 42033


@dataclass(frozen=True, slots=True)
class Tag:
    """Where a tag's values lie: type, count, and the offset of their first byte in the file."""

    type: int
    count: int
    offset: int

    @property
    def length(self) -> int:
        """Bytes of all values."""
        return _SIZES.get(self.type, 0) * self.count


@dataclass(slots=True)
class Directory:
    """One image file directory. ``name`` is what findings call it."""

    name: str
    offset: int
    tags: dict[int, Tag] = field(default_factory=dict)
    subs: list[Directory] = field(default_factory=list)


@dataclass(slots=True)
class Structure:
    """The walked file: byte order, BigTIFF or not, and its main directories in order."""

    order: str
    big: bool
    source: Source
    findings: Findings
    pages: list[Directory] = field(default_factory=list)

    def numbers(self, page: Directory, code: int) -> list[int]:
        """Return a tag's integers; empty where the tag is absent, not integers, or outside the file."""
        tag = page.tags.get(code)
        letter = _FORMATS.get(tag.type) if tag else None
        if tag is None or letter is None or letter in "fd" or tag.count > MAX_VALUES:
            return []
        data = self.source.at(tag.offset, tag.length)
        if len(data) != tag.length:
            return []
        return list(struct.unpack(f"{self.order}{tag.count}{letter}", data))

    def number(self, page: Directory, code: int, default: int = 0) -> int:
        """Return a tag's first integer, or ``default``."""
        values = self.numbers(page, code)
        return values[0] if values else default

    def ratio(self, page: Directory, code: int) -> tuple[int, int] | None:
        """Return an unsigned rational tag's first value, or None."""
        tag = page.tags.get(code)
        data = self.source.at(tag.offset, 8) if tag and tag.type == 5 and tag.count else b""
        return struct.unpack(f"{self.order}II", data) if len(data) == 8 else None

    def bytes(self, page: Directory, code: int, limit: int) -> bytes:
        """Return a tag's bytes without trailing zeros, at most ``limit``; empty where absent."""
        tag = page.tags.get(code)
        return self.source.at(tag.offset, min(tag.length, limit)).rstrip(b"\x00") if tag else b""

    def text(self, page: Directory, code: int, limit: int = 4096) -> str:
        """Return a tag's text: UTF-8 where it is, else Latin-1."""
        data = self.bytes(page, code, limit)
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")

    def exif(self, page: Directory) -> Directory | None:
        """Return the Exif directory of a page, or None."""
        at = self.number(page, EXIF)
        return _directory(self, at, f"{page.name} exif")[0] if at else None


def walk(source: Source, findings: Findings) -> Structure:
    """Walk the file.

    Raises:
        RefusedFile: it is no TIFF, or has no directory inside the file.
    """
    order, big, first = _header(source)
    structure = Structure(order, big, source, findings)
    _chain(structure, first)
    if not structure.pages:
        raise _no_page(findings)
    seen = {page.offset for page in structure.pages}
    for page in structure.pages:
        for level, at in enumerate(structure.numbers(page, SUB_IFDS)[:MAX_LEVELS], 1):
            if at in seen:
                findings.bad("structure", "each directory once", f"a second way to byte {at}", page.name)
                continue
            seen.add(at)
            sub, _ = _directory(structure, at, f"{page.name} level {level}")
            if sub is not None:
                page.subs.append(sub)
    findings.settle(
        "structure", "directories without loops, inside the file", counted(len(structure.pages), "page")
    )
    return structure


def _header(source: Source) -> tuple[str, bool, int]:
    head = source.at(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise RefusedFile("parses", "a TIFF header", f"bytes {head[:4].hex()}", "byte 0")
    version = struct.unpack(f"{order}H", head[2:4])[0]
    if version == 42:
        return order, False, struct.unpack(f"{order}I", head[4:8])[0]
    if version == 43 and len(head) == 16 and struct.unpack(f"{order}HH", head[4:8]) == (8, 0):
        return order, True, struct.unpack(f"{order}Q", head[8:16])[0]
    raise RefusedFile("parses", "TIFF version 42 or 43", f"version {version}", "byte 2")


def _chain(structure: Structure, first: int) -> None:
    seen: set[int] = set()
    offset = first
    while offset:
        index = len(structure.pages)
        if offset in seen:
            structure.findings.bad(
                "structure",
                "each directory once",
                f"page {index} leads back to byte {offset}",
                f"page {index}",
            )
            return
        if index >= structure.source.limits.max_planes:
            raise RefusedFile("limits", f"at most {structure.source.limits.max_planes} pages", "more")
        seen.add(offset)
        page, offset = _directory(structure, offset, f"page {index}")
        if page is None:
            return
        structure.pages.append(page)


def _directory(structure: Structure, offset: int, name: str) -> tuple[Directory | None, int]:
    """Return one directory and the offset of the next one; None where it is not whole."""
    source, findings, order = structure.source, structure.findings, structure.order
    head, entry = (8, 20) if structure.big else (2, 12)
    data = source.at(offset, head)
    if len(data) < head:
        _cut(findings, name, "the directory", offset, offset + head, source.size)
        return None, 0
    count = struct.unpack(f"{order}{'Q' if structure.big else 'H'}", data)[0]
    if not 0 < count <= MAX_TAGS:
        findings.bad("structure", f"1 to {MAX_TAGS} tags", f"{count} tags", f"{name}, byte {offset}")
        return None, 0
    tail = 8 if structure.big else 4
    length = count * entry + tail
    data = source.at(offset + head, length)
    if len(data) < length - tail:
        _cut(findings, name, "the directory", offset, offset + head + length, source.size)
        return None, 0
    page = Directory(name, offset)
    for index in range(count):
        _tag(structure, page, data[index * entry : (index + 1) * entry], offset + head + index * entry)
    rest = data[count * entry :]
    following = struct.unpack(f"{order}{'Q' if structure.big else 'I'}", rest)[0] if len(rest) == tail else 0
    return page, following


def _tag(structure: Structure, page: Directory, data: bytes, at: int) -> None:
    order = structure.order
    if structure.big:
        code, kind, count = struct.unpack(f"{order}HHQ", data[:12])
        room, value = 8, struct.unpack(f"{order}Q", data[12:])[0]
    else:
        code, kind, count = struct.unpack(f"{order}HHI", data[:8])
        room, value = 4, struct.unpack(f"{order}I", data[8:])[0]
    tag = Tag(kind, count, value)
    if tag.length <= room:
        tag = Tag(kind, count, at + len(data) - room)
    elif tag.offset + tag.length > structure.source.size:
        what = f"the values of tag {code}"
        _cut(structure.findings, page.name, what, tag.offset, tag.offset + tag.length, structure.source.size)
    page.tags.setdefault(code, tag)


def _cut(findings: Findings, where: str, what: str, first: int, stop: int, size: int) -> None:
    findings.bad("truncated", f"{what} at bytes {first} to {stop}", f"the file ends at byte {size}", where)


def _no_page(findings: Findings) -> RefusedFile:
    for item in findings.items:
        if not item.ok and item.check in ("truncated", "structure"):
            return RefusedFile(item.check, item.expected, item.found, item.where)
    return RefusedFile("parses", "at least one page", "none", "byte 4")


def main_pages(structure: Structure) -> list[Directory]:
    """Return the pages that are planes: those of the first full-resolution page's size and depth."""
    full = [page for page in structure.pages if not structure.number(page, SUBFILE_TYPE) & 1]
    if not full:
        return []
    shape = _shape(structure, full[0])
    return [page for page in full if _shape(structure, page) == shape]


def _shape(structure: Structure, page: Directory) -> tuple[int, ...]:
    return tuple(structure.number(page, code, 1) for code in (WIDTH, LENGTH, BITS, SAMPLES))


def every_directory(structure: Structure) -> Iterator[Directory]:
    """Return all directories: each page, then its lower resolutions."""
    for page in structure.pages:
        yield page
        yield from page.subs
