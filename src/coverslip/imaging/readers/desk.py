"""What a standing reader process can be asked: open, describe, tile, region, probe, statistics.

Rules kept here: what a question says is checked against the file before anything is read; a few files stay
open, the least recently used is closed; an answer is never larger than the limits say.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from coverslip.imaging import rendering
from coverslip.imaging.display import TILE
from coverslip.imaging.metadata import Limits
from coverslip.imaging.readers import parts, tasks
from coverslip.imaging.readers.base import RefusedFile, Source
from coverslip.imaging.readers.opened import Cache, Opened, OpenPicture
from coverslip.imaging.readers.segments import ERRORS
from coverslip.imaging.readers.tifflevels import OpenTiff
from coverslip.imaging.readers.verified import VerifiedSource

Array = npt.NDArray[Any]
Answer = tuple[dict[str, Any], bytes]
UNFORESEEN: Final = (*ERRORS, ArithmeticError, AttributeError, AssertionError, BufferError, struct.error)
"""What parsers of broken files raise besides."""
MAX_LEVEL: Final = 40
MAX_REGION_BYTES: Final = 64 << 20


class Desk:
    """Answers questions about files it keeps open."""

    def __init__(self, limits: Limits, files: int) -> None:
        self._limits, self._files = limits, files
        self._cache = Cache()
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._tasks: dict[str, Callable[[Opened, dict[str, Any]], Answer]] = {
            "open": lambda opened, _: (dict(opened.about), b""),
            "tile": self._tile, "whole": self._whole, "region": self._region, "probe": self._probe,
            "statistics": self._statistics,
        }  # fmt: skip

    def answer(self, question: dict[str, Any]) -> Answer:
        """Answer one question. Raises RefusedFile."""
        if question["task"] == "open":
            self._opening(question)
        key = question["key"]
        opened = self._open.get(key)
        if opened is None:
            return {"closed": True}, b""
        self._open.move_to_end(key)
        return self._tasks[question["task"]](opened, question)

    def _opening(self, question: dict[str, Any]) -> None:
        key = question["key"]
        if key in self._open:
            return
        while len(self._open) >= self._files:
            self._open.popitem(last=False)[1].close()
        stream = open(question["path"], "rb")  # noqa: SIM115 - kept open with the file
        try:
            nodes = question.get("nodes")
            source = (
                Source.of(stream, self._limits)
                if nodes is None
                else VerifiedSource(stream, self._limits, question["root"], nodes)
            )
            kind = tasks.recognise(source)
            self._open[key] = (
                OpenTiff(key, source, self._cache)
                if kind == "TIFF"
                else OpenPicture(key, kind, source, self._cache)
            )
        except BaseException:  # whatever the file did, it must not stay open; raised again
            stream.close()
            raise

    def _tile(self, opened: Opened, question: dict[str, Any]) -> Answer:
        about, level = opened.about, int(question["level"])
        if not 0 <= level <= MAX_LEVEL:
            raise RefusedFile("planes", f"a level from 0 to {MAX_LEVEL}", str(level))
        width, height = parts.size_at(about["x"], level), parts.size_at(about["y"], level)
        x, y = int(question["column"]) * TILE, int(question["line"]) * TILE
        if not (0 <= x < width and 0 <= y < height):
            found = f"level {level}, column {question['column']}, line {question['line']}"
            raise RefusedFile("planes", f"a tile inside {width} x {height} pixels", found)
        box = (x, y, min(TILE, width - x), min(TILE, height - y))
        return {}, self._picture(opened, question, level, box)

    def _whole(self, opened: Opened, question: dict[str, Any]) -> Answer:
        about, level = opened.about, 0
        while max(parts.size_at(about["x"], level), parts.size_at(about["y"], level)) > int(question["size"]):
            level += 1
        box = (0, 0, parts.size_at(about["x"], level), parts.size_at(about["y"], level))
        return {}, self._picture(opened, question, level, box)

    def _picture(
        self, opened: Opened, question: dict[str, Any], level: int, box: tuple[int, int, int, int]
    ) -> bytes:
        z, t, shown = int(question["z"]), int(question["t"]), []
        format, quality = str(question["format"]), int(question["quality"])
        channels = question["channels"]
        if opened.about["samples"] > 1:
            pixels = parts.part(opened, self._cache, (0, z, t), level, box)
            return rendering.encode(self._colour(pixels, channels), format, quality)
        for one in channels:
            pixels = parts.part(opened, self._cache, (int(one["c"]), z, t), level, box)
            shown.append((rendering.levels(pixels, one["low"], one["high"]), one["colour"]))
        picture = rendering.composite(shown) if shown else np.zeros((box[3], box[2]), np.uint8)
        return rendering.encode(picture, format, quality)

    def _colour(self, pixels: Array, channels: list[dict[str, Any]]) -> Array:
        """Return colour pixels as they are, or in one window for all samples."""
        if not channels:
            return rendering.as_colour(pixels)
        return rendering.as_colour(rendering.levels(pixels, channels[0]["low"], channels[0]["high"]))

    def _region(self, opened: Opened, question: dict[str, Any]) -> Answer:
        about = opened.about
        x, y, width, height = (int(question[name]) for name in ("x", "y", "w", "h"))
        if not (0 <= x < x + width <= about["x"] and 0 <= y < y + height <= about["y"]):
            expected = f"a region inside {about['x']} x {about['y']} pixels"
            raise RefusedFile("planes", expected, f"{width} x {height} from {x}, {y}")
        top = opened.levels(int(question["c"]), int(question["z"]), int(question["t"]))[0]
        needed = width * height * top.samples * top.dtype.itemsize
        if needed > MAX_REGION_BYTES:
            raise RefusedFile("region", f"at most {MAX_REGION_BYTES} bytes at once", f"{needed} bytes")
        pixels = top.read(x, y, width, height)
        little = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
        return {"shape": list(little.shape), "dtype": pixels.dtype.name}, little.tobytes()

    def _probe(self, opened: Opened, question: dict[str, Any]) -> Answer:
        about = opened.about
        x, y = int(question["x"]), int(question["y"])
        if not (0 <= x < about["x"] and 0 <= y < about["y"]):
            raise RefusedFile("planes", f"a pixel inside {about['x']} x {about['y']}", f"{x}, {y}")
        values = []
        for c in range(about["c"]):
            top = opened.levels(c, int(question["z"]), int(question["t"]))[0]
            values.append([str(value) for value in np.ravel(top.read(x, y, 1, 1))])
        return {"values": values}, b""

    def _statistics(self, opened: Opened, question: dict[str, Any]) -> Answer:
        plane = (int(question["c"]), int(question["z"]), int(question["t"]))
        return parts.statistics(opened, self._cache, plane), b""
