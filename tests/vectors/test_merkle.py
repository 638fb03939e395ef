"""The reference tree of RFC 6962 implementations, and every way a proof over it can be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from coverslip.ledger import proof, tree
from coverslip.ledger.proof import ProofError

REFERENCE = json.loads((Path(__file__).parent / "data/merkle/reference_tree.json").read_text())
LEAVES = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in REFERENCE["leaves"]]
ROOTS = [bytes.fromhex(REFERENCE["empty_root"]), *map(bytes.fromhex, REFERENCE["roots"])]
GARBAGE = b"\x5a" * 32
INCLUSIONS = [(0, 1), (0, 8), (5, 8), (2, 3), (1, 5), (4, 5), (6, 7)]
CONSISTENCIES = [(1, 8), (6, 8), (2, 5), (4, 8), (3, 7), (7, 8)]


class Inclusion(NamedTuple):
    name: str
    index: int
    size: int
    leaf: bytes
    path: list[bytes]
    root: bytes


class Consistency(NamedTuple):
    name: str
    old: int
    new: int
    root_old: bytes
    root_new: bytes
    path: list[bytes]


def wrong_lists(path: list[bytes], *others: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield ``path`` with something put before, after or into it, taken from it, or changed in it."""
    for name, one in [("garbage", GARBAGE), ("empty hash", b""), *(("root", other) for other in others)]:
        yield f"{name} before", [one, *path]
        yield f"{name} after", [*path, one]
    for place in range(len(path)):
        yield f"without hash {place}", path[:place] + path[place + 1 :]
        yield f"hash {place} twice", path[: place + 1] + path[place:]
        yield f"hash {place} cut", [*path[:place], path[place][:31], *path[place + 1 :]]
        for bit in (0, 100, 255):
            changed = (int.from_bytes(path[place], "big") ^ 1 << bit).to_bytes(32, "big")
            yield f"bit {bit} of hash {place}", [*path[:place], changed, *path[place + 1 :]]
    if path:
        yield "no hashes", []
    if path != path[::-1]:
        yield "reversed", path[::-1]


def wrong_inclusions() -> Iterator[Inclusion]:
    for index, size in INCLUSIONS:
        leaf, root, path = LEAVES[index], ROOTS[size], tree.inclusion_proof(LEAVES[:size], index)
        at = f"leaf {index} of {size}: "
        for other in {index - 1, index + 1, index ^ 2, index + size, index - size, -index - 1} - {index}:
            yield Inclusion(f"{at}index {other}", other, size, leaf, path, root)
        for other in {size * 2, size // 2, 0, -size, size * 16} - {size}:
            yield Inclusion(f"{at}size {other}", index, other, leaf, path, root)
        for name, one in (("garbage", GARBAGE), ("empty", b""), ("root", ROOTS[8 if size < 8 else 7])):
            yield Inclusion(f"{at}leaf is {name}", index, size, one, path, root)
            yield Inclusion(f"{at}root is {name}", index, size, leaf, path, one)
        yield Inclusion(f"{at}root is the empty tree's", index, size, leaf, path, ROOTS[0])
        yield Inclusion(f"{at}leaf and root empty", index, size, b"", path, b"")
        for name, wrong in wrong_lists(path, root, leaf):
            yield Inclusion(f"{at}{name}", index, size, leaf, wrong, root)
    for index, size in ((0, 0), (1, 0), (2, 1)):
        yield Inclusion(f"leaf {index} of {size}", index, size, LEAVES[0], [], LEAVES[0])
        yield Inclusion(f"empty leaf {index} of {size}", index, size, b"", [], b"")


def wrong_consistencies() -> Iterator[Consistency]:
    for old, new in CONSISTENCIES:
        one, other, path = ROOTS[old], ROOTS[new], tree.consistency_proof(LEAVES[:new], old)
        at = f"{old} to {new}: "
        for size in {old - 1, old + 1, old ^ 2, 0, -old} - {old}:
            yield Consistency(f"{at}old size {size}", size, new, one, other, path)
        for size in {new * 2, new // 2, 0, -new} - {new}:
            yield Consistency(f"{at}new size {size}", old, size, one, other, path)
        for name, wrong in (("garbage", GARBAGE), ("empty", b""), ("the empty tree's", ROOTS[0])):
            yield Consistency(f"{at}old root {name}", old, new, wrong, other, path)
            yield Consistency(f"{at}new root {name}", old, new, one, wrong, path)
        yield Consistency(f"{at}roots swapped", old, new, other, one, path)
        yield Consistency(f"{at}sizes and roots swapped", new, old, other, one, path)
        for name, hashes in wrong_lists(path, one, other):
            yield Consistency(f"{at}{name}", old, new, one, other, hashes)
    yield Consistency("equal sizes, two roots", 1, 1, ROOTS[1], ROOTS[2], [])
    yield Consistency("equal sizes, a hash too many", 1, 1, ROOTS[1], ROOTS[1], [GARBAGE])
    yield Consistency("equal sizes, short roots", 1, 1, b"short", b"short", [])
    yield Consistency("both empty", 0, 0, ROOTS[0], ROOTS[0], [])
    yield Consistency("both empty, two roots", 0, 0, ROOTS[0], ROOTS[1], [])
    yield Consistency("both empty, a hash", 0, 0, ROOTS[0], ROOTS[0], [GARBAGE])
    yield Consistency("from nothing", 0, 1, ROOTS[0], ROOTS[1], [])
    yield Consistency("from nothing, a hash", 0, 2, ROOTS[0], ROOTS[2], [GARBAGE])


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    frontier = tree.Frontier()
    frontier.extend(LEAVES[:size])
    assert frontier.root() == tree.root_of(LEAVES[:size]) == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 9))
def test_every_leaf_and_every_earlier_size_of_the_reference_tree_can_be_proved(size: int) -> None:
    for index in range(size):
        path = tree.inclusion_proof(LEAVES[:size], index)
        proof.verify_inclusion(index, size, LEAVES[index], path, ROOTS[size])
    for old in range(1, size + 1):
        steps = tree.consistency_proof(LEAVES[:size], old)
        proof.verify_consistency(old, size, ROOTS[old], ROOTS[size], steps)


@pytest.mark.parametrize("probe", list(wrong_inclusions()), ids=lambda probe: probe.name)
def test_a_wrong_inclusion_probe_cannot_pass(probe: Inclusion) -> None:
    with pytest.raises(ProofError):
        proof.verify_inclusion(probe.index, probe.size, probe.leaf, probe.path, probe.root)


@pytest.mark.parametrize("probe", list(wrong_consistencies()), ids=lambda probe: probe.name)
def test_a_wrong_consistency_probe_cannot_pass(probe: Consistency) -> None:
    with pytest.raises(ProofError):
        proof.verify_consistency(probe.old, probe.new, probe.root_old, probe.root_new, probe.path)
