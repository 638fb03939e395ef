"""The heads: a Merkle tree over the newest version of every record at one size of the log.

A ``heads`` entry holds its root, so that the proof of one record in it shows which version was the newest
of that record then. Rules kept here:

* An item is the canonical JSON of record id, version and leaf hash; items are in rising order of the id,
  each id once, so that a record cannot stand in it with two versions.
* The tree is that of RFC 6962, hashed like every other here. Whoever adds heads keeps 32 bytes for each at
  most, never the heads.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from coverslip.ledger import proof
from coverslip.ledger.failure import LeafError
from coverslip.ledger.tree import EMPTY_ROOT, HASH_SIZE, Frontier, inclusion_path, leaf_hash, node_hash

__all__ = ["Head", "HeadProof", "Heads", "build", "root_over", "verify"]

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest version of a record: its id (uuid), version (from 1) and leaf hash (32 bytes)."""

    record: str
    version: int
    leaf_hash: bytes

    def item(self) -> bytes:
        """Return the canonical JSON that is hashed. Raises LeafError for what is no head."""
        if not _UUID.fullmatch(self.record) or self.version < 1 or len(self.leaf_hash) != HASH_SIZE:
            raise LeafError(f"no head: {self.record[:40]} version {self.version}")
        return (
            f'{{"leaf":"{self.leaf_hash.hex()}","record":"{self.record}","version":{self.version}}}'.encode()
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """What a ``heads`` entry says: the tree size described, the number of records and the root (hex)."""

    tree_size: int
    count: int
    root: str

    def value(self) -> dict[str, Any]:
        """Return the detail of the entry."""
        return {"tree_size": self.tree_size, "count": self.count, "root": self.root}

    @classmethod
    def parse(cls, detail: Mapping[str, Any]) -> Heads:
        """Read the detail of an entry. Raises LeafError unless it is exactly of the form."""
        size, count, root = (detail.get(name) for name in ("tree_size", "count", "root"))
        if (
            type(size) is not int or type(count) is not int or not isinstance(root, str)
            or not 0 <= count <= size or not _HEX.fullmatch(root) or len(detail) != 3
        ):  # fmt: skip
            raise LeafError("heads are tree_size, count and root")
        return cls(size, count, root)


@dataclass(frozen=True, slots=True)
class HeadProof:
    """That a head stands at ``index`` of the sorted heads: audit path from the leaf to the root."""

    head: Head
    index: int
    path: tuple[bytes, ...]

    def value(self) -> dict[str, Any]:
        """Return the proof as bundles write it."""
        return {
            "record": self.head.record, "version": self.head.version, "leaf": self.head.leaf_hash.hex(),
            "index": self.index, "path": [one.hex() for one in self.path],
        }  # fmt: skip

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> HeadProof:
        """Read a proof. Raises LeafError unless it is exactly of the form."""
        record, version, leaf, index, path = (
            value.get(name) for name in ("record", "version", "leaf", "index", "path")
        )
        if (
            not isinstance(record, str) or not _UUID.fullmatch(record)
            or type(version) is not int or version < 1
            or not isinstance(leaf, str) or not _HEX.fullmatch(leaf)
            or type(index) is not int or index < 0 or not isinstance(path, list) or len(path) > 64
            or not all(isinstance(one, str) and _HEX.fullmatch(one) for one in path) or len(value) != 5
        ):  # fmt: skip
            raise LeafError("a proof of a head is record, version, leaf, index and path")
        found = Head(record, version, bytes.fromhex(leaf))
        return cls(found, index, tuple(bytes.fromhex(one) for one in path))


def root_over(tree_size: int, heads: Iterable[Head]) -> Heads:
    """Return the heads of ``tree_size`` leaves, in memory that does not grow with them.

    ``heads`` come in rising order of the record id. Raises LeafError when they do not.
    """
    frontier, last = Frontier(), ""
    for one in heads:
        last = _rising(one, last)
        frontier.append(leaf_hash(one.item()))
    return Heads(tree_size, frontier.size, frontier.root().hex())


def build(tree_size: int, heads: Iterable[Head], wanted: Collection[str]) -> tuple[Heads, list[HeadProof]]:
    """Return the heads and the proofs of the records ``wanted`` (ids), in their order in the tree.

    Keeps 64 bytes a record. A wanted record that is not there has no proof.
    """
    hashes, places, last = bytearray(), list[tuple[int, Head]](), ""
    for index, one in enumerate(heads):
        last = _rising(one, last)
        hashes += leaf_hash(one.item())
        if one.record in wanted:
            places.append((index, one))
    levels = _levels(hashes)
    count = len(hashes) // HASH_SIZE

    def subtree(start: int, stop: int) -> bytes:
        # A node of level L at position n is the root of leaves n * 2**L up to the next, or to the end.
        level = (stop - start - 1).bit_length()
        at = (start >> level) * HASH_SIZE
        return bytes(levels[level][at : at + HASH_SIZE])

    proofs = [HeadProof(one, index, tuple(inclusion_path(index, count, subtree))) for index, one in places]
    root = bytes(levels[-1]) if count else EMPTY_ROOT
    return Heads(tree_size, count, root.hex()), proofs


def verify(found: HeadProof, heads: Heads) -> None:
    """Return if the proof leads to the root of ``heads``. Raises ProofError or LeafError if not."""
    hashed = leaf_hash(found.head.item())
    proof.verify_inclusion(found.index, heads.count, hashed, list(found.path), bytes.fromhex(heads.root))


def _rising(one: Head, last: str) -> str:
    if one.record <= last:
        raise LeafError(f"heads out of order: {one.record} after {last}")
    return one.record


def _levels(hashes: bytearray) -> list[bytearray]:
    levels = [hashes]
    while len(levels[-1]) > HASH_SIZE:
        below, above = levels[-1], bytearray()
        for at in range(0, len(below), 2 * HASH_SIZE):
            left, right = below[at : at + HASH_SIZE], below[at + HASH_SIZE : at + 2 * HASH_SIZE]
            above += node_hash(bytes(left), bytes(right)) if right else left
        levels.append(above)
    return levels
