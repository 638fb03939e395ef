"""Proof checks raise with both roots; they never answer and never take malformed hashes."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.ledger import proof, tree
from coverslip.ledger.proof import ProofError

LEAVES = [tree.leaf_hash(bytes([number])) for number in range(7)]
ROOT = tree.root_of(LEAVES)
PATH = tree.inclusion_proof(LEAVES, 4)
OLD = tree.root_of(LEAVES[:3])
STEPS = tree.consistency_proof(LEAVES, 3)


def test_a_good_proof_passes_in_silence() -> None:
    proof.verify_inclusion(4, 7, LEAVES[4], PATH, ROOT)
    proof.verify_consistency(3, 7, OLD, ROOT, STEPS)
    proof.verify_consistency(7, 7, ROOT, ROOT, [])
    assert proof.root_from_inclusion(4, 7, LEAVES[4], PATH) == ROOT


def test_a_failed_proof_names_both_roots() -> None:
    with pytest.raises(ProofError) as caught:
        proof.verify_inclusion(4, 7, LEAVES[5], PATH, ROOT)
    assert caught.value.expected == ROOT
    assert caught.value.computed == proof.root_from_inclusion(4, 7, LEAVES[5], PATH)
    assert ROOT.hex() in str(caught.value)
    with pytest.raises(ProofError) as caught:
        proof.verify_consistency(7, 7, OLD, ROOT, [])
    assert (caught.value.expected, caught.value.computed) == (ROOT, OLD)


@pytest.mark.parametrize(
    ("index", "size"), [(0, 0), (7, 7), (-1, 7), (True, 7), (0, True), ("4", 7), (4.0, 7)]
)
def test_an_index_or_size_that_is_none_cannot_pass(index: Any, size: Any) -> None:
    with pytest.raises(ProofError):
        proof.verify_inclusion(index, size, LEAVES[0], [], LEAVES[0])


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), "x" * 32, None, bytearray(32)])
def test_a_hash_that_is_not_32_bytes_cannot_pass(wrong: Any) -> None:
    for leaf, path, root in ((wrong, [], wrong), (LEAVES[0], [wrong], ROOT), (LEAVES[0], [], wrong)):
        with pytest.raises(ProofError):
            proof.verify_inclusion(0, len(path) + 1, leaf, path, root)
    for old, new, steps in ((wrong, ROOT, STEPS), (OLD, wrong, STEPS), (OLD, ROOT, [wrong, *STEPS[1:]])):
        with pytest.raises(ProofError):
            proof.verify_consistency(3, 7, old, new, steps)
    with pytest.raises(ProofError):
        proof.verify_consistency(1, 1, wrong, wrong, [])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 7), (8, 7), (-1, 7), (True, 1), (3, 7.0)])
def test_sizes_that_cannot_be_consistent_cannot_pass(old: Any, new: Any) -> None:
    for steps in ([], STEPS):
        with pytest.raises(ProofError):
            proof.verify_consistency(old, new, ROOT, ROOT, steps)


def test_an_empty_proof_cannot_bridge_two_sizes() -> None:
    with pytest.raises(ProofError, match="empty"):
        proof.verify_consistency(3, 7, ROOT, ROOT, [])
    with pytest.raises(ProofError, match="too short"):
        proof.verify_consistency(4, 7, ROOT, ROOT, [])


def test_a_proof_of_another_length_has_no_root() -> None:
    for path, found in (([*PATH, ROOT], "too long"), (PATH[:-1], "too short")):
        with pytest.raises(ProofError, match=found):
            proof.root_from_inclusion(4, 7, LEAVES[4], path)
