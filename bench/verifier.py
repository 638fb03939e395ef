"""The offline verifier on a long log, against hashing the same bytes.

Rules kept here: the bundle is a whole one of the laboratory the verifier's tests use, its log made long by
versions of a document outside the copy; what is measured is everything the verifier does, from opening
to report, and the report must say that the bundle holds. The rival is the least anybody must do to know the
log's root: read the same log and hash each entry and the tree over them, here with ``ledger.tree``; one
plain SHA-256 over the whole file is printed beside it. All of it is one thread, so processor seconds are
counted: on a quiet machine they are the seconds waited, on a busy one they still compare.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZipFile

from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.verifier import leaves as leaf_lines
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import HOLDS
from coverslip.verifier.verify import verify_stream

LIMIT = 3.0
"""Most that verifying may cost, as a multiple of hashing the log."""
SECONDS_A_MILLION = 15.0
LABORATORY = Path(__file__).parents[1] / "tests" / "unit" / "exports"


def main(entries: int = 100_000) -> int:
    """Print the times and their ratio; return 1 when a limit is missed or the bundle is not found to hold."""
    with tempfile.TemporaryDirectory(prefix="coverslip-bench-") as name:
        path = Path(name) / "bundle.zip"
        keys, root = _write(path, entries)
        begin = time.process_time()
        with path.open("rb") as stream:
            report = verify_stream(stream, Trust.parse(keys.encode()), name="bundle.zip")
        mine = time.process_time() - begin
        theirs, plain, size = _hash_log(path, root), _hash_file(path), path.stat().st_size
    ratio, million = mine / theirs, mine / entries * 1e6
    print(f"verifying a bundle of {entries} entries, {size / 1e6:.0f} MB: {mine:.2f} s of processor time")
    print(f"reading its log and hashing entries and tree: {theirs:.2f} s")
    print(f"one SHA-256 over the whole file: {plain:.2f} s, ratio {mine / plain:.1f}")
    print(f"ratio: {ratio:.2f} (wanted at most {LIMIT}){'' if ratio <= LIMIT else '  MISSED'}")
    slow = million > SECONDS_A_MILLION
    print(f"a million entries at this pace: {million:.1f} s (wanted at most {SECONDS_A_MILLION:g} s)"
          f"{'  MISSED' if slow else ''}")  # fmt: skip
    held = report.exit_code == HOLDS
    if not held:
        print("THE BUNDLE DID NOT HOLD")
    return int(not held or slow or ratio > LIMIT)


def _write(path: Path, entries: int) -> tuple[str, bytes]:
    """Write the bundle; return the key list and the root of its log."""
    sys.path.insert(0, str(LABORATORY))
    laboratory = importlib.import_module("bundle_lab")

    lab = laboratory.Lab().live()
    document = lab.content("document", "DOC-0010", "draft")
    for index in range(len(lab.leaves), entries):
        minute, second = divmod(index, 60)
        at = f"2026-11-22T{minute // 60 % 24:02d}:{minute % 60:02d}:{second:02d}.000000Z"
        content = document | {"fields": {"note": f"Version {index} of a text that is a sentence long."}}
        lab.append(
            "document", laboratory.uuid("long"), "edit" if index % 1000 else "create", lab.otto,
            {"content": content, "reason": "as asked"}, forge_leaf={"at": at},
        )  # fmt: skip
    with path.open("wb") as out:
        lab.bundle_to(out)
    return str(lab.keys), bytes(lab.root())


def _hash_log(path: Path, root: bytes) -> float:
    begin, frontier = time.process_time(), Frontier()
    with ZipFile(path) as archive, archive.open("leaves.bin") as stream:
        frontier.extend(map(leaf_hash, leaf_lines.split(iter(lambda: stream.read(1 << 20), b""))))
    passed = time.process_time() - begin
    assert frontier.root() == root
    return passed


def _hash_file(path: Path) -> float:
    begin, total = time.process_time(), hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total.update(block)
    total.hexdigest()
    return time.process_time() - begin
