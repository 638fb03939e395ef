"""JPEG: recognised as a lossy source, marked, its size and Exif read, its end required."""

from __future__ import annotations

import struct
from typing import Any, Final

import imagecodecs

from coverslip.imaging.readers import tiffwalk, vendor
from coverslip.imaging.readers.base import Findings, MemorySource, RefusedFile, Source, uncalibrated
from coverslip.imaging.readers.segments import ERRORS

_FRAMES: Final = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS_FRAMES: Final = {0xC3, 0xC7, 0xCB, 0xCF}
_MAX_MARKERS: Final = 10_000


def inspect(source: Source, findings: Findings, name: str) -> dict[str, Any]:
    """Return the answer for a JPEG file. Raises RefusedFile where no frame can be found."""
    frame, depth, length, width, samples, exif = _markers(source)
    answer: dict[str, Any] = {"flavour": "", "channels": [], "other": {}, "orientation": 0}
    lossy = frame not in _LOSSLESS_FRAMES
    if lossy:
        findings.bad("lossy", "a lossless compression", "JPEG")
    if exif:
        _exif(exif, source, answer, findings)
    if not source.at(max(0, source.size - 4096), 4096).rstrip(b"\x00").endswith(b"\xff\xd9"):
        expected = "the end marker after the last scan"
        findings.bad("truncated", expected, f"the file ends at byte {source.size} without it")
    decoded = False
    try:
        decoded = tuple(decode(source).shape[:2]) == (length, width)
    except ERRORS as error:
        findings.bad("decodes", f"{width} x {length} pixels", f"{type(error).__name__}: {error}")
    whole = int(decoded and not findings.has("truncated", "decodes"))
    findings.settle("truncated", "the end marker after the last scan", "it is there")
    findings.settle("decodes", "every pixel", "all of them")
    if whole:
        findings.good("planes", "1 plane", "1 plane")
    else:
        findings.bad("planes", "1 plane", "none that is whole")
    uncalibrated(answer, findings, "JPEG carries no pixel size; its density is no calibration")
    return answer | {
        "format": "JPEG", "axes_source": "declared", "dtype": "uint8" if depth <= 8 else "uint16",
        "dims": {"x": width, "y": length, "z": 1, "c": 1, "t": 1, "planes": 1, "levels": 1},
        "bit_depth": depth, "samples": samples, "compression": "JPEG", "lossy": lossy,
        "planes_declared": 1, "planes_present": whole,
    }  # fmt: skip


def decode(source: Source) -> Any:
    """Return the decoded pixels. Raises one of ``segments.ERRORS`` where they cannot be decoded."""
    return imagecodecs.jpeg8_decode(source.at(0, source.size))


def _markers(source: Source) -> tuple[int, int, int, int, int, bytes]:
    offset, exif = 2, b""
    for _ in range(_MAX_MARKERS):
        head = source.at(offset, 4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        if head[1] == 0xFF:
            offset += 1
            continue
        length = struct.unpack(">H", head[2:4])[0]
        if head[1] == 0xE1 and not exif:
            body = source.at(offset + 4, length - 2)
            exif = body[6:] if body.startswith(b"Exif\x00\x00") else b""
        if head[1] in _FRAMES:
            return head[1], *_frame(source, offset), exif
        offset += 2 + length
    raise RefusedFile("parses", "a JPEG frame header", "none", f"byte {offset}")


def _frame(source: Source, offset: int) -> tuple[int, int, int, int]:
    body = source.at(offset + 4, 6)
    if len(body) < 6:
        raise RefusedFile("truncated", "a JPEG frame header", f"the file ends at byte {source.size}")
    depth, length, width, samples = struct.unpack(">BHHB", body)
    if not (width and length and samples and width * length * samples <= source.limits.max_plane_bytes):
        raise RefusedFile("dimensions", "at least one pixel, within the limits", f"{width} x {length}")
    return depth, length, width, samples


def _exif(data: bytes, source: Source, answer: dict[str, Any], findings: Findings) -> None:
    """Read the Exif block, which is a small TIFF file of its own."""
    try:
        structure = tiffwalk.walk(MemorySource(data, source.limits), Findings())
    except RefusedFile as error:
        findings.bad("vendor", "a readable Exif block", str(error))
        return
    page = structure.pages[0]
    vendor.exif(structure, page, answer)
    answer["orientation"] = structure.number(page, tiffwalk.ORIENTATION)
    if answer["orientation"] not in (0, 1):
        found = f"orientation {answer['orientation']}: recorded, not applied"
        findings.bad("orientation", "upright pixels", found, "Exif")
