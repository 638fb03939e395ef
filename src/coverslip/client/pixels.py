"""Pixels on their way: what an image's pixels are, and rectangles of one plane, checked as they arrive.

Rules kept here:

* Pixels are those of the original: the file's own type and values, never scaled, converted or filled in.
* An answer is taken only if its form is the one asked for: shape, type, number of bytes and their
  SHA-256. Missing pixels are an error, never zeros.
* What is kept in memory has a limit in bytes.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from coverslip.client.errors import broken, fault
from coverslip.client.records import segment
from coverslip.client.transport import Transport
from coverslip.client.values import Json

AXES = "tczyx"
BLOCK_SIDE = 1024
"""Rectangles are asked for in blocks of at most so many pixels a side."""
_DTYPE = re.compile(r"u?int(8|16|32|64)|float(16|32|64)|complex(64|128)|bool")


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Lengths of one pixel in micrometres; ``None`` where they may not be told, and ``why`` not."""

    x: float | None = None
    y: float | None = None
    z: float | None = None
    why: str = ""

    @property
    def calibrated(self) -> bool:
        """Whether lengths in the plane can be measured."""
        return self.x is not None and self.y is not None


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel, from 0; what the file does not say is empty. Wavelengths in nanometres, exposure in ms."""

    index: int
    name: str = ""
    excitation_nm: str = ""
    emission_nm: str = ""
    exposure_ms: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Form of an image's pixels. ``shape`` is by ``axes``: t, c, z, y, x and, for colour, s (samples)."""

    axes: str
    shape: tuple[int, ...]
    dtype: str
    channels: tuple[Channel, ...]
    pixel_size: PixelSize
    levels: int = 1

    @property
    def item_bytes(self) -> int:
        """Bytes of one value."""
        bits = re.search(r"\d+", self.dtype)
        return int(bits.group()) // 8 if bits else 1

    @property
    def samples(self) -> tuple[int, ...]:
        """The last axis where each pixel has several values, else nothing."""
        return self.shape[5:]


def facts(number: str, value: Any, z_um: str = "") -> Facts:
    """Read the server's description of an image's pixels; ``z_um`` is the slice distance of its record.

    Raises ``FaultError`` where it is no description.
    """
    try:
        sizes, samples = value["shape"], value["samples"]
        axes = AXES + ("s" if samples > 1 else "")
        shape = tuple(sizes[axis] for axis in AXES) + ((samples,) if samples > 1 else ())
        found = Facts(
            axes,
            shape,
            str(value["dtype"]),
            tuple(_channel(place, one) for place, one in enumerate(value.get("channels") or ())),
            _pixel_size(value, z_um),
            len(value["levels"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_facts(number, f"{type(error).__name__}: {error}") from error
    if not all(type(size) is int and size > 0 for size in shape) or not _DTYPE.fullmatch(found.dtype):
        raise _no_facts(number, f"shape {shape} of {found.dtype}")
    return found


def _no_facts(number: str, found: str) -> Exception:
    what = f"The description of the pixels of {number}"
    return fault(what, "shape by axes, type and channels", found[:200])


def _channel(place: int, value: Mapping[str, Any]) -> Channel:
    told = {
        name: str(value.get(name) or "") for name in ("name", "excitation_nm", "emission_nm", "exposure_ms")
    }
    return Channel(int(value.get("index", place)), **told)


def _pixel_size(value: Mapping[str, Any], z_um: str) -> PixelSize:
    told = value.get("pixel_size_um")
    if told is None:
        return PixelSize(why=str(value["uncalibrated"]))
    return PixelSize(float(told["x"]), float(told["y"]), float(z_um) if z_um else None)


class Bounded:
    """Bytes by key, the latest used kept, together at most ``limit_bytes``; usable from many threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._held = limit_bytes, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How much is kept now."""
        return self._held

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return what is kept, else make it; two threads may make the same at once, one of them is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        data = make()
        with self._lock:
            if key not in self._kept and len(data) <= self._limit:
                self._kept[key] = data
                self._held += len(data)
            while self._held > self._limit:
                self._held -= len(self._kept.popitem(last=False)[1])
        return data


class Pixels:
    """Rectangles of one image's planes, from the server."""

    def __init__(self, transport: Transport, number: str, root: str, z_um: str = "") -> None:
        """Ask what the pixels are. Raises ``EvidenceError`` where their file is another than ``root``."""
        self._transport, self.number = transport, number
        value: Json = transport.json("GET", f"/images/{segment(number)}/pixels")
        self.facts = facts(number, value, z_um)
        if value.get("root", "") != root:
            raise broken(number, "root of the file", root or "none", str(value.get("root", "")) or "none")

    def region(self, t: int, c: int, z: int, x: int, y: int, w: int, h: int) -> bytes:
        """Return the values of a rectangle, row by row from the top, little-endian.

        ``x``, ``y`` is its upper left corner from 0, ``w``, ``h`` its size, all in pixels of full resolution.
        Raises ``EvidenceError`` when what comes is not of the form asked for.
        """
        form = (h, w, *self.facts.samples)
        size = self.facts.item_bytes
        for length in form:
            size *= length
        path = f"/images/{segment(self.number)}/planes/{c}/{z}/{t}/region"
        got = self._transport.octets(path, query={"x": x, "y": y, "w": w, "h": h}, most=size + 1)
        expected = (",".join(map(str, form)), self.facts.dtype, size, sha256(got.data).hexdigest())
        found = (
            got.headers.get("coverslip-shape", "").replace(" ", ""),
            got.headers.get("coverslip-dtype", ""),
            len(got.data),
            got.headers.get("coverslip-sha256", ""),
        )
        if found != expected:
            raise broken(
                self.number,
                f"pixels x={x} y={y} w={w} h={h} of plane t={t} c={c} z={z}",
                "shape {} of {}, {} bytes with SHA-256 {}".format(*expected),
                "shape {} of {}, {} bytes with SHA-256 {}".format(*(part or "none" for part in found)),
            )
        return got.data
