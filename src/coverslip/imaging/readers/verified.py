"""A file whose every byte is held against its hashes before a parser sees it.

Rules kept here:

* Blocks of 1 MiB are hashed when they are first read, once in each opening of the file; bytes whose hash
  differs from the one stored are refused as ``hash`` and never parsed.
* Nothing is believed of the hashes either, until they fold to the root the file is known by.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import BinaryIO

from coverslip.imaging.metadata import Limits
from coverslip.imaging.readers.base import RefusedFile, Source
from coverslip.ledger.files import BLOCK_SIZE, BlockNodes, FileProofError


class VerifiedSource(Source):
    """An open file that is read in verified blocks."""

    def __init__(self, stream: BinaryIO, limits: Limits, root: str, nodes: Sequence[str]) -> None:
        """Take an open file and what is known of it. Raises RefusedFile: ``hash``, another length or root."""
        super().__init__(stream, os.fstat(stream.fileno()).st_size, limits)
        try:
            self._nodes = BlockNodes([bytes.fromhex(node) for node in nodes], self.size, bytes.fromhex(root))
        except (FileProofError, ValueError) as error:
            raise RefusedFile("hash", f"the file of root {root[:16]}", str(error)) from error
        self._seen = bytearray(-(-self.size // BLOCK_SIZE))

    def at(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` verified bytes from ``offset``. Raises RefusedFile: ``hash``."""
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        for block in range(offset // BLOCK_SIZE, (offset + length - 1) // BLOCK_SIZE + 1):
            if not self._seen[block]:
                self._check(block)
        return os.pread(self.stream.fileno(), length, offset)

    def _check(self, block: int) -> None:
        start = block * BLOCK_SIZE
        data = os.pread(self.stream.fileno(), min(BLOCK_SIZE, self.size - start), start)
        try:
            self._nodes.verify(start, data)
        except FileProofError as error:
            where = f"bytes {start} to {start + len(data)}"
            raise RefusedFile("hash", "the bytes that were stored", "their hash differs", where) from error
        self._seen[block] = 1


class SourceStream(io.RawIOBase):
    """A source as a read-only, seekable stream, for parsers that want one."""

    def __init__(self, source: Source) -> None:
        self._source, self._position = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._source.at(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
