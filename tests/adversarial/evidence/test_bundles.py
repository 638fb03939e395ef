"""The release bundle of the story: any bit flipped is found and named, and it can be checked alone."""

from __future__ import annotations

import functools
import io
import json
import random
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.note import sign
from coverslip.store.anchors import read_file_anchor
from coverslip.store.notes import NoteKey, read_seed
from coverslip.verifier import keys as trusted, statement, zipformat
from coverslip.verifier.report import FINDING, HOLDS, USAGE, Report
from coverslip.verifier.verify import verify_stream
from coverslip.verifier.zipread import Container

PARTS = 6
RANDOM = 300


@pytest.fixture(autouse=True)
def _quick_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signatures over the same bytes are computed once, not hundreds of times."""
    monkeypatch.setattr(statement, "check_scheme", functools.lru_cache(maxsize=None)(trusted.check_scheme))
    monkeypatch.setattr(trusted.NoteKey, "verify", functools.lru_cache(maxsize=4096)(trusted.NoteKey.verify))


@pytest.fixture(scope="module")
def release(story: Any) -> bytes:
    data: bytes = (story.bundles / "release.zip").read_bytes()
    return data


@pytest.fixture(scope="module")
def trust(story: Any) -> trusted.Trust:
    return trusted.Trust.parse((story.home / "keys.txt").read_bytes())


def verify(data: bytes, trust: trusted.Trust, anchors: Path | None = None) -> Report:
    return verify_stream(io.BytesIO(data), trust, anchors=anchors)


def spans(data: bytes) -> Iterator[tuple[str, str, int, int]]:
    """Yield (kind, member, start, stop) over a whole bundle: local, content, central, end."""
    found = Container(io.BytesIO(data))
    assert found.fault == ""
    for entry in found.entries:
        yield "local", entry.name, entry.offset, entry.data_offset
        yield "content", entry.name, entry.data_offset, entry.data_offset + entry.size
    offset = found.stop
    for entry in found.entries:
        size = len(zipformat.central_header(entry))
        yield "central", entry.name, offset, offset + size
        offset += size
    yield "end", found.entries[-1].name, offset, len(data)


def chosen(data: bytes) -> list[tuple[int, str]]:
    """Return (offset, member): all over the file, of every member, and of every field of every header."""
    draw, all_spans = random.Random(20_417), list(spans(data))
    offsets = {draw.randrange(len(data)) for _ in range(RANDOM)}
    for kind, _, start, stop in all_spans:
        if kind == "content" and start < stop:
            offsets |= {draw.randrange(start, stop)}
        elif kind == "end":
            offsets |= set(range(start, stop))
        else:
            offsets |= {draw.randrange(start, stop)}
    # One header of each kind byte by byte: every field of the structure.
    for kind in ("local", "central"):
        start, stop = next((a, b) for k, _, a, b in all_spans if k == kind)
        offsets |= set(range(start, stop))
    return [
        (offset, next(name for _, name, start, stop in all_spans if start <= offset < stop))
        for offset in sorted(offsets)
    ]


def test_the_bundle_holds_as_it_was_written(release: bytes, trust: trusted.Trust) -> None:
    report = verify(release, trust)
    assert report.exit_code == HOLDS, report.text()
    assert len(chosen(release)) >= 450


@pytest.mark.parametrize("part", range(PARTS))
def test_one_bit_anywhere_is_found_and_its_part_named(
    release: bytes, trust: trusted.Trust, part: int
) -> None:
    draw = random.Random(part)
    for offset, member in chosen(release)[part::PARTS]:
        damaged = bytearray(release)
        damaged[offset] ^= 1 << draw.randrange(8)
        report = verify(bytes(damaged), trust)
        where = f"byte {offset} of {member}"
        assert report.exit_code == FINDING, f"{where}: exit {report.exit_code}"
        named = any(f.part == member or f"(near member {member})" in f.message for f in report.findings)
        assert named, f"{where} was named {[one.sentence() for one in report.findings]}"


def test_other_keys_are_not_judged_by(release: bytes) -> None:
    forger = [NoteKey(name, bytes([n]) * 32) for n, name in enumerate(("story.example/site1",
              "story.example/site1/export"))]  # fmt: skip
    text = "".join(f"{one.verifier_key.format()}\n" for one in forger)
    report = verify(release, trusted.Trust.parse(text.encode()))
    assert report.exit_code == USAGE and "verdict: not judged" in report.text()


def test_a_filtered_export_is_marked_everywhere(story: Any, trust: trusted.Trust) -> None:
    data = (story.bundles / "filtered.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        scope = json.loads(archive.read("manifest.json"))["scope"]
        page = archive.read("index.html").decode()
    assert scope["kind"] == "filtered" and scope["withheld"]
    assert len(scope["records"]) + len(scope["withheld"]) == scope["requested"]
    records = page.count("<h2>") - len(re.findall("<h2>(Withheld|Audit trail)</h2>", page))
    assert page.count("INCOMPLETE") >= records + 2
    report = verify(data, trust)
    assert report.exit_code == HOLDS and "INCOMPLETE" in report.text().splitlines()[2]
    assert "left out was not seen" in report.text()


def test_an_evaluation_is_called_so_everywhere(release: bytes, trust: trusted.Trust) -> None:
    with zipfile.ZipFile(io.BytesIO(release)) as archive:
        assert "not for GxP use" in archive.read("index.html").decode()
    assert "not for GxP use" in verify(release, trust).text().splitlines()[1]


def test_a_bundle_of_one_record_holds(story: Any, trust: trusted.Trust) -> None:
    report = verify((story.bundles / "single.zip").read_bytes(), trust)
    assert report.exit_code == HOLDS, report.text()


def test_the_verifier_inside_runs_alone(story: Any, release: bytes, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(release)) as archive:
        (tmp_path / "verify.pyz").write_bytes(archive.read("verify.pyz"))
    alone = [sys.executable, "-I", "-S", "verify.pyz", str(story.bundles / "release.zip"), "--json"]
    done = subprocess.run(
        [*alone, "--keys", str(story.home / "keys.txt")],
        cwd=tmp_path,
        capture_output=True,
        env={},
        check=False,
    )
    assert done.returncode == HOLDS, done.stderr.decode()
    assert json.loads(done.stdout)["verdict"] == "holds"
    damaged = bytearray(release)
    damaged[len(release) // 2] ^= 1
    (tmp_path / "bad.zip").write_bytes(damaged)
    alone[4] = "bad.zip"
    done = subprocess.run(
        [*alone, "--keys", str(story.home / "keys.txt")],
        cwd=tmp_path,
        capture_output=True,
        env={},
        check=False,
    )
    assert done.returncode == FINDING
    (tmp_path / "verify.pyz").unlink()
    (tmp_path / "bad.zip").unlink()
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_an_older_anchor_holds_and_one_of_another_history_does_not(
    story: Any, release: bytes, trust: trusted.Trust, tmp_path: Path
) -> None:
    older = (story.older / "anchors" / "checkpoints").read_bytes()
    (tmp_path / "kept").write_bytes(older)
    report = verify(release, trust, tmp_path)
    assert report.exit_code == HOLDS and "independently held" in report.text(), report.text()
    newest = Checkpoint.parse(read_file_anchor(tmp_path / "kept")[-1].decode().partition("\n\n")[0] + "\n")
    key = NoteKey(newest.origin, read_seed(story.home / "signer" / "signing.key"))
    foreign = Checkpoint(newest.origin, newest.size, bytes(32)).text()
    (tmp_path / "kept").write_bytes(sign(foreign, [key]).to_bytes())
    report = verify(release, trust, tmp_path)
    assert report.exit_code == FINDING
    assert any(one.part == "anchors" and str(newest.size) in one.message for one in report.findings)


def test_an_anchor_newer_than_a_rolled_back_export_is_a_finding(
    story: Any, trust: trusted.Trust, tmp_path: Path
) -> None:
    """The log of an older copy is shorter than what the anchor elsewhere remembers."""
    (tmp_path / "kept").write_bytes((story.home / "anchors" / "checkpoints").read_bytes())
    report = verify((story.bundles / "release.zip").read_bytes(), trust, tmp_path)
    assert report.exit_code == FINDING
    assert any(one.part == "anchors" for one in report.findings)
