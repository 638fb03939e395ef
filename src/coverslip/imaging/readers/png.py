"""PNG: every chunk's checksum, the whole of the compressed data, and what the header says.

Rules kept here: the data is inflated a piece at a time and counted, so that neither a bomb nor a
short stream passes; a missing end, a wrong order of chunks and bytes after the end are findings.
A resolution chunk is no calibration.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from coverslip.imaging.readers.base import Findings, RefusedFile, Source, clean, uncalibrated

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS: Final = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_PIECE: Final = 1 << 20
_MAX_CHUNKS: Final = 5_000_000


class _Inflater:
    """Counts what the image data inflates to, up to one byte more than wanted."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.problem = ""
        self._engine = zlib.decompressobj()

    def feed(self, data: bytes) -> None:
        while data and not self.problem and self.count <= self.wanted and not self._engine.eof:
            try:
                self.count += len(self._engine.decompress(data, _PIECE))
            except zlib.error as error:
                self.problem = str(error)
            data = self._engine.unconsumed_tail

    def verdict(self) -> str:
        """Return what is wrong, or nothing."""
        if self.problem:
            return self.problem
        if self.count != self.wanted or not self._engine.eof:
            return f"{self.count} bytes" + ("" if self._engine.eof else ", the stream has no end")
        return ""


def inspect(source: Source, findings: Findings, name: str) -> dict[str, Any]:
    """Return the answer for a PNG file. Raises RefusedFile where the header cannot be read."""
    width, length, depth, colour, interlace = _header(source)
    samples = _SAMPLES[colour]
    inflater = _Inflater(_raw_size(width, length, depth * samples, interlace))
    other = _chunks(source, findings, inflater)
    problem = inflater.verdict()
    if problem:
        findings.bad("decodes", f"{inflater.wanted} bytes of pixels", problem, "IDAT")
    for check, expected in (("checksum", "every chunk's CRC"), ("truncated", "all chunks up to IEND"),
                            ("structure", "chunks in order"), ("decodes", "every pixel")):  # fmt: skip
        findings.settle(check, expected, "as expected")
    whole = 0 if findings.has("decodes", "truncated", "checksum") else 1
    if whole:
        findings.good("planes", "1 plane", "1 plane")
    else:
        findings.bad("planes", "1 plane", "none that is whole")
    findings.good("lossy", "a lossless compression", "Deflate")
    answer: dict[str, Any] = {
        "format": "PNG", "flavour": "", "channels": [], "other": other, "axes_source": "declared",
        "dims": {"x": width, "y": length, "z": 1, "c": 1, "t": 1, "planes": 1, "levels": 1},
        "dtype": "bool" if depth == 1 else "uint16" if depth == 16 else "uint8", "bit_depth": depth,
        "samples": samples, "compression": "Deflate", "lossy": False, "orientation": 0,
        "planes_declared": 1, "planes_present": whole,
    }  # fmt: skip
    if colour == 3:
        answer["other"]["palette"] = "indexed colours"
    uncalibrated(answer, findings, "PNG carries no pixel size; its resolution chunk is no calibration")
    return answer


def _header(source: Source) -> tuple[int, int, int, int, int]:
    head = source.at(0, 33)
    if len(head) < 33 or head[12:16] != b"IHDR" or head[8:12] != b"\x00\x00\x00\x0d":
        raise RefusedFile("parses", "a PNG header", f"{len(head)} bytes without one", "byte 8")
    if zlib.crc32(head[12:29]) != int.from_bytes(head[29:33], "big"):
        raise RefusedFile("checksum", "the header's CRC", "another", "IHDR")
    width, length, depth, colour, method, filtering, interlace = struct.unpack(">IIBBBBB", head[16:29])
    if depth not in _DEPTHS.get(colour, set()) or method or filtering or interlace > 1:
        raise RefusedFile("parses", "a PNG header", f"colour {colour} with {depth} bits", "IHDR")
    limit = source.limits.max_plane_pixels
    if not (0 < width < 1 << 31 and 0 < length < 1 << 31 and width * length * _SAMPLES[colour] <= limit):
        raise RefusedFile("dimensions", f"1 to {limit} values", f"{width} x {length}", "IHDR")
    return width, length, depth, colour, interlace


def _raw_size(width: int, length: int, bits: int, interlace: int) -> int:
    if not interlace:
        return length * (1 + -(-width * bits // 8))
    total = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(length - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _chunks(source: Source, findings: Findings, inflater: _Inflater) -> dict[str, str]:
    offset = 33
    other: dict[str, str] = {}
    after_data = False
    for _ in range(_MAX_CHUNKS):
        head = source.at(offset, 8)
        if len(head) < 8:
            findings.bad("truncated", f"a chunk at byte {offset}", f"the file ends at byte {source.size}")
            return other
        length, kind = struct.unpack(">I4s", head)
        stop = offset + 12 + length
        where = f"{clean(kind.decode('latin-1'))} at byte {offset}"
        if length >= 1 << 31 or stop > source.size:
            findings.bad(
                "truncated", f"bytes {offset} to {stop}", f"the file ends at byte {source.size}", where
            )
            _pass_through(source, offset, min(stop, source.size) - offset - 8, kind, inflater)
            return other
        crc = _pass_through(source, offset, length, kind, inflater)
        if crc != int.from_bytes(source.at(stop - 4, 4), "big"):
            findings.bad("checksum", "the chunk's CRC", "another", where)
        if kind == b"IDAT" and after_data:
            findings.bad("structure", "image data in one run", "a second run", where)
        after_data = after_data or (inflater.count > 0 and kind != b"IDAT")
        if kind == b"tEXt" and length < 2000 and len(other) < 50:
            key, _, text = source.at(offset + 8, length).partition(b"\x00")
            other[clean(key.decode("latin-1"), 79)] = clean(text.decode("latin-1"))
        if kind == b"IEND":
            if stop != source.size:
                findings.bad(
                    "structure", f"the file's end at byte {stop}", f"{source.size - stop} bytes more"
                )
            return other
        offset = stop
    raise RefusedFile("limits", f"at most {_MAX_CHUNKS} chunks", "more")


def _pass_through(source: Source, offset: int, length: int, kind: bytes, inflater: _Inflater) -> int:
    """Feed a chunk to the inflater and return its checksum."""
    crc = zlib.crc32(kind)
    position, stop = offset + 8, offset + 8 + max(0, length)
    while position < stop:
        piece = source.at(position, min(_PIECE, stop - position))
        crc = zlib.crc32(piece, crc)
        if kind == b"IDAT":
            inflater.feed(piece)
        position += len(piece)
    return crc
