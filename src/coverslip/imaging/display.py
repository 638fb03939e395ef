"""How an image is shown: which channels, in which colour, between which values, of which plane.

Rules kept here:

* Display settings are part of the address of a tile and never of the pixels. The same original with the
  same settings gives the same bytes: the tag of a rendering is computed from both and from ``RENDERER``.
* A window is two native values, ``lo`` shown black and ``hi`` shown at full colour. Nothing is stretched
  that the address does not say.
* What comes from an address is a stranger's text: it is read strictly, or refused with ``VAL_FORM``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from coverslip.errors import Invalid

RENDERER: Final = "1"
"""Goes up with every change that gives other bytes for the same settings."""
TILE: Final = 256
MAX_CHANNELS: Final = 16
MAX_INDEX: Final = 1_000_000
MEDIA: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_VALUE: Final = re.compile(r"-?\d{1,20}(\.\d{1,12})?")
_CHANNEL: Final = re.compile(r"(\d{1,4}):([0-9a-f]{6}):([^:]{1,40}):([^:]{1,40})")


@dataclass(frozen=True, slots=True)
class Shown:
    """One visible channel: its index from 0, colour as six hex digits, and its window in native values."""

    channel: int
    colour: str
    low: str
    high: str

    def text(self) -> str:
        """Return the channel as it stands in an address."""
        return f"{self.channel}:{self.colour}:{self.low}:{self.high}"


@dataclass(frozen=True, slots=True)
class Display:
    """What is shown of an image. ``channels`` is empty for colour images shown as they are."""

    z: int = 0
    t: int = 0
    channels: tuple[Shown, ...] = ()
    format: str = "jpg"
    quality: int = 85

    def text(self) -> str:
        """Return the settings in their one canonical form."""
        quality = self.quality if self.format != "png" else 0
        shown = ",".join(one.text() for one in self.channels)
        return f"{self.format}.{quality};z={self.z};t={self.t};ch={shown}"

    def tag(self, root: str, *more: int | str) -> str:
        """Return the tag (hex) of what these settings make of the original ``root``; ``more`` says where."""
        words = "\n".join([RENDERER, root, self.text(), *(str(one) for one in more)])
        return hashlib.sha256(words.encode()).hexdigest()[:40]

    def request(self) -> dict[str, Any]:
        """Return the settings as a reader process takes them."""
        channels = [
            {"c": one.channel, "colour": one.colour, "low": one.low, "high": one.high}
            for one in self.channels
        ]
        return {
            "z": self.z, "t": self.t, "channels": channels, "format": self.format, "quality": self.quality,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendering: its bytes, media type, and the tag that names original and settings."""

    data: bytes
    media: str
    tag: str


@dataclass(frozen=True, slots=True)
class Region:
    """Native values, little-endian in C order: ``shape`` (y, x[, samples]), numpy's name of the type."""

    data: bytes
    shape: tuple[int, ...]
    dtype: str
    tag: str


def channels_of(text: str) -> tuple[Shown, ...]:
    """Read visible channels: ``0:00ff00:210:9800,1:ff0000:150:6100``; empty text shows colour as it is.

    Raises:
        Invalid: VAL_FORM for anything else, a channel named twice, or a window without extent.
    """
    if not text:
        return ()
    parts = text[:2000].split(",")
    if len(parts) > MAX_CHANNELS or len(text) > 2000:
        raise _wrong("channels", f"at most {MAX_CHANNELS}", str(len(parts)))
    found = tuple(_channel(part) for part in parts)
    if len({one.channel for one in found}) < len(found):
        raise _wrong("channels", "each channel once", text[:80])
    return found


def _channel(text: str) -> Shown:
    match = _CHANNEL.fullmatch(text)
    if match is None:
        raise _wrong("channel", "index:rrggbb:low:high", text[:60])
    index, colour, low, high = match.groups()
    return Shown(int(index), colour, *window(low, high))


def window(low: str, high: str) -> tuple[str, str]:
    """Return both ends of a window in canonical text. Raises VAL_FORM unless low is below high."""
    for text in (low, high):
        if not _VALUE.fullmatch(text):
            raise _wrong("window", "two numbers in native values", text[:40])
    if Decimal(low) >= Decimal(high):
        raise _wrong("window", "a low value below the high one", f"{low} to {high}"[:80])
    return plain(Decimal(low)), plain(Decimal(high))


def plain(value: Decimal) -> str:
    """Return a number as plain text, with neither exponent nor trailing zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def display(channels: str, z: int, t: int, format: str, quality: int = 85) -> Display:
    """Return the settings of an address. Raises VAL_FORM, VAL_RANGE."""
    if format not in MEDIA:
        raise _wrong("format", " or ".join(sorted(MEDIA)), format[:20])
    for name, value, limits in (("z", z, MAX_INDEX), ("t", t, MAX_INDEX)):
        if not 0 <= value <= limits:
            raise Invalid("VAL_RANGE", field=name, value=value, limits=f"0 to {limits}")
    if not 30 <= quality <= 100:
        raise Invalid("VAL_RANGE", field="quality", value=quality, limits="30 to 100")
    return Display(z, t, channels_of(channels), format, quality)


def _wrong(field: str, expected: str, found: str) -> Invalid:
    return Invalid("VAL_FORM", field=field, expected=expected, found=found)
