"""Three ways to a root agree; every proof holds, and no damaged one does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given, strategies as st

from coverslip.ledger import proof, tree
from coverslip.ledger.proof import ProofError
from coverslip.ledger.tree import Frontier

SIZES = st.integers(1, 70)


def leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + count.to_bytes(2, "big")).digest() for count in range(count)]


def defined_root(hashes: list[bytes]) -> bytes:
    """Merkle tree hash word for word as RFC 6962 section 2.1 defines it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + defined_root(hashes[:split]) + defined_root(hashes[split:])).digest()


def defined_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """Audit path word for word as RFC 6962 section 2.1.1 defines it."""
    if len(hashes) == 1:
        return []
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if index < split:
        return [*defined_path(index, hashes[:split]), defined_root(hashes[split:])]
    return [*defined_path(index - split, hashes[split:]), defined_root(hashes[:split])]


def defined_subproof(old: int, hashes: list[bytes], known: bool = True) -> list[bytes]:
    """Consistency proof word for word as RFC 6962 section 2.1.2 defines it."""
    if old == len(hashes):
        return [] if known else [defined_root(hashes)]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    if old <= split:
        return [*defined_subproof(old, hashes[:split], known), defined_root(hashes[split:])]
    return [*defined_subproof(old - split, hashes[split:], False), defined_root(hashes[:split])]


@given(st.integers(0, 300), st.integers(0, 300))
def test_frontier_levels_and_definition_agree(size: int, cut: int) -> None:
    hashes = leaves(size)
    frontier = Frontier()
    for one in hashes[:cut]:
        frontier.append(one)
    taken_up = Frontier(frontier.size, frontier.hashes)
    taken_up.extend(hashes[cut:])
    assert taken_up.root() == tree.root_of(hashes) == defined_root(hashes)


@given(SIZES, st.data())
def test_inclusion_proofs_are_the_defined_ones_and_hold(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    path = tree.inclusion_proof(hashes, index)
    assert path == defined_path(index, hashes)
    proof.verify_inclusion(index, size, hashes[index], path, tree.root_of(hashes))


@given(SIZES, st.data())
def test_consistency_proofs_are_the_defined_ones_and_hold(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    hashes = leaves(size)
    steps = tree.consistency_proof(hashes, old)
    assert steps == defined_subproof(old, hashes)
    proof.verify_consistency(old, size, tree.root_of(hashes[:old]), tree.root_of(hashes), steps)


def damaged(data: st.DataObject, hashes: list[bytes]) -> list[bytes]:
    """Return the list with one bit flipped, or a hash dropped, repeated, put in, or two swapped."""
    result = list(hashes)
    how = data.draw(st.sampled_from(["flip", "drop", "insert", "swap"] if hashes else ["insert"]))
    place = data.draw(st.integers(0, max(len(hashes) - 1, 0)))
    if how == "flip":
        bit = data.draw(st.integers(0, 255))
        changed = bytearray(result[place])
        changed[bit // 8] ^= 1 << bit % 8
        result[place] = bytes(changed)
    elif how == "drop":
        del result[place]
    elif how == "insert":
        result.insert(place, data.draw(st.sampled_from([*hashes, bytes(32), tree.EMPTY_ROOT])))
    else:
        other = data.draw(st.integers(0, len(hashes) - 1))
        result[place], result[other] = result[other], result[place]
    assume(result != hashes)
    return result


@given(SIZES, st.data())
def test_a_damaged_inclusion_proof_cannot_pass(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    path = damaged(data, tree.inclusion_proof(hashes, index))
    with pytest.raises(ProofError):
        proof.verify_inclusion(index, size, hashes[index], path, tree.root_of(hashes))


@given(st.integers(2, 70), st.data())
def test_a_proof_cannot_serve_another_leaf_place_or_root(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.permutations(range(size)))[:2]
    hashes = leaves(size)
    root = tree.root_of(hashes)
    path = tree.inclusion_proof(hashes, index)
    for place, leaf, above in (
        (other, hashes[index], root),
        (index, hashes[other], root),
        (other, hashes[other], root),
        (index, hashes[index], tree.root_of(hashes[:-1])),
    ):
        with pytest.raises(ProofError):
            proof.verify_inclusion(place, size, leaf, path, above)


@given(st.integers(2, 70), st.data())
def test_a_damaged_consistency_proof_cannot_pass(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    hashes = leaves(size)
    steps = damaged(data, tree.consistency_proof(hashes, old))
    with pytest.raises(ProofError):
        proof.verify_consistency(old, size, tree.root_of(hashes[:old]), tree.root_of(hashes), steps)


@given(st.integers(2, 70), st.data())
def test_a_rewritten_history_has_no_consistency_proof(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, old - 1))
    hashes = leaves(size)
    signed = tree.root_of(hashes[:old])
    hashes[changed] = bytes(32)
    with pytest.raises(ProofError):
        proof.verify_consistency(old, size, signed, tree.root_of(hashes), tree.consistency_proof(hashes, old))


@given(
    st.integers(-2, 40),
    st.integers(-2, 40),
    st.binary(max_size=40),
    st.lists(st.binary(min_size=30, max_size=33), max_size=6),
    st.binary(min_size=32, max_size=32),
)
def test_garbage_is_refused_in_one_way(
    one: int, other: int, leaf: bytes, path: list[bytes], root: bytes
) -> None:
    with pytest.raises(ProofError):
        proof.verify_inclusion(one, other, leaf, path, root)
    if not (one == other and leaf == root):
        with pytest.raises(ProofError):
            proof.verify_consistency(one, other, leaf, root, path)
