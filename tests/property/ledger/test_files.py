"""File digests do not depend on how content arrives; any range checks, any flipped byte is found."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from coverslip.ledger import files, tree
from coverslip.ledger.files import BLOCK_SIZE, LEAF_SIZE, BlockNodes, ChunkTree, FileProofError

WHOLE = bytes(hashlib.shake_256(b"content").digest(3 * BLOCK_SIZE + 5 * LEAF_SIZE + 77))
EDGES = [0, 1, LEAF_SIZE, BLOCK_SIZE, 2 * BLOCK_SIZE, len(WHOLE)]
SIZES = st.sampled_from([edge + step for edge in EDGES for step in (-1, 0, 1)]).filter(
    lambda size: 0 <= size <= len(WHOLE)
) | st.integers(0, len(WHOLE))


def digest(data: bytes) -> files.FileDigest:
    chunks = ChunkTree()
    chunks.update(data)
    return chunks.finish()


@settings(max_examples=30)
@given(SIZES, st.lists(st.integers(0, len(WHOLE)), max_size=8))
def test_pieces_of_any_length_give_the_same_digest(size: int, cuts: list[int]) -> None:
    data = WHOLE[:size]
    places = [0, *sorted(min(cut, size) for cut in cuts), size]
    chunks = ChunkTree()
    for start, stop in pairwise(places):
        chunks.update(memoryview(data)[start:stop])
    made = chunks.finish()
    leaves = [tree.leaf_hash(data[at : at + LEAF_SIZE]) for at in range(0, size, LEAF_SIZE)]
    assert made == digest(data)
    assert made.root == tree.root_of(leaves)
    assert made.sha256 == hashlib.sha256(data).digest()


@settings(max_examples=40)
@given(SIZES.filter(bool), st.data())
def test_any_range_checks_and_any_flipped_bit_is_found_in_its_block(size: int, data: st.DataObject) -> None:
    made = digest(WHOLE[:size])
    start = data.draw(st.integers(0, size - 1))
    low, high = files.block_span(start, data.draw(st.integers(start + 1, size)), size)
    content = bytearray(WHOLE[low:high])
    nodes = BlockNodes(made.mib_nodes, size, made.root)
    nodes.verify(low, content)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FileProofError) as caught:
        nodes.verify(low, content)
    assert caught.value.block == (low + place) // BLOCK_SIZE


@settings(max_examples=20)
@given(st.data())
def test_a_damaged_node_cannot_be_used(data: st.DataObject) -> None:
    made = digest(WHOLE)
    nodes = list(made.mib_nodes)
    place = data.draw(st.integers(0, len(nodes) - 1))
    changed = bytearray(nodes[place])
    changed[data.draw(st.integers(0, 31))] ^= 1
    nodes[place] = bytes(changed)
    with pytest.raises(FileProofError):
        files.verify_range(nodes, made.size, made.root, 0, WHOLE)
