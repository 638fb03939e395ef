"""Seeing the images of records: description, tiles, native values, windows; by the pool, with caches.

Rules kept here:

* Every byte shown or answered was held against the hashes of the vault when it was read.
* The default window of a channel runs from the 0.1st to the 99.9th percentile of its plane at the first depth
  and time, counted once. It is part of every address, so nothing changes contrast unseen.
* A pixel size counts only where the record has one and does not call itself uncalibrated; an image in
  quarantine has none.
* Caches are bounded: renderings in bytes, the rest in number.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from coverslip.errors import CoverslipError, EvidenceBroken, Invalid, NotFound
from coverslip.imaging.display import MEDIA, TILE, Display, Picture, Region, Shown
from coverslip.imaging.metadata import Refusal
from coverslip.imaging.pool import File, ReaderPool
from coverslip.kernel.rows import Row

V = TypeVar("V")
PICTURES_BYTES: Final = 96 << 20
_ABOUT: Final = 1024
_MAX_PIXEL_UM: Final = Decimal(50)
WINDOW: Final = "0.1st to 99.9th percentile of the plane at the first depth and time"
_BANDS: Final = ((500, "3c78ff"), (570, "00e05a"), (610, "ffb000"), (660, "ff3b30"), (10_000, "ff40d0"))
_COLOURS: Final = ("3c78ff", "00e05a", "ff3b30", "ff40d0", "ffd000", "00d8e0", "ffffff")


class Objects(Protocol):
    """What this needs of the vault."""

    def path(self, root: str) -> Path:
        """Return where an object lies. Raises ``NOT_FOUND``, ``HASH``."""
        ...

    def sidecar(self, root: str) -> Any:
        """Return what is kept beside it, with ``nodes``. Raises ``NOT_FOUND``, ``EVIDENCE``."""
        ...

    def quarantined_content(self, entry_id: str) -> Path:
        """Return where the bytes of a quarantined delivery lie. Raises ``NOT_FOUND``."""
        ...


class _Known(Generic[V]):
    """Values by key, the least recently used given up beyond ``limit`` of their ``weight``."""

    def __init__(self, limit: int, weight: Callable[[V], int] = lambda _: 1) -> None:
        self._limit, self._weight, self._held = limit, weight, 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def put(self, key: Hashable, value: V) -> V:
        with self._lock:
            before = self._values.pop(key, None)
            self._held += self._weight(value) - (self._weight(before) if before is not None else 0)
            self._values[key] = value
            while self._held > self._limit and len(self._values) > 1:
                self._held -= self._weight(self._values.popitem(last=False)[1])
        return value


class Views:
    """The images of records, for pages and interface (``application.pictures.Pictures``)."""

    def __init__(self, objects: Objects, pool: ReaderPool, pictures_bytes: int = PICTURES_BYTES) -> None:
        self._objects, self._pool = objects, pool
        self._pictures: _Known[Picture] = _Known(pictures_bytes, lambda one: len(one.data) + 200)
        self._about: _Known[dict[str, Any]] = _Known(_ABOUT)
        self._counted: _Known[dict[str, Any]] = _Known(_ABOUT)

    def describe(self, row: Row) -> dict[str, Any]:
        """Return what an image holds; see ``application.pictures.Pictures`` for what each method raises."""
        about = self._opened(row)
        width, height = int(about["x"]), int(about["y"])
        levels, level = [], 0
        while True:
            size = (-(-width // (1 << level)), -(-height // (1 << level)))
            levels.append(
                {"level": level, "width": size[0], "height": size[1], "stored": level in about["powers"]}
            )
            if max(size) <= TILE:
                break
            level += 1
        return {
            "number": row.number,
            "state": row.state,
            "root": str(row.fields.get("root", "")),
            "shape": {axis: int(about[axis]) for axis in "tczyx"},
            "samples": int(about["samples"]),
            "dtype": str(about["dtype"]),
            "lossy": bool(about["lossy"]),
            "format": str(about["format"]),
            "channels": [self._channel(row, n) for n in range(int(about["c"]))],
            "tile": TILE,
            "levels": levels,
            **calibration(row),
        }

    def default(self, row: Row, z: int = 0, t: int = 0) -> Display:
        """Return the settings an image is first shown with, every channel visible."""
        about = self._opened(row)
        if int(about["samples"]) > 1:
            return Display(z, t)
        shown = []
        for n in range(min(int(about["c"]), len(_COLOURS))):
            counted = self.histogram(row, n, 0, 0)
            shown.append(Shown(n, self._colour(row, n, int(about["c"])), counted["low"], counted["high"]))
        return Display(z, t, tuple(shown))

    def tag(self, row: Row, display: Display, *where: int | str) -> str:
        """Return the tag of a rendering without making it."""
        return self._resolved(row, display).tag(_file_key(row), *where)

    def tile(self, row: Row, display: Display, level: int, column: int, line: int) -> Picture:
        """Return one tile."""
        return self._picture(row, display, "tile", {"level": level, "column": column, "line": line})

    def whole(self, row: Row, display: Display, size: int) -> Picture:
        """Return the whole plane, at most ``size`` pixels wide and high."""
        return self._picture(row, display, "whole", {"size": size})

    def thumbnail(self, row: Row, size: int) -> Picture:
        """Return the whole first plane with the default settings."""
        return self.whole(row, Display(), size)

    def region(self, row: Row, c: int, z: int, t: int, box: tuple[int, int, int, int]) -> Region:
        """Return native values of a part of a plane."""
        x, y, width, height = box
        answer, data = self._ask(row, "region", c=c, z=z, t=t, x=x, y=y, w=width, h=height)
        shape = tuple(int(n) for n in answer["shape"])
        tag = Display(z, t).tag(_file_key(row), "region", c, *box)
        return Region(data, shape, str(answer["dtype"]), tag)

    def probe(self, row: Row, x: int, y: int, z: int, t: int) -> dict[str, Any]:
        """Return the native value of every channel at one pixel."""
        answer, _ = self._ask(row, "probe", x=x, y=y, z=z, t=t)
        values = [[str(value) for value in one] for one in answer["values"]]
        channels = [
            {"index": n, "name": self._channel(row, n)["name"], "values": one} for n, one in enumerate(values)
        ]
        return {"number": row.number, "x": x, "y": y, "z": z, "t": t, "channels": channels}

    def histogram(self, row: Row, c: int, z: int, t: int) -> dict[str, Any]:
        """Return counts of native values, the extremes, and the window first shown (``low``, ``high``)."""
        key = (_file_key(row), c, z, t)
        found = self._counted.get(key)
        if found is None:
            answer, _ = self._ask(row, "statistics", c=c, z=z, t=t)
            found = self._counted.put(key, {**answer, "c": c, "z": z, "t": t, "window": WINDOW})
        return {"number": row.number, **found}

    # --- inside --------------------------------------------------------------------------------

    def _picture(self, row: Row, display: Display, task: str, where: dict[str, int]) -> Picture:
        settings = self._resolved(row, display)
        tag = settings.tag(_file_key(row), task, *where.values())
        found = self._pictures.get(tag)
        if found is not None:
            return found
        _, data = self._ask(row, task, **settings.request(), **where)
        return self._pictures.put(tag, Picture(data, MEDIA[settings.format], tag))

    def _resolved(self, row: Row, display: Display) -> Display:
        if display.channels:
            return display
        default = self.default(row, display.z, display.t)
        return Display(display.z, display.t, default.channels, display.format, display.quality)

    def _opened(self, row: Row) -> dict[str, Any]:
        key = _file_key(row)
        found = self._about.get(key)
        if found is None:
            found = self._about.put(key, self._ask(row, "open")[0])
        return found

    def _ask(self, row: Row, task: str, **more: Any) -> tuple[dict[str, Any], bytes]:
        answer = self._pool.ask(self._file(row), task, **more)
        if isinstance(answer, Refusal):
            raise _error(row, answer)
        return answer

    def _file(self, row: Row) -> File:
        key = _file_key(row)
        root = str(row.fields.get("root", ""))
        if not root:
            held = str((row.fields.get("delivery") or {})["quarantine"])
            return File(key, str(self._objects.quarantined_content(held)))
        return File(
            key, str(self._objects.path(root)), root,
            lambda: [node.hex() for node in self._objects.sidecar(root).nodes],
        )  # fmt: skip

    def _channel(self, row: Row, index: int) -> dict[str, Any]:
        rows = row.fields.get("channels") or []
        own: dict[str, Any] = next((one for one in rows if one.get("index") == index), {})
        value: dict[str, Any] = {"index": index, "name": str(own.get("name") or f"Channel {index + 1}")}
        value |= {
            name: str(own[name]) for name in ("emission_nm", "excitation_nm", "exposure_ms") if own.get(name)
        }
        return value

    def _colour(self, row: Row, index: int, channels: int) -> str:
        if channels == 1:
            return "ffffff"
        try:
            length = Decimal(self._channel(row, index).get("emission_nm", "0"))
        except InvalidOperation:
            length = Decimal(0)
        if length > 0:
            return next(colour for limit, colour in _BANDS if length < limit)
        return _COLOURS[index % len(_COLOURS)]


def calibration(row: Row) -> dict[str, Any]:
    """Return ``pixel_size_um`` {x, y} where lengths may be told; else ``uncalibrated``, why not."""
    if row.state == "quarantined":
        return {"uncalibrated": "The image is in quarantine."}
    if row.fields.get("uncalibrated") is True:
        return {"uncalibrated": "The image is marked uncalibrated: its file gives no pixel size that counts."}
    sizes = [row.fields.get(f"pixel_size_{axis}_um") for axis in "xy"]
    if not all(size is not None and 0 < Decimal(size) <= _MAX_PIXEL_UM for size in sizes):
        return {"uncalibrated": "The record names no pixel size."}
    found: dict[str, Any] = {"pixel_size_um": {"x": str(sizes[0]), "y": str(sizes[1])}}
    source = (row.fields.get("metadata") or {}).get("pixel_size_source")
    return found | ({"pixel_size_source": str(source)} if source else {})


def _file_key(row: Row) -> str:
    """Return what names the bytes of an image. Raises ``NOT_FOUND`` for a record without any."""
    root = str(row.fields.get("root", "")) if row.type == "image" else ""
    if root:
        return root
    held = (row.fields.get("delivery") or {}).get("quarantine") if row.type == "image" else None
    if not held:
        raise NotFound("NOT_FOUND", what="image with pixels", record=row.number)
    return f"quarantine:{held}"


def _error(row: Row, refusal: Refusal) -> CoverslipError:
    """Return the error for what a reader refused."""
    if refusal.check == "planes":
        return Invalid(
            "VAL_RANGE",
            record=row.number,
            field="the part asked for",
            value=refusal.found,
            limits=refusal.expected,
        )
    if refusal.check == "region":
        return Invalid(
            "TOO_LARGE", record=row.number, what="The region", size=refusal.found, limit=refusal.expected
        )
    if refusal.check == "hash":
        message = (
            f"The stored file of {row.number} does not match its hash"
            f"{' at ' + refusal.where if refusal.where else ''}: {refusal.found}. Nothing of it is shown."
        )
        return EvidenceBroken("HASH", record=row.number, message=message)
    return Invalid(
        "VAL_FORM",
        record=row.number,
        field=f"The file of {row.number}",
        expected=refusal.expected,
        found=refusal.found,
    )
