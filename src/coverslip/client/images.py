"""An image as scientists read it: like an array that stays on the server until a part of it is asked for.

    >>> image = cs.image("IMG-2026-000001")                      # doctest: +SKIP
    >>> image.shape, image.axes                                  # doctest: +SKIP
    ((1, 1, 1, 512, 512), 'tczyx')
    >>> corner = image[0, 0, 0, :64, :64]                        # doctest: +SKIP

Rules kept here: always the axes t, c, z, y, x, and s behind them for colour; values as in the original; only
the planes and the rectangle around what is asked for are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coverslip.client.errors import misuse
from coverslip.client.extra import need
from coverslip.client.files import BLOCK_BYTES, Progress, quiet, recorded_file, same_file
from coverslip.client.indexing import Picked, picked
from coverslip.client.pixels import BLOCK_SIDE, Channel, Pixels, PixelSize
from coverslip.client.records import Records, segment
from coverslip.client.transport import Transport
from coverslip.client.values import Json, Saved
from coverslip.ledger.files import ChunkTree, FileDigest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import zarr

    Array = npt.NDArray[Any]

MOST_BYTES = 4 * 1024**3
"""One reading in brackets gives at most so much; more is read in parts, or through ``zarr``."""
CACHE_BYTES = 256 * 1024**2
CHUNK_SIDE = 512

Download = Callable[..., Saved]


@dataclass(frozen=True, slots=True)
class Verified:
    """An original that was read whole and is what the record says: size in bytes and hashes (hex)."""

    record: str
    name: str
    size: int
    sha256: str
    root: str


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of an image, at time ``t``, channel ``c`` and depth ``z``, each from 0; read when asked."""

    image: Image
    t: int
    c: int
    z: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels; for colour also the samples."""
        return self.image.shape[3:]

    def __getitem__(self, key: Any) -> Array:
        """Return a part: ``plane[y0:y1, x0:x1]``. Raises as ``Image`` does."""
        rest = key if isinstance(key, tuple) else (key,)
        return self.image[(self.t, self.c, self.z, *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return _as_asked(self[...], dtype, copy)

    def read(self) -> Array:
        """Return the whole plane, shape (y, x) or (y, x, s)."""
        return self[...]


class Image:
    """One image record and its pixels; nothing of them is read before it is asked for."""

    def __init__(self, transport: Transport, records: Records, download: Download, number: str) -> None:
        self._transport, self._download = transport, download
        self.record: Json = records.show(number)
        fields = self.record["fields"]
        self._pixels = Pixels(
            transport,
            str(self.record["label"]),
            str(fields.get("root", "")),
            str(fields.get("pixel_size_z_um", "")),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{axis} {size}" for axis, size in zip(self.axes, self.shape, strict=True))
        return f"<Image {self.number} {self.state}: {sizes}, {self._pixels.facts.dtype}>"

    # --- what it is ----------------------------------------------------------------------------

    @property
    def number(self) -> str:
        """The record's number."""
        return str(self.record["number"])

    @property
    def name(self) -> str:
        """The name it was delivered under."""
        return str(self.record["title"])

    @property
    def state(self) -> str:
        """The record's state when it was read, such as ``available``."""
        return str(self.record["state"])

    @property
    def axes(self) -> str:
        """Names of the axes in their order: ``tczyx``, for colour ``tczyxs``."""
        return self._pixels.facts.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes by ``axes``: counts for t, c, z and s, pixels for y and x."""
        return self._pixels.facts.shape

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all values at full resolution."""
        return _count(self.shape) * self._pixels.facts.item_bytes

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the file's own values, in this machine's byte order. Needs the extra ``science``."""
        found: np.dtype[Any] = need("numpy", "the type of an image").dtype(self._pixels.facts.dtype)
        return found

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is known of each channel, by index."""
        return self._pixels.facts.channels

    @property
    def pixel_size(self) -> PixelSize:
        """Micrometres for each pixel; ``None`` where the image is not calibrated."""
        return self._pixels.facts.pixel_size

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the original's files."""
        return tuple(str(one["name"]) for one in self.record["fields"].get("files", ()))

    # --- reading -------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        """Return a part as numpy would: integers drop their axis, slices keep it.

        With a step in y or x, the rectangle around is read and thinned out here. Raises ``OutsideError``
        (also an ``IndexError``) for a place outside, ``MisuseError`` for an index that is neither number nor
        slice and for more than ``MOST_BYTES`` at once, ``EvidenceError`` for pixels of another form than
        asked for.
        """
        np = need("numpy", "reading pixels")
        wanted = picked(key, self.shape, self.axes)
        kept = tuple(len(one.places) for one in wanted if not one.gone)
        if not _count(len(one.places) for one in wanted):
            return np.empty(kept, self.dtype)  # type: ignore[no-any-return]
        return self._read(np, wanted).reshape(kept)

    def _read(self, np: Any, wanted: tuple[Picked, ...]) -> Array:
        t, c, z, y, x = wanted[:5]
        counts = [len(one.places) for one in (t, c, z)]
        box = (y.high - y.low, x.high - x.low, *self._pixels.facts.samples)
        size = _count((*counts, *box)) * self._pixels.facts.item_bytes
        if size > MOST_BYTES:
            raise misuse(
                "the region",
                f"at most {MOST_BYTES // 1024**2} MiB at once",
                f"{size // 1024**2} MiB",
                "Read it in parts, or through image.zarr().",
            )
        out = np.empty((*counts, *box), self.dtype)
        for i, j, k in product(*map(range, counts)):
            self._fill(np, out[i, j, k], (t.places[i], c.places[j], z.places[k]), y.low, x.low)
        # Of each pixel all samples come, so that what is wanted of them is counted from the first.
        samples = tuple(_steps(one.places) for one in wanted[5:])
        found: Array = out[(..., y.within(), x.within(), *samples)]
        return found

    def _fill(self, np: Any, out: Any, plane: tuple[int, int, int], top: int, left: int) -> None:
        """Read a rectangle of one plane, in blocks, into ``out``; ``top`` and ``left`` is its corner."""
        height, width = out.shape[:2]
        for y, x in product(range(0, height, BLOCK_SIDE), range(0, width, BLOCK_SIDE)):
            h, w = min(BLOCK_SIDE, height - y), min(BLOCK_SIDE, width - x)
            data = self._pixels.region(*plane, left + x, top + y, w, h)
            kind = self.dtype.newbyteorder("<")
            out[y : y + h, x : x + w] = np.frombuffer(data, kind).reshape((h, w, *out.shape[2:]))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return _as_asked(self[...], dtype, copy)

    def __len__(self) -> int:
        return self.shape[0]

    def plane(self, c: int = 0, z: int = 0, t: int = 0) -> Plane:
        """Return one plane, not yet read. Raises ``OutsideError`` where there is none."""
        one = picked((t, c, z), self.shape, self.axes)
        return Plane(self, *(axis.places[0] for axis in one[:3]))

    def planes(self) -> Iterator[Plane]:
        """Yield every plane, none of them read yet: z within c within t."""
        for t, c, z in product(*map(range, self.shape[:3])):
            yield Plane(self, t, c, z)

    def zarr(self, *, cache_bytes: int = CACHE_BYTES, chunk_side: int = CHUNK_SIDE) -> zarr.Array[Any]:
        """Return a read-only zarr array (format 3) of the whole image; chunks are read when asked for.

        A chunk is one plane's square of ``chunk_side`` pixels, at most 1024; those used last are kept,
        ``cache_bytes`` of them. What cannot be read raises, and is never taken for zeros.
        """
        need("zarr", "an image as zarr")
        from coverslip.client.zarr_store import open_array

        array: zarr.Array[Any] = open_array(self._pixels, self._attributes(), chunk_side, cache_bytes)
        return array

    def _attributes(self) -> Json:
        sizes = {axis: getattr(self.pixel_size, axis) for axis in "zyx"}
        return {
            "record": self.number,
            "version": self.record["version"],
            "leaf_hash": self.record["leaf_hash"],
            "root": self.record["fields"].get("root", ""),
            "pixel_size_um": {axis: size for axis, size in sizes.items() if size is not None},
            "channels": [channel.name for channel in self.channels],
        }

    # --- the original --------------------------------------------------------------------------

    def download(self, target: Path | str, *, name: str = "", overwrite: bool = False) -> Saved:
        """Save an original bit for bit; into a folder under its own name. Raises as ``Coverslip.download``.

        A name that has folders in it is never followed: only its last part counts here.
        """
        chosen, path = self._file(name), Path(target)
        return self._download(
            self.number, chosen, path / Path(chosen).name if path.is_dir() else path, overwrite=overwrite
        )

    def verify(self, *, name: str = "", progress: Progress = quiet) -> Verified:
        """Read an original from its first byte to its last, keep nothing, and compare it with the record.

        Raises ``EvidenceError`` when size, SHA-256 or root are not those recorded.
        """
        chosen = self._file(name)
        expected, tree = recorded_file(self.record, chosen), ChunkTree()
        path = f"/records/{segment(self.number)}/files/{segment(chosen)}"
        with self._transport.stream("GET", path) as response:
            for block in response.iter_bytes(BLOCK_BYTES):
                tree.update(block)
                progress(len(block))
        digest: FileDigest = tree.finish()
        same_file(self.number, expected, digest.item(chosen))
        return Verified(self.number, chosen, digest.size, digest.sha256.hex(), digest.root.hex())

    def _file(self, name: str) -> str:
        if not name and len(self.files) != 1:
            raise misuse("name", f"one of {', '.join(self.files) or 'none'}", "no name")
        return name or self.files[0]


def _steps(places: range) -> slice:
    """Return the slice that takes these places, none of them counted from the end."""
    return slice(places.start, None if places.stop < 0 else places.stop, places.step)


def _count(sizes: Any) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def _as_asked(found: Array, dtype: Any, copy: bool | None) -> Array:
    """Give numpy what it asks for; pixels are always a copy of the server's."""
    if copy is False:
        raise ValueError("pixels are read from the server, so that an array of them is always a copy")
    return found if dtype is None else found.astype(dtype, copy=False)
