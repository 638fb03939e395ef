"""Hashes of files: an RFC 6962 tree over 64 KiB chunks, checkable piece by piece.

Rules kept here:

* A chunk is a leaf: ``SHA-256(0x00 || chunk)``. Every chunk is 65536 bytes, the last 1 to 65536; an
  empty file has no chunk, so its root is SHA-256 of nothing.
* Blocks are 1 MiB, sixteen chunks; the roots of all blocks (``mib_nodes``) lie beside a file. As 16
  is a power of two, the tree over these nodes has the file's own root: nodes need no trust.
* A set of files is named by the tree over its items in canonical JSON, sorted by path.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from coverslip.ledger import canonical
from coverslip.ledger.failure import FileProofError
from coverslip.ledger.identity import uuid7
from coverslip.ledger.tree import HASH_SIZE, Frontier, leaf_hash, root_of

__all__ = [
    "BLOCK_SIZE",
    "LEAF_SIZE",
    "BlockNodes",
    "ChunkTree",
    "FileDigest",
    "FileProofError",
    "block_span",
    "digest_of",
    "list_root",
    "sorted_items",
    "uuid7",
    "verify_range",
]

ALGORITHM: Final = "sha256"
LEAF_SIZE: Final = 65536
BLOCK_SIZE: Final = 1024 * 1024
_READ: Final = 4 * BLOCK_SIZE


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What is recorded of a file: root of its chunk tree, flat SHA-256, size in bytes.

    ``mib_nodes`` are the roots of its 1 MiB blocks from first to last, none for an empty file.
    """

    alg: str
    size: int
    leaf_size: int
    root: bytes
    sha256: bytes
    mib_nodes: list[bytes]

    def item(self, path: str) -> dict[str, str | int]:
        """Return the ``files`` section item of this file under ``path``."""
        return {"path": path, "size": self.size, "sha256": self.sha256.hex(), "root": self.root.hex()}


class ChunkTree:
    """Hashes a file as it streams by, in pieces of any length, holding at most one chunk."""

    __slots__ = ("_block", "_chunk", "_flat", "_nodes", "_room", "_size", "_whole")

    def __init__(self) -> None:
        self._flat = hashlib.sha256()
        self._chunk = hashlib.sha256(b"\x00")
        self._room = LEAF_SIZE
        self._block = Frontier()
        self._whole = Frontier()
        self._nodes: list[bytes] = []
        self._size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        view = memoryview(data).cast("B")
        self._flat.update(view)
        self._size += len(view)
        while view:
            piece = view[: self._room]
            self._chunk.update(piece)
            self._room -= len(piece)
            if not self._room:
                self._close_chunk()
            view = view[len(piece) :]

    def finish(self) -> FileDigest:
        """Return the digest of all bytes taken. Nothing may be taken afterwards."""
        if self._room < LEAF_SIZE:
            self._close_chunk()
        if self._block.size:
            self._close_block()
        return FileDigest(
            ALGORITHM, self._size, LEAF_SIZE, self._whole.root(), self._flat.digest(), self._nodes
        )

    def _close_chunk(self) -> None:
        self._block.append(self._chunk.digest())
        self._chunk = hashlib.sha256(b"\x00")
        self._room = LEAF_SIZE
        if self._block.size == BLOCK_SIZE // LEAF_SIZE:
            self._close_block()

    def _close_block(self) -> None:
        node = self._block.root()
        self._nodes.append(node)
        self._whole.append(node)
        self._block = Frontier()


