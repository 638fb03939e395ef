"""What all readers share: the refusal they raise, findings, exact decimals and file access."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, Final

from coverslip.imaging.metadata import Finding, Limits

MAX_PIXEL_UM: Final = Decimal(50)
_MAX_FINDINGS: Final = 100


class RefusedFile(Exception):
    """The file cannot be read at all. Carries what the parent turns into a Refusal."""

    def __init__(self, check: str, expected: str, found: str, where: str = "") -> None:
        super().__init__(f"{check}: expected {expected}, found {found} {where}")
        self.values = {"check": check, "expected": expected, "found": found[:2000], "where": where}


@dataclass
class Source:
    """An open file, its length and the limits to keep."""

    stream: BinaryIO
    size: int
    limits: Limits

    @classmethod
    def of(cls, stream: BinaryIO, limits: Limits) -> Source:
        """Wrap an open file."""
        return cls(stream, os.fstat(stream.fileno()).st_size, limits)

    def at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``; fewer at the end of the file."""
        if offset < 0 or offset >= self.size or length <= 0:
            return b""
        return os.pread(self.stream.fileno(), min(length, self.size - offset), offset)


class MemorySource(Source):
    """Bytes already in memory, read like a file."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        super().__init__(io.BytesIO(data), len(data), limits)
        self._data = data

    def at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length] if offset >= 0 and length > 0 else b""


class Findings:
    """Collects findings, the first hundred that are not ok and all that are."""

    def __init__(self) -> None:
        self.items: list[Finding] = []
        self._bad = 0

    def bad(self, check: str, expected: str, found: str, where: str = "") -> None:
        """Add a finding that is not ok."""
        self._bad += 1
        if self._bad <= _MAX_FINDINGS:
            self.items.append(Finding(check, False, expected[:1000], found[:1000], where[:400]))

    def good(self, check: str, expected: str, found: str) -> None:
        """Add a finding that is ok."""
        self.items.append(Finding(check, True, expected[:1000], found[:1000]))

    def has(self, *checks: str) -> bool:
        """Whether one of these checks is not ok."""
        return any(not item.ok and item.check in checks for item in self.items)

    def settle(self, check: str, expected: str, found: str) -> None:
        """Add an ok finding for a check that found nothing wrong."""
        if not self.has(check):
            self.good(check, expected, found)


def number(text: Any) -> Decimal | None:
    """Return a finite decimal from text, or None."""
    try:
        value = Decimal(str(text).strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value.adjusted()) < 30 else None


def plain(value: Decimal) -> str:
    """Return a decimal as plain text without exponent, at most 12 digits, no trailing zeros."""
    rounded = format(+value.normalize(), ".12g")
    text = format(Decimal(rounded), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def clean(text: Any, length: int = 400) -> str:
    """Return text without control characters and surrounding space, cut to ``length``."""
    return "".join(sign if sign.isprintable() else " " for sign in str(text)).strip()[:length]


def calibrate(
    answer: dict[str, Any], findings: Findings, sizes: tuple[Decimal | None, Decimal | None], source: str
) -> None:
    """Put a pixel size in micrometres into the answer, or why it is refused."""
    x, y = sizes
    if x is None or y is None:
        answer["uncalibrated"] = f"{source} gives no usable number for the pixel size"
    elif not (0 < x <= MAX_PIXEL_UM and 0 < y <= MAX_PIXEL_UM):
        answer["uncalibrated"] = (
            f"{source} gives {plain(x)} x {plain(y)} um; only sizes above 0 and up to 50 um are taken"
        )
    else:
        answer["pixel_size_um"] = [plain(x), plain(y)]
        answer["pixel_size_source"] = source
    expected = "a pixel size above 0 and up to 50 um from OME or vendor metadata"
    if "uncalibrated" in answer:
        findings.bad("calibration", expected, answer["uncalibrated"])
    else:
        findings.good("calibration", expected, f"{plain(x or Decimal())} um from {source}")


def uncalibrated(answer: dict[str, Any], findings: Findings, reason: str) -> None:
    """Record that the file has no calibration, and why."""
    answer["uncalibrated"] = reason
    findings.bad("calibration", "a pixel size above 0 and up to 50 um from OME or vendor metadata", reason)
