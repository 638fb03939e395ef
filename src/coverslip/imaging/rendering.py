"""From native values to the bytes of a picture on a screen.

Rules kept here:

* One rounding rule: a value ``v`` in a window ``low`` to ``high`` is shown at level
  ``floor((v - low) * 255 / (high - low) + 1/2)``, kept within 0 to 255. A channel gives level times colour
  over 255, rounded the same way; channels are added and cut at 255.
* Integers are computed exactly; floating values in double precision. What is not a number is shown black.
* Reduction is the mean of a block, rounded half up for integers, over the pixels that are there. It is for
  showing only and nothing is ever measured on it.
* Pure: arrays in, arrays or bytes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_TABLES: Final = ("uint8", "int8", "uint16", "int16", "bool")


@lru_cache(maxsize=64)
def table(kind: str, low: str, high: str) -> Array:
    """Return the level (uint8) of every value of a type of at most 16 bits, from its lowest value."""
    first, last = (0, 1) if kind == "bool" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    scale = 10 ** max(0, *(-int(Decimal(text).as_tuple().exponent) for text in (low, high)))
    bottom, top = int(Decimal(low) * scale), int(Decimal(high) * scale)
    if max(abs(bottom), abs(top), 65536 * scale) * 510 < 1 << 62:
        values = np.arange(first, last + 1, dtype=np.int64) * scale
        found = ((values - bottom) * 510 + (top - bottom)) // (2 * (top - bottom))
        return np.asarray(np.clip(found, 0, 255), np.uint8)
    levels = [
        ((v * scale - bottom) * 510 + (top - bottom)) // (2 * (top - bottom)) for v in range(first, last + 1)
    ]
    return np.array([min(255, max(0, level)) for level in levels], np.uint8)


def levels(pixels: Array, low: str, high: str) -> Array:
    """Return the level (uint8) of every value, in the shape of ``pixels``."""
    kind = pixels.dtype.name
    if kind in _TABLES:
        known = table(kind, low, high)
        if kind == "bool":
            return np.take(known, pixels.astype(np.uint8))
        if kind.startswith("int"):
            return np.take(known, pixels.astype(np.int32) - int(np.iinfo(kind).min))
        return np.take(known, pixels, mode="clip")  # every value is in the table: only faster
    bottom, top = float(low), float(high)
    real = pixels.real if np.iscomplexobj(pixels) else pixels
    with np.errstate(all="ignore"):
        scaled = np.floor((real.astype(np.float64) - bottom) * 255 / (top - bottom) + 0.5)
    return np.asarray(np.nan_to_num(np.clip(scaled, 0, 255), nan=0.0), np.uint8)


@lru_cache(maxsize=256)
def _share(part: int) -> Array:
    """Return what each of 256 levels gives to a component of this strength."""
    return ((np.arange(256, dtype=np.uint32) * part * 2 + 255) // 510).astype(np.uint16)


def composite(shown: Sequence[tuple[Array, str]]) -> Array:
    """Return channels as one picture: (y, x) grey where all there is is one white channel, else (y, x, 3).

    ``shown`` holds levels (y, x) uint8 and a colour each. Nothing shown is black.
    """
    if len(shown) == 1 and shown[0][1] == "ffffff":
        return shown[0][0]
    height, width = shown[0][0].shape[:2]
    total = np.zeros((height, width, 3), np.uint16)
    for level, colour in shown:
        for index in range(3):
            part = int(colour[2 * index : 2 * index + 2], 16)
            if part:
                total[..., index] += np.take(_share(part), level)
    return np.minimum(total, 255).astype(np.uint8)


def as_colour(pixels: Array) -> Array:
    """Return colour pixels (y, x, samples) as (y, x, 3) uint8: the high byte where there are more bits."""
    three = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    if three.dtype == np.uint8:
        shown = three
    elif three.dtype.kind == "u":
        shown = (three >> (8 * (three.dtype.itemsize - 1))).astype(np.uint8)
    else:
        shown = levels(three, "0", "1")
    return np.ascontiguousarray(shown if shown.shape[-1] == 3 else shown[..., 0])


def encode(picture: Array, format: str, quality: int) -> bytes:
    """Return a uint8 picture (y, x) or (y, x, 3) as a file. JPEG and WebP are lossy; PNG is not."""
    picture = np.ascontiguousarray(picture)
    if format == "png":
        return bytes(imagecodecs.png_encode(picture, level=1))
    if format == "webp":
        full = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        return bytes(imagecodecs.webp_encode(full, level=quality, lossless=False))
    if picture.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(picture, level=quality))
    return bytes(imagecodecs.jpeg8_encode(picture, level=quality, subsampling="444"))


def reduce(pixels: Array, factor: int) -> Array:
    """Return block means of (y, x) or (y, x, samples); blocks at the edges are as large as they can be."""
    if factor == 1:
        return pixels
    if pixels.dtype.kind == "c":
        pixels = pixels.real
    height, width = pixels.shape[:2]
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    kind = np.float64 if pixels.dtype.kind == "f" else np.int64 if pixels.dtype.itemsize > 2 else np.int32
    if height % factor == 0 and width % factor == 0 and pixels.ndim == 2:
        folded = pixels.reshape(height // factor, factor, width // factor, factor)
        total = folded.sum(axis=1, dtype=kind if factor <= 64 else np.int64).sum(axis=2)
    else:
        wide = kind if factor <= 64 or kind is np.float64 else np.int64
        total = np.add.reduceat(
            np.add.reduceat(pixels, rows, axis=0, dtype=wide), columns, axis=1, dtype=wide
        )
    if pixels.dtype.kind == "f":
        counts = _counts(height, factor)[:, None] * _counts(width, factor)
        shared = total / counts.reshape(counts.shape + (1,) * (pixels.ndim - 2))
        return np.asarray(shared, pixels.dtype)
    counts = (_counts(height, factor)[:, None] * _counts(width, factor)).astype(np.int64)
    counts = counts.reshape(counts.shape + (1,) * (pixels.ndim - 2))
    mean = (total.astype(np.int64) * 2 + counts) // (2 * counts)
    return np.asarray(mean, np.uint8 if pixels.dtype.kind == "b" else pixels.dtype)


def _counts(length: int, factor: int) -> Array:
    whole, rest = divmod(length, factor)
    return np.array([factor] * whole + ([rest] if rest else []), np.int64)
