"""The offline verifier on a long log, against hashing the same bytes.

Rules kept here: the bundle is a whole one of the laboratory the verifier's tests use, its log made long by
versions of documents outside the copy, ten to a document; what is measured is everything the verifier does,
from opening to report, and the report must say that the bundle holds. The rival is the least anybody must
do to know the log's root: read the same log and hash each entry and the tree over them. All of it is one
thread, so processor seconds are counted: on a quiet machine they are the seconds waited, on a busy one they
still compare.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from bench.lab import folder
from bench.rows import Row, Size, at_most, ratio
from coverslip.ledger import leaf as leaf_format
from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.verifier import leaves as leaf_lines
from coverslip.verifier.keys import Trust
from coverslip.verifier.report import HOLDS
from coverslip.verifier.verify import verify_stream

LIMIT = 3.0
"""Most that verifying may cost, as a multiple of hashing the log."""
SECONDS_A_MILLION = 15.0
LABORATORY = Path(__file__).parents[1] / "tests" / "unit" / "exports"
VERSIONS = 10


def measure(size: Size) -> list[Row]:
    """Return the seconds and the ratios to hashing. AssertionError if the bundle is not found to hold."""
    # Ten millions are too many for the memory of the laboratory that makes the bundle.
    entries = min(size.entries, 1_000_000)
    with folder() as place:
        path = place / "bundle.zip"
        keys, root = write(path, entries)
        begin = time.process_time()
        with path.open("rb") as stream:
            report = verify_stream(stream, Trust.parse(keys.encode()), name="bundle.zip")
        mine = time.process_time() - begin
        assert report.exit_code == HOLDS, report.findings[:3]
        theirs, plain = hash_log(path, root), _hash_file(path)
    name = "offline verifier, " + f"{entries:,} entries".replace(",", " ")
    return [
        at_most(name, mine, "s", SECONDS_A_MILLION),
        ratio(name, mine, "s", "reading the log, hashing entries and tree", theirs, most=LIMIT),
        ratio(name, mine, "s", "one SHA-256 over the file", plain),
    ]


def write(path: Path, entries: int) -> tuple[str, bytes]:
    """Write the bundle; return the key list and the root of its log."""
    if str(LABORATORY) not in sys.path:
        sys.path.insert(0, str(LABORATORY))
    laboratory = importlib.import_module("bundle_lab")
    lab = laboratory.Lab().live()
    bodies = lab.copied(lab.scope())
    lab.leaves.extend(_documents(lab, laboratory, entries - len(lab.leaves)))
    with path.open("wb") as out:
        lab.bundle_to(out, bodies=bodies)
    return str(lab.keys), bytes(lab.root())


def _documents(lab: Any, laboratory: Any, count: int) -> Iterator[bytes]:
    """Yield leaves of documents made from two real ones: other identifiers, hashes, times, versions."""
    document, id = lab.content("document", "DOC-0010", "draft"), laboratory.uuid("long")
    made = []
    for act in ("create", "edit"):
        lab.append("document", id, act, lab.otto, {"content": document, "reason": "as asked"})
        made.append(lab.leaves.pop())
    first, later = (_holes(data) for data in made)
    prev, uid = b"", b""
    for n in range(count):
        version = n % VERSIONS + 1
        noise = hashlib.sha256(n.to_bytes(8, "big")).hexdigest().encode()
        entry = b"%012x" % (0x01A1FCE70000 + n)
        entry = entry[:8] + b"-" + entry[8:12] + b"-7" + noise[:3] + b"-8" + noise[3:6] + b"-" + noise[6:18]
        second = n // 10
        at = b"2026-12-%02dT%02d:%02d:%02d.%06dZ" % (
            1 + second // 86_400,
            second // 3600 % 24,
            second // 60 % 60,
            second % 60,
            n % 1_000_000,
        )
        if version == 1:
            uid = b"-".join((noise[:8], noise[8:12], noise[12:16], noise[16:20], noise[20:32]))
        command = b"-".join((noise[32:40], noise[40:44], noise[44:48], noise[48:52], noise[52:64]))
        values: tuple[Any, ...] = (at, noise, noise, command, entry, uid)
        data = first % values if version == 1 else later % (*values, prev, version)
        prev = leaf_hash(data).hex().encode()
        yield data


def _holes(data: bytes) -> bytes:
    """Return a %-format of a leaf: time, two commitments, command, entry, record, then ``prev``, ``ver``."""
    leaf_format.parse(data)
    value = json.loads(data)
    value["at"] = value["cmd"] = value["entry"] = value["record"]["id"] = "@"
    for body in value["bodies"]:
        body["c"] = "@"
    if "prev" in value["record"]:
        value["record"] |= {"prev": "@", "ver": "#"}
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode().replace(b"%", b"%%")
    return text.replace(b'"#"', b"%d").replace(b"@", b"%b")


def hash_log(path: Path, root: bytes) -> float:
    """Return the processor seconds to read the log and hash entries and tree; the root must be right."""
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
