"""One bit flipped anywhere in a bundle: exit 1, the damaged part named, never 2, 3 or a traceback."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator

import pytest
from bundle_lab import Lab

from coverslip.verifier import keys as trusted, statement, zipformat
from coverslip.verifier.report import FINDING, HOLDS
from coverslip.verifier.zipread import Container


@pytest.fixture(autouse=True)
def _quick_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Personal signatures of undamaged statements are checked once, not thousands of times."""
    monkeypatch.setattr(statement, "check_scheme", functools.lru_cache(maxsize=None)(trusted.check_scheme))
    monkeypatch.setattr(
        trusted.NoteKey, "verify", functools.lru_cache(maxsize=4096)(trusted.NoteKey.verify), raising=True
    )


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab().live()


@pytest.fixture(scope="module")
def honest(lab: Lab) -> bytes:
    data = lab.bundle(extra={"anchors/one": lab.checkpoint(5)})
    report = lab.verify(data)
    assert report.exit_code == HOLDS, report.text()
    return data


def _container(data: bytes) -> Container:
    import io

    found = Container(io.BytesIO(data))
    assert found.fault == ""
    return found


def _spans(data: bytes) -> Iterator[tuple[str, str, int, int]]:
    """Yield (kind, member, start, stop) for every byte of a bundle, in order."""
    found = _container(data)
    for entry in found.entries:
        yield "header", entry.name, entry.offset, entry.data_offset
        yield "content", entry.name, entry.data_offset, entry.data_offset + entry.size
    offset = found.stop
    for entry in found.entries:
        size = len(zipformat.central_header(entry))
        yield "header", entry.name, offset, offset + size
        offset += size
    yield "header", found.entries[-1].name, offset, len(data)


def test_the_spans_cover_every_byte_once(honest: bytes) -> None:
    position = 0
    for _, _, start, stop in _spans(honest):
        assert start == position
        position = stop
    assert position == len(honest)


def _flip(lab: Lab, honest: bytes, offset: int, bit: int, member: str) -> None:
    damaged = bytearray(honest)
    damaged[offset] ^= 1 << bit
    report = lab.verify(bytes(damaged))
    assert report.exit_code == FINDING, f"byte {offset} of {member}: exit {report.exit_code}"
    named = [one for one in report.findings if one.part == member or f"(near member {member})" in one.message]
    assert named, f"byte {offset} of {member} was named {[one.sentence() for one in report.findings]}"


@pytest.mark.parametrize("part", range(8))
def test_every_structural_byte_is_found_and_named(lab: Lab, honest: bytes, part: int) -> None:
    chosen = random.Random(part)
    for kind, member, start, stop in _spans(honest):
        if kind == "header":
            for offset in range(start, stop):
                if offset % 8 == part:
                    _flip(lab, honest, offset, chosen.randrange(8), member)


@pytest.mark.parametrize(
    "member", ["manifest.json", "manifest.sig", "checkpoint", "policy.json", "anchors/one"]
)
def test_every_byte_of_what_carries_trust_is_found_and_named(lab: Lab, honest: bytes, member: str) -> None:
    chosen = random.Random(member)
    for kind, name, start, stop in _spans(honest):
        if kind == "content" and name == member:
            for offset in range(start, stop):
                _flip(lab, honest, offset, chosen.randrange(8), member)


@pytest.mark.parametrize("part", range(4))
def test_random_bytes_of_every_member_are_found_and_named(lab: Lab, honest: bytes, part: int) -> None:
    chosen = random.Random(f"content {part}")
    spans = [span for span in _spans(honest) if span[0] == "content"]
    for _, member, start, stop in spans:
        for _ in range(40):
            _flip(lab, honest, chosen.randrange(start, stop), chosen.randrange(8), member)


def test_a_damaged_leaf_is_named_by_its_index(lab: Lab, honest: bytes) -> None:
    offset = honest.index(lab.leaves[7])
    damaged = bytearray(honest)
    damaged[offset] ^= 1
    report = lab.verify(bytes(damaged))
    assert any(one.part == "leaves.bin" and one.entry == 7 for one in report.findings)


def test_a_damaged_body_is_named_by_entry_record_and_field(lab: Lab, honest: bytes) -> None:
    damaged = honest.replace(b"+typing error", b"+typing errop", 1)
    report = lab.verify(damaged)
    named = [(one.entry, one.record, one.field) for one in report.findings]
    assert (17, "IMG-2027-000001", "reason") in named
