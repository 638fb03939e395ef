"""An image as a zarr store: one array of format 3, uncompressed, whose chunks are read when asked for.

Rules kept here: the store is read-only; a chunk that exists is read or raises, because zarr would take a
missing one for zeros; chunks at the edge are filled up with zeros that lie outside the array.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from itertools import product
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from coverslip.client.errors import misuse
from coverslip.client.pixels import BLOCK_SIDE, Bounded, Pixels

METADATA = "zarr.json"


class PixelStore(Store):
    """One image's pixels as keys: ``zarr.json`` and ``c/t/c/z/y/x`` (``/s``) for each chunk."""

    supports_writes: bool = False
    supports_deletes: bool = False
    supports_listing: bool = True

    def __init__(self, pixels: Pixels, attributes: dict[str, Any], side: int, cache: Bounded) -> None:
        """``side`` is the length in pixels of a chunk in y and x; ``attributes`` become the array's."""
        super().__init__(read_only=True)
        self._pixels, self._cache = pixels, cache
        facts = pixels.facts
        y, x = (min(side, size) for size in facts.shape[3:5])
        self.chunk = (1, 1, 1, y, x, *facts.samples)
        self.grid = tuple(-(-size // part) for size, part in zip(facts.shape, self.chunk, strict=True))
        self._metadata = json.dumps(self._described(attributes)).encode()

    def _described(self, attributes: dict[str, Any]) -> dict[str, Any]:
        facts = self._pixels.facts
        fill: Any = {"b": False, "c": [0.0, 0.0], "f": 0.0}.get(facts.dtype[0], 0)
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(facts.shape),
            "data_type": facts.dtype,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunk)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": fill,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            "dimension_names": list(facts.axes),
            "attributes": attributes,
        }

    # --- reading -------------------------------------------------------------------------------

    def _place(self, key: str) -> tuple[int, ...] | None:
        """Return which chunk a key names, or ``None`` where it names none."""
        first, *rest = key.split("/")
        if first != "c" or len(rest) != len(self.grid) or not all(_plain(part) for part in rest):
            return None
        place = tuple(map(int, rest))
        return place if all(i < size for i, size in zip(place, self.grid, strict=True)) else None

    def _chunk(self, place: tuple[int, ...]) -> bytes:
        t, c, z, row, column = place[:5]
        height, width = self.chunk[3:5]
        shape = self._pixels.facts.shape
        y, x = row * height, column * width
        h, w = min(height, shape[3] - y), min(width, shape[4] - x)
        data = self._pixels.region(t, c, z, x, y, w, h)
        if (h, w) == (height, width):
            return data
        kind = np.dtype(self._pixels.facts.dtype).newbyteorder("<")
        whole = np.zeros(self.chunk[3:], kind)
        whole[:h, :w] = np.frombuffer(data, kind).reshape((h, w, *self.chunk[5:]))
        return whole.tobytes()

    def _value(self, key: str) -> bytes | None:
        if key == METADATA:
            return self._metadata
        place = self._place(key)
        return None if place is None else self._cache.get(key, lambda: self._chunk(place))

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a value or a part of it; ``None`` for a key there is not. Raises ``ApiError``."""
        data = await asyncio.to_thread(self._value, key)
        return None if data is None else prototype.buffer.from_bytes(_part(data, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of values, in the order asked for."""
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is such a key; nothing is read for it."""
        return key == METADATA or self._place(key) is not None

    # --- listing -------------------------------------------------------------------------------

    async def list(self) -> AsyncIterator[str]:
        """Yield every key."""
        yield METADATA
        for place in product(*map(range, self.grid)):
            yield "/".join(("c", *map(str, place)))

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys that begin so."""
        async for key in self.list():
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Yield what lies directly in a folder, each name once."""
        folder = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        seen = set()
        async for key in self.list_prefix(folder):
            name = key.removeprefix(folder).split("/")[0]
            if name not in seen:
                seen.add(name)
                yield name

    # --- what a read-only store refuses --------------------------------------------------------

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: an original is never changed."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: an original is never deleted."""
        self._check_writable()

    def with_read_only(self, read_only: bool = False) -> PixelStore:
        """Return this store; it cannot be had for writing (``ValueError``)."""
        if not read_only:
            raise ValueError("an image is read-only")
        return self

    def __eq__(self, value: object) -> bool:
        return self is value

    __hash__ = object.__hash__

    def __str__(self) -> str:
        return f"coverslip://{self._pixels.number}"

    def __repr__(self) -> str:
        return f"PixelStore('{self}')"


def _plain(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text


def _part(data: bytes, wanted: ByteRequest | None) -> bytes:
    match wanted:
        case RangeByteRequest():
            return data[wanted.start : wanted.end]
        case OffsetByteRequest():
            return data[wanted.offset :]
        case SuffixByteRequest():
            return data[max(0, len(data) - wanted.suffix) :]
        case _:
            return data


def open_array(pixels: Pixels, attributes: dict[str, Any], side: int, cache_bytes: int) -> zarr.Array[Any]:
    """Return the array over a new store. Raises ``MisuseError`` for a side or a cache that cannot be."""
    if not 1 <= side <= BLOCK_SIDE or cache_bytes < 0:
        allowed = f"a side from 1 to {BLOCK_SIDE} and a cache of at least 0 bytes"
        raise misuse("the chunks", allowed, f"{side}, {cache_bytes}")
    store = PixelStore(pixels, attributes, side, Bounded(cache_bytes))
    return zarr.open_array(store=store, mode="r")
