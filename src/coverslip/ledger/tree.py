"""The Merkle tree of RFC 6962 over a log's leaves, and the proofs it gives.

Leaf hashes are ``SHA-256(0x00 || leaf)``, nodes ``SHA-256(0x01 || left || right)``; the empty tree's
root is SHA-256 of nothing. Hashes are 32 raw bytes everywhere; lists of them run from left to right,
proofs from the leaf towards the root, both as RFC 6962 orders them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from coverslip.ledger.failure import TreeError

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "Frontier",
    "TreeError",
    "consistency_path",
    "consistency_proof",
    "inclusion_path",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "root_of",
]

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
SubtreeRoot = Callable[[int, int], bytes]
"""Gives the root of the leaves ``start`` (inclusive) to ``stop`` (exclusive), never empty."""

_sha256: Final = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two 32-byte hashes."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append for ever and to know each root.

    ``hashes`` are the roots of the perfect subtrees that make up ``size`` leaves, largest (leftmost)
    first: one per set bit of ``size``. It is what a store keeps between two integrations.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take up a stored frontier, or start an empty one.

        Raises:
            TreeError: not one 32-byte hash per set bit of ``size``.
        """
        self.size = size
        self.hashes = [bytes(item) for item in hashes]
        if size < 0 or len(self.hashes) != size.bit_count():
            raise TreeError(f"{len(self.hashes)} hashes cannot be the frontier of {size} leaves")
        if any(len(item) != HASH_SIZE for item in self.hashes):
            raise TreeError("a frontier hash is not 32 bytes")

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash. Raises TreeError unless it is 32 bytes."""
        if len(leaf) != HASH_SIZE:
            raise TreeError(f"leaf hash of {len(leaf)} bytes")
        hashes = self.hashes
        size = self.size
        self.size = size + 1
        while size & 1:
            leaf = _sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes, in order. Raises TreeError at the first that is not 32 bytes."""
        hashes = self.hashes
        pop = hashes.pop
        push = hashes.append
        sha256 = _sha256
        for leaf in leaves:
            if len(leaf) != HASH_SIZE:
                raise TreeError(f"leaf hash of {len(leaf)} bytes")
            size = self.size
            self.size = size + 1
            while size & 1:
                leaf = sha256(b"\x01" + pop() + leaf).digest()
                size >>= 1
            push(leaf)

    def root(self) -> bytes:
        """Return the root over all leaves so far; EMPTY_ROOT before the first."""
        if not self.hashes:
            return EMPTY_ROOT
        above = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            above = node_hash(left, above)
        return above

    def copy(self) -> Frontier:
        """Return an independent frontier of the same state."""
        return Frontier(self.size, self.hashes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frontier):
            return NotImplemented
        return self.size == other.size and self.hashes == other.hashes

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Frontier(size={self.size}, root={self.root().hex()})"


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, level by level; a lone last node moves up unchanged."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree over ``hashes``.

    Raises:
        TreeError: no such leaf.
    """
    return inclusion_path(index, len(hashes), lambda start, stop: root_of(hashes[start:stop]))


def consistency_proof(hashes: Sequence[bytes], m: int) -> list[bytes]:
    """Return the proof that the tree over ``hashes`` extends its first ``m`` leaves.

    Raises:
        TreeError: ``m`` is not within 1 and the number of leaves.
    """
    return consistency_path(m, len(hashes), lambda start, stop: root_of(hashes[start:stop]))


def inclusion_path(index: int, size: int, subtree: SubtreeRoot) -> list[bytes]:
    """Return the audit path of leaf ``index`` among ``size`` from any source of subtree roots.

    Raises:
        TreeError: no such leaf.
    """
    if not 0 <= index < size:
        raise TreeError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(subtree(middle, stop))
            stop = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    path.reverse()
    return path


def consistency_path(m: int, size: int, subtree: SubtreeRoot) -> list[bytes]:
    """Return the proof that ``size`` leaves extend their first ``m``; empty when they are equal.

    Raises:
        TreeError: ``m`` is not within 1 and ``size``.
    """
    if not 1 <= m <= size:
        raise TreeError(f"no consistency proof from {m} to {size} leaves")
    path: list[bytes] = []
    start, stop = 0, size
    while m < stop:
        middle = start + _split(stop - start)
        if m <= middle:
            path.append(subtree(middle, stop))
            stop = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    # The old tree's own root is known to the verifier; any smaller subtree it ends on is not.
    if start:
        path.append(subtree(start, stop))
    path.reverse()
    return path


def _split(count: int) -> int:
    """Return the largest power of two smaller than ``count`` (at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def _level_above(level: list[bytes]) -> list[bytes]:
    sha256 = _sha256
    pairs = zip(level[::2], level[1::2], strict=False)
    above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    if len(level) & 1:
        above.append(level[-1])
    return above
