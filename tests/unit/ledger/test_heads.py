"""The heads tree: each record once, in order, and a proof only for what is in it."""

from __future__ import annotations

import time
import tracemalloc
import uuid
from collections.abc import Iterator

import pytest

from coverslip.ledger import canonical, heads
from coverslip.ledger.failure import LeafError, ProofError
from coverslip.ledger.heads import Head, HeadProof, Heads
from coverslip.ledger.tree import inclusion_proof, leaf_hash, root_of


def made(count: int) -> list[Head]:
    ids = sorted(str(uuid.UUID(int=n * 7919 + 1)) for n in range(count))
    return [Head(one, n % 5 + 1, n.to_bytes(32)) for n, one in enumerate(ids)]


def test_an_item_is_canonical_json() -> None:
    (one,) = made(1)
    value = {"record": one.record, "version": one.version, "leaf": one.leaf_hash.hex()}
    assert one.item() == canonical.encode(value)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 100])
def test_root_and_proofs_are_those_of_the_plain_tree(count: int) -> None:
    all_of_them = made(count)
    hashes = [leaf_hash(one.item()) for one in all_of_them]
    found, proofs = heads.build(count * 3, all_of_them, {one.record for one in all_of_them})
    assert found == heads.root_over(count * 3, all_of_them) == Heads(count * 3, count, root_of(hashes).hex())
    for index, one in enumerate(proofs):
        assert list(one.path) == inclusion_proof(hashes, index)
        heads.verify(one, found)
        assert HeadProof.parse(one.value()) == one


def test_no_heads_have_the_root_of_nothing_and_no_proofs() -> None:
    found, proofs = heads.build(9, [], {"x"})
    assert found == heads.root_over(9, []) and found.count == 0 and proofs == []


def test_an_older_version_does_not_lead_to_the_root() -> None:
    found, (one,) = heads.build(30, made(10), {made(10)[4].record})
    older = HeadProof(Head(one.head.record, one.head.version - 1, one.head.leaf_hash), one.index, one.path)
    with pytest.raises((ProofError, LeafError)):
        heads.verify(older, found)
    elsewhere = HeadProof(one.head, one.index + 1, one.path)
    with pytest.raises(ProofError):
        heads.verify(elsewhere, found)


def test_a_record_cannot_stand_in_it_twice_or_out_of_order() -> None:
    one, other = made(2)
    for wrong in ([one, one], [other, one], [one, Head(one.record, 9, one.leaf_hash)]):
        with pytest.raises(LeafError, match="out of order"):
            heads.root_over(5, wrong)
        with pytest.raises(LeafError, match="out of order"):
            heads.build(5, wrong, ())


@pytest.mark.parametrize(
    "detail",
    [{}, {"tree_size": 3, "count": 4, "root": "0" * 64}, {"tree_size": 3, "count": 1, "root": "0" * 63},
     {"tree_size": 3, "count": True, "root": "0" * 64},
     {"tree_size": 3, "count": 1, "root": "0" * 64, "x": 1}],
)  # fmt: skip
def test_what_is_not_of_the_form_is_refused(detail: dict[str, object]) -> None:
    with pytest.raises(LeafError):
        Heads.parse(detail)


def test_a_hundred_thousand_records_take_seconds_and_flat_memory() -> None:
    def many() -> Iterator[Head]:
        for n in range(100_000):
            yield Head(str(uuid.UUID(int=n + 1)), 1, b"\x07" * 32)

    began = time.monotonic()
    found = heads.root_over(200_000, many())
    assert time.monotonic() - began < 20 and found.count == 100_000
    tracemalloc.start()
    heads.root_over(20_000, (one for one, _ in zip(many(), range(10_000), strict=False)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000, "the root needs one hash for each level"
