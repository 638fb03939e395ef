"""Strips and tiles: is every one there, whole, and does it decode to as many bytes as it must.

Rules kept here: a strip or tile without bytes, outside the file, or too short is a finding with page
and byte range, because decoders fill such gaps with zeros without a word. Uncompressed pixels need
no decoding; compressed ones are decoded one piece at a time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import imagecodecs

from coverslip.imaging.readers import tiffwalk as tw
from coverslip.imaging.readers.base import Findings, RefusedFile
from coverslip.imaging.readers.tiffwalk import Directory, Structure

COMPRESSIONS: Final = {
    1: "none", 2: "CCITT RLE", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 6: "JPEG (old)", 7: "JPEG",
    8: "Deflate", 32773: "PackBits", 32946: "Deflate", 33003: "JPEG 2000", 33004: "JPEG 2000",
    33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC", 34892: "JPEG (DNG)", 34925: "LZMA",
    34926: "Zstandard", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
LOSSLESS: Final = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 50000}
JPEG: Final = {6, 7, 34892}
ERRORS: Final = (ValueError, RuntimeError, TypeError, IndexError, KeyError, zlib.error, OSError)


@dataclass(frozen=True, slots=True)
class Grid:
    """How a page's pixels are cut: its size, and per piece offset, stored and decoded byte counts."""

    width: int
    length: int
    bits: int
    samples: int
    compression: int
    offsets: list[int]
    counts: list[int]
    sizes: list[int]

    @property
    def page_bytes(self) -> int:
        """Bytes of the whole decoded page without padding of tiles."""
        return self.length * -(-self.width * self.samples * self.bits // 8)


def grid(structure: Structure, page: Directory) -> Grid:
    """Return a page's grid as its tags tell it.

    Raises:
        RefusedFile: sizes of zero or beyond the limits.
    """
    number, limits = structure.number, structure.source.limits
    width, length = number(page, tw.WIDTH), number(page, tw.LENGTH)
    bits, samples = number(page, tw.BITS, 1), number(page, tw.SAMPLES, 1)
    if width < 1 or length < 1 or not 1 <= bits <= 128 or not 1 <= samples <= 4096:
        found = f"{width} x {length}, {samples} samples of {bits} bits"
        raise RefusedFile("dimensions", "at least one pixel of 1 to 128 bits", found, page.name)
    if width * length * samples > limits.max_plane_pixels:
        expected = f"at most {limits.max_plane_pixels} values in a plane"
        raise RefusedFile("dimensions", expected, f"{width} x {length} x {samples}", page.name)
    tiled = tw.TILE_OFFSETS in page.tags or tw.TILE_WIDTH in page.tags
    together = samples if number(page, tw.PLANAR, 1) == 1 else 1
    if tiled:
        across, down = number(page, tw.TILE_WIDTH), number(page, tw.TILE_LENGTH)
        if not (0 < across <= 1 << 20 and 0 < down <= 1 << 20):
            raise RefusedFile("dimensions", "tiles of at least one pixel", f"{across} x {down}", page.name)
        per_plane = -(-width // across) * -(-length // down)
        sizes = [down * _row(across, together, bits)] * _checked(per_plane * (samples // together), page)
        offsets, counts = structure.numbers(page, tw.TILE_OFFSETS), structure.numbers(page, tw.TILE_COUNTS)
    else:
        rows = min(number(page, tw.ROWS_PER_STRIP, length) or length, length)
        per_plane = _checked(-(-length // rows), page)
        row = _row(width, together, bits)
        one = [min(rows, length - index * rows) * row for index in range(per_plane)]
        sizes = one * _checked(samples // together, page)
        offsets, counts = structure.numbers(page, tw.STRIP_OFFSETS), structure.numbers(page, tw.STRIP_COUNTS)
    if not counts and len(offsets) == 1:
        counts = [min(sizes[0], max(0, structure.source.size - offsets[0]))]
    compression = number(page, tw.COMPRESSION, 1)
    return Grid(width, length, bits, samples, compression, offsets, counts, sizes)


def _row(width: int, samples: int, bits: int) -> int:
    return -(-width * samples * bits // 8)


def _checked(pieces: int, page: Directory) -> int:
    if pieces > tw.MAX_VALUES:
        raise RefusedFile("dimensions", f"at most {tw.MAX_VALUES} strips or tiles", str(pieces), page.name)
    return pieces


def present(findings: Findings, page: Directory, cut: Grid, size: int) -> bool:
    """Whether every strip or tile of a page lies in a file of ``size`` bytes; findings say which not."""
    wanted = len(cut.sizes)
    if len(cut.offsets) != wanted or len(cut.counts) != wanted:
        found = f"{len(cut.offsets)} offsets and {len(cut.counts)} lengths that can be read"
        findings.bad("truncated", f"{wanted} strips or tiles", found, page.name)
        return False
    for index, (offset, count, needed) in enumerate(zip(cut.offsets, cut.counts, cut.sizes, strict=True)):
        where = f"{page.name} piece {index}"
        least = needed if cut.compression == 1 else 1
        if offset + count > size:
            expected = f"bytes {offset} to {offset + count} of {wanted} strips or tiles"
            findings.bad("truncated", expected, f"the file ends at byte {size}", where)
            return False
        if count < least or offset < 8:
            expected = f"at least {least} bytes"
            findings.bad("segments", expected, f"{count} bytes at offset {offset}", where)
            return False
    return True


def contiguous(findings: Findings, cut: Grid, planes: int, size: int) -> int:
    """Return how many of ``planes`` stored one after the other behind a single directory are whole."""
    first, each = cut.offsets[0] if cut.offsets else 0, cut.page_bytes
    whole = max(0, min(planes, (size - first) // each))
    if whole < planes:
        start = first + whole * each
        expected = f"bytes {start} to {start + each}"
        findings.bad("truncated", expected, f"the file ends at byte {size}", f"plane {whole}")
    return whole


def decodes(structure: Structure, page: Directory, cut: Grid, tiff_page: Any) -> bool:
    """Decode a compressed page piece by piece; a finding names the first that fails."""
    if cut.compression == 1:
        return True
    if cut.compression not in COMPRESSIONS:
        structure.findings.bad("decodes", "a known compression", f"number {cut.compression}", page.name)
        return False
    plain = structure.number(page, tw.FILL_ORDER, 1) == 1
    for index, (offset, count, needed) in enumerate(zip(cut.offsets, cut.counts, cut.sizes, strict=True)):
        where = f"{page.name} piece {index}, bytes {offset} to {offset + count}"
        if needed > structure.source.limits.max_segment_bytes:
            expected = f"pieces of at most {structure.source.limits.max_segment_bytes} bytes"
            raise RefusedFile("limits", expected, f"{needed} bytes", where)
        try:
            problem = _piece(
                cut.compression, structure.source.at(offset, count), needed, index, tiff_page, plain
            )
        except ERRORS as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            structure.findings.bad("decodes", f"{needed} bytes of pixels", problem, where)
            return False
    return True


def _piece(compression: int, data: bytes, needed: int, index: int, tiff_page: Any, plain: bool) -> str:
    """Return what is wrong with one piece, or nothing."""
    if compression in LOSSLESS and compression > 4 and plain:
        length = len(_unpack(compression, data, needed))
        return "" if length >= needed else f"{length} bytes"
    if compression in JPEG and not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return "a JPEG stream without its end"
    decoded = tiff_page.decode(data, index, jpegtables=tiff_page.jpegtables)[0]
    return "" if decoded is not None else "nothing"


def _unpack(compression: int, data: bytes, needed: int) -> bytes:
    if compression in (8, 32946):
        return zlib.decompressobj().decompress(data, needed)
    if compression == 5:
        return bytes(imagecodecs.lzw_decode(data))
    if compression == 32773:
        return bytes(imagecodecs.packbits_decode(data))
    if compression == 34925:
        return bytes(imagecodecs.lzma_decode(data))
    return bytes(imagecodecs.zstd_decode(data))
