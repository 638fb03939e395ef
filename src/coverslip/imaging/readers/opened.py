"""An image file kept open: its planes, their levels, and any part of them in native values.

Rules kept here:

* Only the strips or tiles a part touches are read and decoded; each is held against the file's length and its
  own decoded size first, because decoders fill gaps with zeros without a word.
* A level is a resolution stored in the file, of exactly half the size some times over; anything else is made
  by reduction (``reduction``). Level 0 is the original.
* What is decoded is cached, bounded in bytes over all open files; the newest piece always stays.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import imagecodecs
import numpy as np
import numpy.typing as npt

from coverslip.imaging.readers import jpeg, tasks
from coverslip.imaging.readers.base import RefusedFile, Source
from coverslip.imaging.readers.segments import ERRORS

Array = npt.NDArray[Any]
CACHE_BYTES: Final = 192 << 20


class Cache:
    """Arrays by key, the least recently used given up beyond ``limit`` bytes."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit, self._held = limit, 0
        self._arrays: OrderedDict[Hashable, Array] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return what is held under ``key``, or make and hold it."""
        found = self._arrays.get(key)
        if found is not None:
            self._arrays.move_to_end(key)
            return found
        found = make()
        self._arrays[key] = found
        self._held += found.nbytes
        while self._held > self._limit and len(self._arrays) > 1:
            self._held -= self._arrays.popitem(last=False)[1].nbytes
        return found

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def forget(self, of: Hashable) -> None:
        """Give up everything whose key begins with ``of``."""
        for key in [key for key in self._arrays if isinstance(key, tuple) and key[0] == of]:
            self._held -= self._arrays.pop(key).nbytes


class Level(Protocol):
    """One stored resolution of one plane. ``power``: full size is 2**power times as large."""

    width: int
    height: int
    power: int
    samples: int
    dtype: np.dtype[Any]

    def read(self, x: int, y: int, width: int, height: int) -> Array:
        """Return (height, width) or (height, width, samples) native values; the part lies inside."""
        ...


@dataclass(slots=True)
class WholeLevel:
    """A plane decoded whole, for formats that offer nothing less."""

    width: int
    height: int
    samples: int
    dtype: np.dtype[Any]
    whole: Callable[[], Array]
    power: int = 0

    def read(self, x: int, y: int, width: int, height: int) -> Array:
        """Return a part of the plane."""
        return self.whole()[y : y + height, x : x + width]


class Opened(Protocol):
    """An open file: ``about`` tells shape and type, ``levels`` the resolutions of a plane."""

    key: str
    about: dict[str, Any]

    def levels(self, c: int, z: int, t: int) -> list[Level]:
        """Return the stored resolutions of a plane, largest first. Raises RefusedFile: ``planes``."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class OpenPicture:
    """A PNG or JPEG file: one plane."""

    def __init__(self, key: str, kind: str, source: Source, cache: Cache) -> None:
        """Check the file whole, once. Raises RefusedFile."""
        answer = tasks.checked(kind, source)
        self.key, self._kind, self._source, self._cache = key, kind, source, cache
        dims, samples = answer["dims"], int(answer["samples"])
        palette = "palette" in answer["other"]
        self._dtype = np.dtype(answer["dtype"])
        needed = dims["x"] * dims["y"] * (3 if palette else samples) * max(1, self._dtype.itemsize)
        if needed > source.limits.max_plane_bytes:
            limit = source.limits.max_plane_bytes
            raise RefusedFile("limits", f"a plane of at most {limit} bytes", f"{needed} bytes")
        first = self._whole()
        self._level = WholeLevel(
            first.shape[1], first.shape[0], first.shape[2] if first.ndim == 3 else 1, first.dtype, self._whole
        )
        self.about = {
            "format": answer["format"], "x": first.shape[1], "y": first.shape[0], "c": 1, "z": 1, "t": 1,
            "samples": self._level.samples, "dtype": first.dtype.name, "lossy": answer["lossy"],
            "powers": [0],
        }  # fmt: skip

    def levels(self, c: int, z: int, t: int) -> list[Level]:
        """Return the one level of the one plane."""
        if (c, z, t) != (0, 0, 0):
            raise RefusedFile("planes", "plane c=0 z=0 t=0, the only one", f"c={c} z={z} t={t}")
        return [self._level]

    def close(self) -> None:
        """Give up what is held of it."""
        self._cache.forget(self.key)
        self._source.stream.close()

    def _whole(self) -> Array:
        return self._cache.get((self.key, "whole"), self._decode)

    def _decode(self) -> Array:
        try:
            if self._kind == "JPEG":
                return np.asarray(jpeg.decode(self._source))
            return np.asarray(imagecodecs.png_decode(self._source.at(0, self._source.size)))
        except ERRORS as error:
            raise RefusedFile("decodes", "pixels", f"{type(error).__name__}: {error}") from error
