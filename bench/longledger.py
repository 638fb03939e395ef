"""A ledger of a million entries: the trail of one record, and the verification of all.

Rules kept here: the trail is what the interface's history is read with, of records drawn at random, the
95th percentile of many; verification is the whole of ``coverslip ledger verify`` in a fresh process,
findings none; its rival reads the same rows the same way and only hashes them: leaves, tree and bodies.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from bench.filling import Filler, checked
from bench.lab import laboratory
from bench.rows import Row, Size, at_most, plain, ratio
from coverslip.ledger.tree import Frontier, leaf_hash
from coverslip.store.feeds import raw_rows

STEP = 100_000
READS = 400
SECONDS_A_MILLION = 15.0


def measure(size: Size) -> list[Row]:
    """Return the trail's percentiles at both sizes, the verification's seconds and both ratios."""
    with laboratory() as lab:
        filler = Filler(lab)
        _grow(lab, filler, size.entries_before)
        before = trail(lab, filler.uids)
        _grow(lab, filler, size.entries)
        after = trail(lab, filler.uids)
        checked(lab)
        entries = int(lab.ask("select count(*) from ledger.leaf")[0][0])
        seconds, memory = verified(lab)
        hashing = hashed(lab)
    few, many = f"{size.entries_before:,}".replace(",", " "), f"{size.entries:,}".replace(",", " ")
    limit = SECONDS_A_MILLION * max(1.0, size.entries / 1e6)
    return [
        ratio(f"trail of a record, p95, {many} entries", after, "ms", f"{few} entries", before, most=1.5),
        at_most(f"ledger verify, {many} entries", seconds, "s", limit),
        ratio(
            "ledger verify, an entry", seconds / entries * 1e6, "us", "reading and hashing the same bytes",
            hashing / entries * 1e6, most=3,
        ),
        plain("ledger verify, memory of the process", memory, "MB"),
    ]  # fmt: skip


def _grow(lab: Any, filler: Filler, entries: int) -> None:
    """Append until there are so many, a block at a time, as time goes by for a sequencer."""
    while (missing := entries - lab.entries()) >= 11:
        filler.fill(min(missing, STEP))
        filler.integrate()
        print(f"   {lab.entries()} of {entries} entries", file=sys.stderr, flush=True)


def trail(lab: Any, uids: list[str]) -> float:
    """Return the 95th percentile of reading one record's history, in milliseconds."""
    chosen = random.Random(7).choices(uids, k=READS)
    for uid in chosen[:20]:
        lab.reading.history(uid)
    taken = []
    for uid in chosen:
        begin = time.perf_counter()
        entries = lab.reading.history(uid)
        taken.append(time.perf_counter() - begin)
        assert len(entries) == 11
    return statistics.quantiles(taken, n=20)[-1] * 1e3


def verified(lab: Any) -> tuple[float, float]:
    """Return seconds and peak memory (MB) of a process that verifies the ledger; it must find nothing."""
    command = [sys.executable, "-m", "bench.longledger", str(lab.home.root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def hashed(lab: Any) -> float:
    """Return the seconds to read the same rows and hash leaves, tree and bodies."""
    begin, frontier = time.perf_counter(), Frontier()
    with psycopg.connect(**lab.cluster.dsn("cs_verifier")) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for row in raw_rows(conn):
            frontier.append(leaf_hash(row[9]))
            sha256(row[13] or b"").digest()
            sha256(row[15] or b"").digest()
    return time.perf_counter() - begin


def _verify(root: Path) -> None:
    import resource

    from coverslip.bootstrap import checking

    begin = time.perf_counter()
    findings, _ = checking.ledger_verify(root)
    passed = time.perf_counter() - begin
    if findings:
        sys.exit(f"the ledger does not hold: {findings[:3]}")
    print(passed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


if __name__ == "__main__":
    _verify(Path(sys.argv[1]))
