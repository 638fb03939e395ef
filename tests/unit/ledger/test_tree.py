"""The tree: what a frontier takes and refuses, and which proofs exist."""

from __future__ import annotations

import hashlib

import pytest

from coverslip.ledger import tree
from coverslip.ledger.tree import EMPTY_ROOT, Frontier, TreeError

LEAVES = [tree.leaf_hash(bytes([number])) for number in range(9)]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert hashlib.sha256().digest() == EMPTY_ROOT == Frontier().root() == tree.root_of([])


def test_leaves_and_nodes_are_told_apart_by_their_prefix() -> None:
    left, right = LEAVES[:2]
    assert tree.node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()
    assert tree.node_hash(left, right) != tree.leaf_hash(left + right)


def test_a_frontier_can_be_stored_and_taken_up_again() -> None:
    whole = Frontier()
    whole.extend(LEAVES)
    first = Frontier()
    first.extend(LEAVES[:6])
    again = Frontier(first.size, list(first.hashes))
    again.extend(LEAVES[6:])
    assert again == whole
    assert again.root() == tree.root_of(LEAVES)
    assert len(whole.hashes) == whole.size.bit_count()


def test_a_copy_cannot_change_its_original() -> None:
    first = Frontier()
    first.extend(LEAVES[:5])
    before = first.root()
    first.copy().extend(LEAVES[5:])
    assert (first.size, first.root()) == (5, before)


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [bytes(31)]), (-1, [bytes(32)])]
)
def test_a_frontier_cannot_be_taken_up_from_other_hashes(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(TreeError):
        Frontier(size, hashes)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33)])
def test_a_leaf_hash_cannot_be_of_another_length(wrong: bytes) -> None:
    frontier = Frontier()
    with pytest.raises(TreeError):
        frontier.append(wrong)
    with pytest.raises(TreeError):
        frontier.extend([LEAVES[0], wrong])
    assert frontier.size == 1
    assert frontier.root() == LEAVES[0]


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_inclusion_proof(index: int, size: int) -> None:
    with pytest.raises(TreeError):
        tree.inclusion_proof(LEAVES[:size], index)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3), (-1, 3), (0, 0)])
def test_a_size_outside_the_tree_has_no_consistency_proof(old: int, size: int) -> None:
    with pytest.raises(TreeError):
        tree.consistency_proof(LEAVES[:size], old)


def test_equal_sizes_need_no_hashes() -> None:
    assert tree.consistency_proof(LEAVES, len(LEAVES)) == []
    assert tree.inclusion_proof(LEAVES[:1], 0) == []