class BlockNodes:
    """The block nodes of one file, checked against its recorded root once, then used for any range."""

    __slots__ = ("_nodes", "size")

    def __init__(self, nodes: Sequence[bytes], size: int, root: bytes) -> None:
        """Take nodes found beside a file of ``size`` bytes whose ledger entry names ``root``.

        Raises:
            FileProofError: another number of nodes than the size demands, or nodes not under the root.
        """
        if size < 0 or len(nodes) != -(-size // BLOCK_SIZE):
            raise FileProofError(f"{len(nodes)} block nodes for a file of {size} bytes")
        if any(len(node) != HASH_SIZE for node in nodes):
            raise FileProofError("a block node is not 32 bytes")
        if not hmac.compare_digest(root_of(nodes), root):
            raise FileProofError(f"the block nodes do not lead to the recorded root {root.hex()}")
        self._nodes = tuple(nodes)
        self.size = size

    def verify(self, start: int, data: bytes | bytearray | memoryview) -> None:
        """Return if ``data`` is the file's content from byte ``start``, in whole blocks.

        ``start`` is a multiple of 1 MiB; ``data`` ends at a multiple of it or at the end of the file
        (``block_span`` gives such a range).

        Raises:
            FileProofError: the range is not of whole blocks, or a block differs (``block`` says which).
        """
        view = memoryview(data).cast("B")
        stop = start + len(view)
        if start % BLOCK_SIZE or not 0 <= start <= stop <= self.size:
            raise FileProofError(f"bytes {start} to {stop} do not start a block of {self.size} bytes")
        if stop % BLOCK_SIZE and stop != self.size:
            raise FileProofError(f"bytes {start} to {stop} end within a block")
        for offset in range(0, len(view), BLOCK_SIZE):
            block = (start + offset) // BLOCK_SIZE
            if not hmac.compare_digest(_block_root(view[offset : offset + BLOCK_SIZE]), self._nodes[block]):
                raise FileProofError("content differs from what was recorded", block)


def verify_range(
    nodes: Sequence[bytes], size: int, root: bytes, start: int, data: bytes | bytearray | memoryview
) -> None:
    """Return if ``data`` is the content from byte ``start`` of the file of ``size`` under ``root``.

    Raises:
        FileProofError: the nodes, the range or the content do not fit; see ``BlockNodes``.
    """
    BlockNodes(nodes, size, root).verify(start, data)


def block_span(start: int, stop: int, size: int) -> tuple[int, int]:
    """Return the range of whole blocks around bytes ``start`` to ``stop`` (exclusive) of a file.

    Raises:
        FileProofError: a range that is not within the file.
    """
    if not 0 <= start <= stop <= size:
        raise FileProofError(f"no bytes {start} to {stop} in a file of {size}")
    if start == stop:
        aligned = start - start % BLOCK_SIZE
        return aligned, aligned
    return start - start % BLOCK_SIZE, min(size, -(-stop // BLOCK_SIZE) * BLOCK_SIZE)


def digest_of(stream: BinaryIO) -> FileDigest:
    """Return the digest of a binary stream read to its end, 4 MiB at a time."""
    tree = ChunkTree()
    while piece := stream.read(_READ):
        tree.update(piece)
    return tree.finish()


def sorted_items(items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return file items in the order of the ``files`` section: by path, in code points."""
    return sorted((dict(item) for item in items), key=lambda item: str(item["path"]))


def list_root(items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the root over file items ({path, size, sha256, root}), which must be sorted by path.

    Raises:
        FileProofError: items not in strictly rising order of path, or without a path.
        CanonicalError: an item outside the canonical profile.
    """
    paths = [item.get("path") for item in items]
    if not all(isinstance(path, str) and path for path in paths):
        raise FileProofError("a file item has no path")
    names = [str(path) for path in paths]
    if any(one >= other for one, other in itertools.pairwise(names)):
        raise FileProofError("file items are not sorted by path, or a path is there twice")
    return root_of([leaf_hash(canonical.encode(dict(item))) for item in items])


def _block_root(view: memoryview) -> bytes:
    block = Frontier()
    for offset in range(0, len(view), LEAF_SIZE):
        chunk = hashlib.sha256(b"\x00")
        chunk.update(view[offset : offset + LEAF_SIZE])
        block.append(chunk.digest())
    return block.root()
