"""Any leaf of the form survives writing and reading; any bytes are a leaf or refused in one way."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, strategies as st

from coverslip.ledger import leaf
from coverslip.ledger.commitment import SECTIONS
from coverslip.ledger.leaf import About, Actor, BodyRef, Clock, Files, Leaf, LeafError, Record

UUIDS = st.uuids().map(str)
UUID7S = UUIDS.map(lambda one: f"{one[:14]}7{one[15:19]}8{one[20:]}")
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
CODES = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
TIMES = st.datetimes(timezones=st.just(UTC)).map(leaf.format_time)
CLOCKS = st.builds(
    Clock, st.integers(-(10**9), 10**9), st.sampled_from(sorted(leaf.CLOCK_SOURCES)), st.booleans()
)
ACTORS = st.builds(Actor, UUIDS, UUIDS, st.sampled_from(sorted(leaf.AUTHS)), st.none() | UUIDS)


@st.composite
def streams(draw: st.DrawFn, kinds: st.SearchStrategy[str]) -> Record:
    version = draw(st.integers(1, 9))
    return Record(draw(kinds), draw(UUIDS), version, draw(HASHES) if version > 1 else None)


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    other = draw(st.booleans())
    kinds = (
        st.sampled_from(sorted(leaf.OTHER_STREAMS))
        if other
        else CODES.filter(lambda kind: kind not in leaf.OTHER_STREAMS)
    )
    record = draw(streams(kinds))
    sections = sorted(draw(st.sets(st.sampled_from(sorted(SECTIONS)))))
    earlier = st.none() | st.integers(1, record.ver - 1) if record.ver > 1 else st.none()
    lengths = st.integers(0, 10**6)
    return Leaf(
        log=draw(st.from_regex(r"[a-z]{1,9}\.example/[a-z0-9]{1,9}", fullmatch=True)),
        entry=draw(UUID7S),
        type=draw(st.sampled_from(sorted(leaf.TYPES))),
        act=draw(CODES),
        cmd=draw(UUIDS),
        record=record,
        actor=draw(ACTORS),
        at=draw(TIMES),
        clock=draw(CLOCKS),
        sw="coverslip/0.1.0",
        bodies=tuple(BodyRef(name, draw(HASHES), draw(lengths), draw(earlier)) for name in sections),
        about=draw(st.none() | st.builds(About, CODES, UUIDS, st.integers(0, 9))) if other else None,
        files=draw(st.none() | st.builds(Files, HASHES, lengths)),
        definition=None if other else draw(st.none() | HASHES),
        meaning=draw(st.none() | CODES),
    )


@given(leaves())
def test_a_leaf_survives_writing_and_reading(one: Leaf) -> None:
    data = one.to_bytes()
    assert leaf.parse(data) == one
    assert leaf.parse(data).to_bytes() == data


@given(leaves(), st.data())
def test_a_damaged_leaf_is_another_leaf_or_none(one: Leaf, data: st.DataObject) -> None:
    changed = bytearray(one.to_bytes())
    bit = data.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    assert leaf.hash(bytes(changed)) != leaf.hash(one.to_bytes())
    try:
        other = leaf.parse(bytes(changed))
    except LeafError:
        return
    assert other != one
    assert other.to_bytes() == changed


@given(leaves(), st.data())
def test_a_cut_leaf_cannot_be_read(one: Leaf, data: st.DataObject) -> None:
    written = one.to_bytes()
    with pytest.raises(LeafError):
        leaf.parse(written[: data.draw(st.integers(0, len(written) - 1))])
