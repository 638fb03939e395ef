"""TIFF kept open: any part of a plane from only the strips or tiles it touches.

Rules kept here: the same walk, layout and plane numbers as ``tiff``; uncompressed pixels are read row by row
from where they lie; compressed pieces are decoded one at a time and must give as many bytes as they must.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tifffile

from coverslip.imaging.readers import segments, tiff, tiffwalk as tw
from coverslip.imaging.readers.base import Findings, RefusedFile, Source
from coverslip.imaging.readers.opened import Cache, Level
from coverslip.imaging.readers.segments import ERRORS, JPEG, LOSSLESS
from coverslip.imaging.readers.tiffwalk import Directory
from coverslip.imaging.readers.verified import SourceStream

Array = npt.NDArray[Any]
_PAGES: Final = 32
_WHOLE_ROWS: Final = 1 << 20


class PageLevel:
    """One directory as a level; ``base`` is where its pixels begin when many planes lie behind it."""

    def __init__(self, owner: OpenTiff, page: Directory, power: int, base: int | None = None) -> None:
        cut = segments.grid(owner.structure, page)
        tags = owner.tifffile_page(page)
        if tags.imagedepth != 1 or tags.dtype is None:
            raise RefusedFile(
                "dimensions", "flat tiles of a known type", f"depth {tags.imagedepth}", page.name
            )
        if len(cut.offsets) != len(cut.sizes) or len(cut.counts) != len(cut.sizes):
            found = f"{len(cut.offsets)} offsets and {len(cut.counts)} lengths that can be read"
            raise RefusedFile("truncated", f"{len(cut.sizes)} strips or tiles", found, page.name)
        self._owner, self._page, self._tags, self._base = owner, page, tags, base
        self.width, self.height, self.power = cut.width, cut.length, power
        self.samples, self.dtype = cut.samples, np.dtype(tags.dtype)
        self._compression, self._bits = cut.compression, cut.bits
        self._offsets = np.asarray(cut.offsets, np.int64)
        self._counts = np.asarray(cut.counts, np.int64)
        self._needed = (cut.sizes[0], cut.sizes[-1]) if cut.sizes else (0, 0)
        self._tables = tags.jpegtables if cut.compression in JPEG else None
        self._planar = int(tags.planarconfig) == 2 and cut.samples > 1
        if tags.is_tiled:
            self._across, self._down = int(tags.tilewidth), int(tags.tilelength)
        else:
            self._across, self._down = cut.width, min(int(tags.rowsperstrip) or cut.length, cut.length)
        self._columns, self._lines = -(-self.width // self._across), -(-self.height // self._down)
        self._inner = 1 if self._planar else cut.samples
        plain = cut.compression == 1 and cut.bits in (8, 16, 32, 64) and int(tags.predictor) == 1
        self._direct = plain and int(tags.fillorder) == 1 and self.dtype.itemsize * 8 == cut.bits
        if base is not None and not self._direct:
            raise RefusedFile("structure", "planes of whole bytes behind one directory", f"{cut.bits} bits")

    def read(self, x: int, y: int, width: int, height: int) -> Array:
        """Return (height, width) or (height, width, samples) native values. Raises RefusedFile."""
        groups = self.samples if self._planar else 1
        out = np.empty((groups, height, width, self._inner), self.dtype)
        for group in range(groups):
            if self._base is not None:
                self._rows(out[group], self._base, self.width, x, y, f"{self._page.name}, byte {self._base}")
                continue
            for line in range(y // self._down, (y + height - 1) // self._down + 1):
                for column in range(x // self._across, (x + width - 1) // self._across + 1):
                    self._copy(out[group], group, line, column, x, y)
        if self._planar:
            return np.moveaxis(out[..., 0], 0, 2)
        return out[0, ..., 0] if self.samples == 1 else out[0]

    def _copy(self, out: Array, group: int, line: int, column: int, x: int, y: int) -> None:
        """Copy what one strip or tile gives to ``out``, whose first pixel is (x, y)."""
        left, top = column * self._across, line * self._down
        first_x, first_y = max(x, left), max(y, top)
        last_x = min(x + out.shape[1], left + self._across)
        last_y = min(y + out.shape[0], top + self._down)
        target = out[first_y - y : last_y - y, first_x - x : last_x - x]
        index = (group * self._lines + line) * self._columns + column
        if self._direct:
            rows = self._down if self._tags.is_tiled else min(self._down, self.height - top)
            offset = self._checked(index, rows * self._across * self._inner * self.dtype.itemsize)
            self._rows(
                target,
                offset,
                self._across,
                first_x - left,
                first_y - top,
                f"{self._page.name} piece {index}",
            )
            return
        piece = self._owner.cache.get(
            (self._owner.key, self._page.offset, index), lambda: self._decode(index)
        )
        target[...] = piece[first_y - top : last_y - top, first_x - left : last_x - left]

    def _rows(self, out: Array, offset: int, across: int, x: int, y: int, where: str) -> None:
        """Fill ``out`` from uncompressed pixels at ``offset``, in rows of ``across`` pixels."""
        pixel = self._inner * self.dtype.itemsize
        stored = self.dtype.newbyteorder(self._owner.structure.order)
        height, width = out.shape[:2]
        start = offset + (y * across + x) * pixel
        if height * across * pixel <= _WHOLE_ROWS or width == across:
            length = ((height - 1) * across + width) * pixel
            data = self._bytes(start, length, where)
            flat = np.frombuffer(data, stored)
            step = across * self._inner
            view = np.lib.stride_tricks.as_strided(
                flat,
                (height, width * self._inner),
                (step * stored.itemsize, stored.itemsize),
                writeable=False,
            )
            out[...] = view.reshape(height, width, self._inner)
            return
        for row in range(height):
            data = self._bytes(start + row * across * pixel, width * pixel, where)
            out[row] = np.frombuffer(data, stored).reshape(width, self._inner)

    def _bytes(self, start: int, length: int, where: str) -> bytes:
        data = self._owner.source.at(start, length)
        if len(data) != length:
            found = f"the file ends at byte {self._owner.source.size}"
            raise RefusedFile("truncated", f"bytes {start} to {start + length}", found, where)
        return data

    def _checked(self, index: int, least: int) -> int:
        """Return where a piece begins. Raises RefusedFile unless it lies in the file with as many bytes."""
        offset, count = int(self._offsets[index]), int(self._counts[index])
        where = f"{self._page.name} piece {index}"
        if count < least or offset < 8:
            raise RefusedFile(
                "segments", f"at least {least} bytes", f"{count} bytes at offset {offset}", where
            )
        if offset + count > self._owner.source.size:
            found = f"the file ends at byte {self._owner.source.size}"
            raise RefusedFile("truncated", f"bytes {offset} to {offset + count}", found, where)
        return offset

    def _decode(self, index: int) -> Array:
        """Return one piece (y, x, samples)."""
        offset, limit = self._checked(index, 1), self._owner.source.limits.max_segment_bytes
        count, where = int(self._counts[index]), f"{self._page.name} piece {index}"
        if max(*self._needed, count) > limit:
            raise RefusedFile("limits", f"pieces of at most {limit} bytes", f"{self._needed[0]} bytes", where)
        data = self._owner.source.at(offset, count)
        if self._compression in JPEG and not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
            raise RefusedFile("decodes", "pixels", "a JPEG stream without its end", where)
        try:
            piece = self._tags.decode(data, index, jpegtables=self._tables)[0]
        except ERRORS as error:
            raise RefusedFile("decodes", "pixels", f"{type(error).__name__}: {error}", where) from error
        if piece is None:
            raise RefusedFile("decodes", "pixels", "nothing", where)
        return np.asarray(piece[0])


class OpenTiff:
    """A TIFF file kept open, with the planes ``tiff.plane`` would find."""

    def __init__(self, key: str, source: Source, cache: Cache) -> None:
        """Walk the file. Raises RefusedFile."""
        findings = Findings()
        self.key, self.source, self.cache = key, source, cache
        self.structure = tw.walk(source, findings)
        pages = tw.main_pages(self.structure) or self.structure.pages
        first = segments.grid(self.structure, pages[0])
        self._file = tifffile.TiffFile(
            io.BufferedReader(SourceStream(source), 1 << 16), is_ome=False, is_lsm=False, _multifile=False
        )
        answer: dict[str, Any] = {"other": {}}
        self._layout = tiff.layout_of(self.structure, pages, first, answer, findings, "", self._file)
        self._levels: OrderedDict[tuple[int, int], list[Level]] = OrderedDict()
        sizes = {axis: self._layout.axes.get(axis, 1) for axis in "czt"}
        top = self.levels(0, 0, 0)
        self.about = {
            "format": self._layout.format, "x": top[0].width, "y": top[0].height, **sizes,
            "samples": top[0].samples, "dtype": top[0].dtype.name, "lossy": first.compression not in LOSSLESS,
            "powers": [one.power for one in top],
        }  # fmt: skip

    def levels(self, c: int, z: int, t: int) -> list[Level]:
        """Return the stored resolutions of a plane, largest first. Raises RefusedFile."""
        index = tiff.index_of(self._layout, c, z, t)
        page = self._layout.pages[0] if self._layout.stacked else self._layout.pages[index]
        key = (page.offset, index if self._layout.stacked else 0)
        found = self._levels.get(key)
        if found is None:
            found = self._levels[key] = self._open(page, index)
            while len(self._levels) > _PAGES:
                self._levels.popitem(last=False)
        else:
            self._levels.move_to_end(key)
        return found

    def close(self) -> None:
        """Close the file and give up what is held of it."""
        self.cache.forget(self.key)
        self._file.close()
        self.source.stream.close()

    def tifffile_page(self, page: Directory) -> Any:
        """Return tifffile's reading of a directory. Raises RefusedFile."""
        try:
            self._file.filehandle.seek(page.offset)
            return tifffile.TiffPage(self._file, 0)
        except (*ERRORS, tifffile.TiffFileError) as error:
            raise RefusedFile(
                "parses", "a directory", f"{type(error).__name__}: {error}", page.name
            ) from error

    def _open(self, page: Directory, index: int) -> list[Level]:
        base = None
        if self._layout.stacked and index:
            cut = segments.grid(self.structure, page)
            base = cut.offsets[0] + index * cut.page_bytes
        top = PageLevel(self, page, 0, base)
        if base is not None:
            return [top]
        stored: list[Level] = [top]
        for lower in self._lower(page):
            level = self._level_of(lower, top)
            if level is not None and level.power > stored[-1].power:
                stored.append(level)
        return stored

    def _lower(self, page: Directory) -> list[Directory]:
        """Return what may be lower resolutions: a page's own, or a single page's reduced ones."""
        if page.subs or len(self._layout.pages) != 1:
            return page.subs
        return [one for one in self.structure.pages if self.structure.number(one, tw.SUBFILE_TYPE) & 1]

    def _level_of(self, page: Directory, top: PageLevel) -> Level | None:
        """Return a directory as a level where its size is a whole power of two below; else None."""
        width, height = self.structure.number(page, tw.WIDTH), self.structure.number(page, tw.LENGTH)
        for power in range(1, 31):
            if all(
                small in (max(1, full >> power), -(-full // (1 << power)))
                for small, full in ((width, top.width), (height, top.height))
            ):
                level = PageLevel(self, page, power)
                same = (level.samples, level.dtype) == (top.samples, top.dtype)
                return level if same else None
        return None
