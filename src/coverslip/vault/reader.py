"""Reading objects so that damaged bytes are never returned.

Every read covers whole 1 MiB blocks, and each block is held against the sidecar's nodes, which fold
to the object's name. A mismatch raises HASH and names object and byte range.
"""

from __future__ import annotations

import io
import os
from typing import Final

from coverslip.errors import CoverslipError, EvidenceBroken, Invalid
from coverslip.ledger.files import BLOCK_SIZE, BlockNodes, FileProofError, block_span
from coverslip.vault.disk import Disk, guarded

_WHOLE: Final = 8 * BLOCK_SIZE


class VerifiedReader:
    """Random access to one object. Thread-safe: it keeps no position. Close it after use."""

    def __init__(self, disk: Disk, descriptor: int, name: str, nodes: BlockNodes) -> None:
        self._disk = disk
        self._descriptor = descriptor
        self._name = name
        self._nodes = nodes
        self.size = nodes.size

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes ``offset`` to ``offset + length``, verified.

        Raises:
            Invalid: VAL_RANGE, the range is not inside the file.
            EvidenceBroken: HASH, the bytes on disk are not the ones stored.
            EnvironmentFault: ENVIRONMENT, the disk cannot be read.
        """
        if offset < 0 or length < 0 or offset + length > self.size:
            value, limits = f"{offset} to {offset + length}", f"0 to {self.size}"
            raise Invalid("VAL_RANGE", field="byte range", value=value, limits=limits)
        start, stop = block_span(offset, offset + length, self.size)
        with guarded("reading an object"):
            data = self._disk.read(self._descriptor, stop - start, start)
        if len(data) != stop - start:
            found = f"the file ends at byte {start + len(data)}"
            raise damaged(self._name, f"bytes {start} to {stop}", found)
        try:
            self._nodes.verify(start, data)
        except FileProofError as error:
            first = (error.block if error.block is not None else start // BLOCK_SIZE) * BLOCK_SIZE
            span = f"bytes {first} to {min(first + BLOCK_SIZE, self.size)}"
            raise damaged(self._name, span, "their hash differs from the one stored") from error
        return data[offset - start : offset - start + length]

    def close(self) -> None:
        """Close the file. Reading afterwards raises ENVIRONMENT."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class VerifiedStream(io.RawIOBase):
    """An object as a read-only, seekable binary stream over a VerifiedReader."""

    def __init__(self, reader: VerifiedReader) -> None:
        self._reader = reader
        self._position = 0
        self._cached = (0, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._reader.size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the start of the file")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._reader.size - self._position))
        if wanted == 0:
            return 0
        start, data = self._cached
        if not start <= self._position < start + len(data):
            start = self._position - self._position % BLOCK_SIZE
            length = min(_WHOLE if wanted >= _WHOLE else BLOCK_SIZE, self._reader.size - start)
            data = self._reader.read(start, length)
            self._cached = (start, data)
        piece = data[self._position - start :][:wanted]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        self._reader.close()
        super().close()


def damaged(name: str, where: str, found: str) -> CoverslipError:
    """Return the HASH error for an object; the message names object and byte range."""
    message = f"Stored object {name} does not match its hash at {where}: {found}."
    return EvidenceBroken("HASH", record=name, message=message, where=where, found=found)
