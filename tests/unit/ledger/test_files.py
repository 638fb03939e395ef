"""File digests: chunk edges, block nodes, ranges of whole blocks, and lists of files."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest

from coverslip.ledger import files, tree
from coverslip.ledger.canonical import CanonicalError
from coverslip.ledger.files import BLOCK_SIZE, LEAF_SIZE, BlockNodes, ChunkTree, FileProofError

CONTENT = bytes(range(256)) * (10 * 1024) + b"tail"  # two blocks and a half


def digest(data: bytes) -> files.FileDigest:
    chunks = ChunkTree()
    chunks.update(data)
    return chunks.finish()


def test_an_empty_file_has_the_root_of_nothing() -> None:
    empty = digest(b"")
    assert empty.root == empty.sha256 == hashlib.sha256().digest()
    assert (empty.size, empty.mib_nodes) == (0, [])
    files.verify_range([], 0, empty.root, 0, b"")


@pytest.mark.parametrize(
    "size", [1, LEAF_SIZE - 1, LEAF_SIZE, LEAF_SIZE + 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(CONTENT)]
)
def test_the_root_is_that_of_the_chunks(size: int) -> None:
    data = CONTENT[:size]
    chunks = [tree.leaf_hash(data[at : at + LEAF_SIZE]) for at in range(0, size, LEAF_SIZE)]
    made = digest(data)
    assert made.root == tree.root_of(chunks) == tree.root_of(made.mib_nodes)
    assert made.sha256 == hashlib.sha256(data).digest()
    assert (made.alg, made.size, made.leaf_size) == ("sha256", size, 65536)
    assert len(made.mib_nodes) == -(-size // BLOCK_SIZE)


def test_a_stream_gives_the_same_digest() -> None:
    assert files.digest_of(io.BytesIO(CONTENT)) == digest(CONTENT)


def test_an_item_names_root_and_flat_hash() -> None:
    made = digest(b"x")
    assert made.item("a/b.tif") == {
        "path": "a/b.tif",
        "size": 1,
        "sha256": made.sha256.hex(),
        "root": made.root.hex(),
    }


MADE = digest(CONTENT)
NODES = MADE.mib_nodes


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 3), (1, 2), (0, 3), (3, 3)])
def test_whole_blocks_can_be_checked_alone(start: int, stop: int) -> None:
    data = CONTENT[start * BLOCK_SIZE : stop * BLOCK_SIZE]
    at = min(start * BLOCK_SIZE, 2 * BLOCK_SIZE) if not data else start * BLOCK_SIZE
    files.verify_range(NODES, MADE.size, MADE.root, at, data)


@pytest.mark.parametrize(
    ("start", "stop", "found"),
    [
        (1, BLOCK_SIZE, "start"),
        (LEAF_SIZE, BLOCK_SIZE, "start"),
        (0, BLOCK_SIZE - 1, "end"),
        (2 * BLOCK_SIZE, MADE.size - 1, "end"),
    ],
)
def test_parts_of_a_block_cannot_be_checked(start: int, stop: int, found: str) -> None:
    with pytest.raises(FileProofError, match=found):
        files.verify_range(NODES, MADE.size, MADE.root, start, CONTENT[start:stop])


@pytest.mark.parametrize("start", [-BLOCK_SIZE, 3 * BLOCK_SIZE, 2 * BLOCK_SIZE])
def test_a_range_outside_the_file_cannot_be_checked(start: int) -> None:
    with pytest.raises(FileProofError):
        BlockNodes(NODES, MADE.size, MADE.root).verify(start, CONTENT[:BLOCK_SIZE])


def test_a_changed_block_is_named() -> None:
    data = bytearray(CONTENT)
    data[BLOCK_SIZE + 77] ^= 4
    with pytest.raises(FileProofError) as caught:
        files.verify_range(NODES, MADE.size, MADE.root, 0, data)
    assert caught.value.block == 1


def test_a_block_cannot_stand_in_another_place() -> None:
    data = CONTENT[2 * BLOCK_SIZE :] + bytes(3 * BLOCK_SIZE - MADE.size)
    with pytest.raises(FileProofError):
        files.verify_range(NODES, MADE.size, MADE.root, 0, data)


@pytest.mark.parametrize(
    ("nodes", "size", "root"),
    [
        (NODES[:2], MADE.size, MADE.root),
        (NODES, MADE.size + BLOCK_SIZE, MADE.root),
        (NODES, -1, MADE.root),
        (NODES, MADE.size, bytes(32)),
        (NODES[::-1], MADE.size, MADE.root),
        ([*NODES[:2], NODES[2][:31]], MADE.size, MADE.root),
        ([], 0, MADE.root),
    ],
)
def test_nodes_that_are_not_the_files_cannot_be_used(nodes: list[bytes], size: int, root: bytes) -> None:
    with pytest.raises(FileProofError):
        BlockNodes(nodes, size, root)


def test_a_span_covers_whole_blocks() -> None:
    size = MADE.size
    assert files.block_span(BLOCK_SIZE + 5, BLOCK_SIZE + 6, size) == (BLOCK_SIZE, 2 * BLOCK_SIZE)
    assert files.block_span(size - 1, size, size) == (2 * BLOCK_SIZE, size)
    assert files.block_span(7, 7, size) == (0, 0)
    for start, stop in ((-1, 2), (3, 2), (0, size + 1)):
        with pytest.raises(FileProofError):
            files.block_span(start, stop, size)


def item(path: str) -> dict[str, Any]:
    return digest(path.encode()).item(path)


def test_a_list_has_one_root_whatever_order_it_was_found_in() -> None:
    names = ["b", "a/c", "a.txt", "Z", "é"]
    found = [item(name) for name in names]
    assert files.list_root(files.sorted_items(found)) == files.list_root(files.sorted_items(found[::-1]))
    assert [one["path"] for one in files.sorted_items(found)] == ["Z", "a.txt", "a/c", "b", "é"]
    assert files.list_root([]) == tree.EMPTY_ROOT


def test_any_change_of_a_list_changes_its_root() -> None:
    base = files.list_root([item("a"), item("b")])
    assert files.list_root([item("a")]) != base
    assert files.list_root([item("a"), item("c")]) != base
    assert files.list_root([item("a"), {**item("b"), "size": 2}]) != base


def test_a_list_out_of_order_or_with_a_path_twice_has_no_root() -> None:
    for wrong in ([item("b"), item("a")], [item("a"), item("a")], [{"size": 1}], [{**item("a"), "path": ""}]):
        with pytest.raises(FileProofError):
            files.list_root(wrong)
    with pytest.raises(CanonicalError):
        files.list_root([{**item("a"), "size": 1.5}])
