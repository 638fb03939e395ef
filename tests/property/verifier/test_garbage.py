"""The verifier never crashes: whatever it is handed, it answers in sentences."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from bundle_lab import Lab, resealed
from hypothesis import given, settings, strategies as st

from coverslip.ledger import leaf as leaf_format
from coverslip.ledger.leaf import LeafError
from coverslip.verifier import anchors, leaves, manifest, sections
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import FINDING, BundleError, UsageError
from coverslip.verifier.verify import verify_stream

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@functools.cache
def _lab() -> Lab:
    return Lab().live()


@functools.cache
def _honest() -> bytes:
    return _lab().bundle()


def _judge(data: bytes) -> int:
    report = verify_stream(io.BytesIO(data), Trust.parse(_lab().keys.encode()))
    assert report.text().splitlines()[-1].startswith("verdict: ")
    json.loads(report.json())
    return report.exit_code


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_garbage_is_a_finding(data: bytes) -> None:
    assert _judge(data) == FINDING


@given(st.data())
@settings(max_examples=60)
def test_a_bundle_with_garbage_spliced_in_is_a_finding(data: st.DataObject) -> None:
    honest = _honest()
    start = data.draw(st.integers(0, len(honest)))
    stop = data.draw(st.integers(start, min(len(honest), start + 200)))
    garbage = data.draw(st.binary(max_size=60))
    if honest[start:stop] != garbage:
        assert _judge(honest[:start] + garbage + honest[stop:]) == FINDING


@pytest.mark.parametrize(
    "path", ["checkpoint", "leaves.bin", "bodies/00000000.jsonl", "trail.json", "anchors/one", "index.html"]
)
@given(content=st.binary(max_size=200))
@settings(max_examples=15)
def test_a_member_replaced_by_garbage_under_a_true_seal_is_a_finding(path: str, content: bytes) -> None:
    data = resealed(_lab(), _honest(), lambda members: members.update({path: content}))
    if path != "anchors/one" or content:
        assert _judge(data) == FINDING


@given(value=JSON)
@settings(max_examples=60)
def test_a_body_line_of_any_json_is_a_finding(value: Any) -> None:
    line = json.dumps({"idx": 16, "sections": {"content": {"salt": "0" * 64, "text": json.dumps(value)}}})
    for text in (line, json.dumps(value), json.dumps({"idx": 1, "sections": value})):
        change = functools.partial(_replace_bodies, text.encode() + b"\n")
        assert _judge(resealed(_lab(), _honest(), change)) == FINDING


def _replace_bodies(line: bytes, members: dict[str, bytes]) -> None:
    members["bodies/00000000.jsonl"] = line


@pytest.mark.parametrize(
    "read",
    [
        manifest.parse,
        lambda data: sections.from_line(data),
        lambda data: sections.read("content", data.decode("latin-1")),
        lambda data: sections.read("signature", data.decode("latin-1")),
        lambda data: sections.read("files", data.decode("latin-1")),
        lambda data: list(leaves.split([data])),
        lambda data: list(
            anchors.read(data, "x", "coverslip.example/lab", Trust.parse(_lab().keys.encode()))
        ),
        Trust.parse,
    ],
)
@given(data=st.one_of(st.binary(max_size=300), JSON.map(lambda v: json.dumps(v).encode())))
@settings(max_examples=60)
def test_readers_raise_nothing_but_their_own_fault(read: Callable[[bytes], Any], data: bytes) -> None:
    try:
        read(data)
    except (BundleError, UsageError) as error:
        assert str(error)


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_nesting_is_refused_not_run_out_of_stack(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for read in (manifest.parse, sections.from_line):
        with pytest.raises(BundleError):
            read(deep)
    with pytest.raises(BundleError):
        sections.read("content", deep.decode())


_quick = leaves.Lines()


def _fast(data: bytes) -> leaves.Line | None:
    """Read with a reader that has seen every leaf of the laboratory, so that it knows their forms."""
    for known in _lab().leaves if not _quick.see(_lab().leaves[0]) else ():
        _quick.line(known)
    try:
        return _quick.line(data)
    except LeafError:
        return None


def _slow(data: bytes) -> leaves.Line | None:
    try:
        leaf = leaf_format.parse(data)
    except LeafError:
        return None
    record, about = leaf.record, leaf.about.id if leaf.about else ""
    return leaves.Line(
        leaf.log, leaf.type, record.kind, record.id, record.ver, record.prev or "", leaf.at, about
    )


@given(st.data())
@settings(max_examples=1500)
def test_the_quick_reader_of_leaves_accepts_exactly_what_the_strict_one_does(data: st.DataObject) -> None:
    leaf = bytearray(data.draw(st.sampled_from(_lab().leaves)))
    for _ in range(data.draw(st.integers(0, 2))):
        start = data.draw(st.integers(0, len(leaf)))
        stop = min(len(leaf), start + data.draw(st.integers(0, 3)))
        leaf[start:stop] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"0", b"7", b"f", b"x", b"\x00", b'"', b",", b"null", b"1.0", b"A"])
        )
    assert _fast(bytes(leaf)) == _slow(bytes(leaf))


def test_the_quick_reader_recognises_every_leaf_of_a_form_it_met() -> None:
    for leaf in _lab().leaves:
        _quick.line(leaf)
    assert all(_quick.see(leaf) is not None for leaf in _lab().leaves)
