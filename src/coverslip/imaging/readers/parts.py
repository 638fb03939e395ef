"""Parts of a plane at any level, and what is counted of its values.

Rules kept here:

* Display level ``n`` is the plane at half size n times over. It is read from the stored level next above, and
  where that is larger it is reduced by block means: display data, on which nothing is measured.
* A large reduction is made once, block by block, and kept as an overview; memory stays flat at any size.
* Statistics count every pixel up to ``COUNTED`` values; beyond that a lower level, and where even that would
  read too much, blocks spread over the plane. The answer says which.
* A plane of more than ``REDUCED`` values without a stored level is not shown from far: it is refused in words
  before anything is read, and shown from near.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from coverslip.imaging import rendering
from coverslip.imaging.readers.base import RefusedFile
from coverslip.imaging.readers.opened import Cache, Level, Opened

Array = npt.NDArray[Any]
BLOCK: Final = 2048
OVERVIEW: Final = 2048
COUNTED: Final = 1 << 26
REDUCED: Final = 1 << 31
BINS: Final = 256
_SMALL: Final = 2
"""Reductions up to 2**2 are made from the stored level each time; larger ones come from an overview."""
_SPREAD: Final = 8
_SPREAD_SIDE: Final = 512
LOW_PER_MILLE, HIGH_PER_MILLE = 1, 999


def size_at(full: int, level: int) -> int:
    """Return a length at a display level."""
    return -(-full // (1 << level))


def part(
    opened: Opened, cache: Cache, plane: tuple[int, int, int], level: int, box: tuple[int, int, int, int]
) -> Array:
    """Return native or reduced values of ``box`` = (x, y, width, height) at a display level.

    The box is inside the level. Raises RefusedFile.
    """
    stored = opened.levels(*plane)
    source = max((one for one in stored if one.power <= level), key=lambda one: one.power)
    rest = level - source.power
    x, y, width, height = box
    if rest == 0:
        return _inside(source, x, y, width, height)
    if rest > _SMALL:
        _within(source)
        power = _overview_power(source)
        if _SMALL < power <= rest or source.width * source.height <= OVERVIEW * OVERVIEW:
            power = min(power, rest)
            whole = _overview(opened, cache, plane, source, power)
            return _cut(whole, box, 1 << (rest - power))
    return _reduced(source, box, 1 << rest)


def _within(source: Level) -> None:
    """Refuse to read a plane too large to be read for one picture. Raises RefusedFile: ``limits``."""
    values = source.width * source.height * source.samples
    if values > REDUCED:
        expected = f"at most {REDUCED} values where the file stores no lower resolution; look from nearer"
        raise RefusedFile("limits", expected, f"{values} values")


def _overview_power(source: Level) -> int:
    power = 0
    while max(source.width, source.height) >> power > OVERVIEW:
        power += 1
    return power


def _overview(opened: Opened, cache: Cache, plane: tuple[int, int, int], source: Level, power: int) -> Array:
    box = (0, 0, size_at(source.width, power), size_at(source.height, power))
    key = (opened.key, "overview", plane, source.power, power)
    return cache.get(key, lambda: _reduced(source, box, 1 << power))


def _cut(whole: Array, box: tuple[int, int, int, int], factor: int) -> Array:
    x, y, width, height = box
    piece = whole[y * factor : (y + height) * factor, x * factor : (x + width) * factor]
    return _padded(rendering.reduce(piece, factor), width, height)


def _inside(source: Level, x: int, y: int, width: int, height: int) -> Array:
    """Read a box that may reach a pixel beyond a stored level, whose maker rounded its size down."""
    across, down = min(width, source.width - x), min(height, source.height - y)
    if across < 1 or down < 1:
        raise RefusedFile("planes", "a part inside the level", f"{x}, {y}")
    return _padded(source.read(x, y, across, down), width, height)


def _padded(pixels: Array, width: int, height: int) -> Array:
    if pixels.shape[0] >= height and pixels.shape[1] >= width:
        return pixels[:height, :width]
    room = [(0, max(0, height - pixels.shape[0])), (0, max(0, width - pixels.shape[1]))]
    return np.pad(pixels, room + [(0, 0)] * (pixels.ndim - 2), mode="edge")


def _reduced(source: Level, box: tuple[int, int, int, int], factor: int) -> Array:
    """Return block means over ``box`` of the reduced level, holding one block of the source at a time."""
    x, y, width, height = box
    step = max(1, BLOCK // factor)
    rows = []
    for top in range(y, y + height, step):
        down = min(step, y + height - top)
        row = [
            _block(source, left, top, min(step, x + width - left), down, factor)
            for left in range(x, x + width, step)
        ]
        rows.append(np.concatenate(row, axis=1) if len(row) > 1 else row[0])
    return np.concatenate(rows, axis=0) if len(rows) > 1 else rows[0]


def _block(source: Level, x: int, y: int, width: int, height: int, factor: int) -> Array:
    across = min(width * factor, source.width - x * factor)
    down = min(height * factor, source.height - y * factor)
    if across < 1 or down < 1:
        raise RefusedFile("planes", "a part inside the level", f"{x}, {y}")
    pixels = source.read(x * factor, y * factor, across, down)
    return _padded(rendering.reduce(pixels, factor), width, height)


def statistics(opened: Opened, cache: Cache, plane: tuple[int, int, int]) -> dict[str, Any]:
    """Return least and greatest value, counts in bins, the default window, and over what they were counted.

    ``counted_at`` is the level counted: 0 means every pixel of the original. Raises RefusedFile.
    """
    stored = opened.levels(*plane)
    top = stored[0]
    level = 0
    while (top.width >> level) * (top.height >> level) * top.samples > COUNTED:
        level += 1
    source = max((one for one in stored if one.power <= level), key=lambda one: one.power)
    spread = source.width * source.height * source.samples > 4 * COUNTED
    level = source.power if spread else level
    width, height = size_at(top.width, level), size_at(top.height, level)
    blocks = _spread(source) if spread else _all(width, height)
    pieces = (part(opened, cache, plane, level, box) for box in blocks)
    if top.dtype.kind in "iub" and top.dtype.itemsize <= 2:
        found = _exact(pieces, top.dtype)
    else:
        values = [_sample(piece) for piece in pieces]
        found = _sampled(np.concatenate(values))
    counted = sum(across * down for _, _, across, down in blocks)
    return found | {"counted_at": level, "pixels": counted, "every_pixel": not spread and level == 0}


def _all(width: int, height: int) -> list[tuple[int, int, int, int]]:
    return [
        (x, y, min(BLOCK, width - x), min(BLOCK, height - y))
        for y in range(0, height, BLOCK)
        for x in range(0, width, BLOCK)
    ]


def _spread(source: Level) -> list[tuple[int, int, int, int]]:
    """Return blocks spread evenly over a level, eight in each direction."""
    side = min(_SPREAD_SIDE, source.width, source.height)
    return [
        ((source.width - side) * x // (_SPREAD - 1), (source.height - side) * y // (_SPREAD - 1), side, side)
        for y in range(_SPREAD)
        for x in range(_SPREAD)
    ]


def _exact(pieces: Any, kind: np.dtype[Any]) -> dict[str, Any]:
    """Count every value of a type of at most 16 bits."""
    low = 0 if kind.kind == "b" else int(np.iinfo(kind).min)
    counts = np.zeros(65536 if kind.itemsize == 2 else 256, np.int64)
    for piece in pieces:
        counts += np.bincount((piece.astype(np.int32) - low).ravel(), minlength=counts.size)
    held = np.flatnonzero(counts)
    first, last = int(held[0]), int(held[-1])
    summed = np.cumsum(counts)
    total = int(summed[-1])
    ends = [
        int(np.searchsorted(summed, -(-total * mille // 1000) or 1))
        for mille in (LOW_PER_MILLE, HIGH_PER_MILLE)
    ]
    width = max(1, -(-(last - first + 1) // BINS))
    starts = np.arange(first, last + 1, width)
    bins = np.add.reduceat(counts, starts)
    bins[-1] = counts[starts[-1] : last + 1].sum()
    window = (ends[0] + low, max(ends[1], ends[0] + 1) + low)
    return {
        "min": str(first + low), "max": str(last + low), "counts": [int(n) for n in bins],
        "bin_width": str(width), "low": str(window[0]), "high": str(window[1]),
        "saturated": int(counts[-1]) if kind.kind == "u" else 0,
    }  # fmt: skip


def _sample(piece: Array) -> Array:
    real = piece.real if np.iscomplexobj(piece) else piece
    return np.asarray(real[np.isfinite(real)], np.float64).ravel()


def _sampled(values: Array) -> dict[str, Any]:
    """Count floating values, or integers of more than 16 bits, as double precision."""
    if values.size == 0:
        return {
            "min": "0",
            "max": "0",
            "counts": [],
            "bin_width": "1",
            "low": "0",
            "high": "1",
            "saturated": 0,
        }
    first, last = float(values.min()), float(values.max())
    counts, _ = np.histogram(values, BINS, (first, last if last > first else first + 1))
    low, high = (float(np.quantile(values, mille / 1000)) for mille in (LOW_PER_MILLE, HIGH_PER_MILLE))
    high = high if high > low else low + 1
    width = (last - first) / BINS or 1 / BINS
    return {
        "min": _text(first), "max": _text(last), "counts": [int(n) for n in counts],
        "bin_width": _text(width), "low": _text(low), "high": _text(high), "saturated": 0,
    }  # fmt: skip


def _text(value: float) -> str:
    return str(np.format_float_positional(value, precision=9, unique=True, trim="-"))
