"""Checking proofs of inclusion and consistency (RFC 6962, as RFC 9162 section 2.1 spells them out).

A check returns None or raises ProofError with both roots; it never answers false, so a forgotten
``if`` cannot turn a failed proof into a passed one. Hashes of any length but 32 bytes, trees of size
0 and proofs longer or shorter than the two sizes demand are refused before anything is computed.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from coverslip.ledger.failure import ProofError
from coverslip.ledger.tree import HASH_SIZE, node_hash

__all__ = ["ProofError", "root_from_inclusion", "verify_consistency", "verify_inclusion"]


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if ``proof`` shows ``leaf_hash`` to be leaf ``index`` of the tree of ``size`` under ``root``.

    Raises:
        ProofError: it does not, or any of the values is malformed.
    """
    _insist_hash("root", root, b"")
    computed = root_from_inclusion(index, size, leaf_hash, proof)
    if not hmac.compare_digest(computed, root):
        raise ProofError(f"leaf {index} is not in the tree of {size}", root, computed)


def root_from_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to.

    Raises:
        ProofError: no such leaf, a hash that is not 32 bytes, or a proof of the wrong length.
    """
    _insist_size("index", index, 0)
    _insist_size("size", size, index + 1)
    _insist_hash("leaf hash", leaf_hash, b"")
    _insist_hashes(proof, b"")
    node, last, above = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofError(f"inclusion proof of {len(proof)} hashes is too long for size {size}")
        if node & 1 or node == last:
            above = node_hash(sibling, above)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            above = node_hash(above, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError(f"inclusion proof of {len(proof)} hashes is too short for size {size}")
    return above


def verify_consistency(m: int, n: int, root_m: bytes, root_n: bytes, proof: Sequence[bytes]) -> None:
    """Return if ``proof`` shows the tree of ``n`` leaves to extend the tree of ``m``, 1 <= m <= n.

    Raises:
        ProofError: it does not, or any of the values is malformed; ``expected`` and ``computed`` are
            the roots of the tree that failed.
    """
    _insist_size("old size", m, 1)
    _insist_size("new size", n, m)
    _insist_hash("old root", root_m, root_m)
    _insist_hash("new root", root_n, root_n)
    _insist_hashes(proof, root_n)
    if m == n:
        if proof:
            raise ProofError("a proof between equal sizes must be empty", root_n)
        _insist_equal(f"two roots for size {n}", root_n, root_m)
        return
    old, new = _consistency_roots(m, n, root_m, root_n, proof)
    _insist_equal(f"the proof does not lead to the old root of size {m}", root_m, old)
    _insist_equal(f"the proof does not lead to the new root of size {n}", root_n, new)


def _consistency_roots(
    m: int, n: int, root_m: bytes, root_n: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """Return the (old, new) roots that a consistency proof leads to."""
    rest = list(proof)
    if m & (m - 1) == 0:
        rest.insert(0, root_m)
    if not rest:
        raise ProofError("empty consistency proof", root_n)
    node, last = m - 1, n - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise ProofError(f"consistency proof of {len(proof)} hashes is too long", root_n)
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofError(f"consistency proof of {len(proof)} hashes is too short", root_n)
    return old, new


def _insist_size(what: str, value: int, least: int) -> None:
    if type(value) is not int or value < least:
        raise ProofError(f"{what} is {value!r}, must be a whole number of at least {least}")


def _insist_hash(what: str, value: bytes, expected: bytes) -> None:
    if type(value) is not bytes or len(value) != HASH_SIZE:
        raise ProofError(f"{what} is not 32 bytes", expected if type(expected) is bytes else b"")


def _insist_hashes(proof: Sequence[bytes], expected: bytes) -> None:
    for position, item in enumerate(proof):
        _insist_hash(f"proof hash {position}", item, expected)


def _insist_equal(reason: str, expected: bytes, computed: bytes) -> None:
    if not hmac.compare_digest(expected, computed):
        raise ProofError(reason, expected, computed)
