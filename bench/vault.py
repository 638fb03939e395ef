"""Registering a file in the vault, against ``cp``, ``sha256sum`` and ``sync`` of the same file.

Rules kept here: the same bytes on the same disk, taken in turns, the median of each; the vault hashes
twice (SHA-256 and the chunk tree), keeps its sidecar and reaches the disk before it answers, as its
rival does with ``sync``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from coverslip.vault.local import LocalVault

LIMIT = 1.3
"""Most that registering may cost, as a multiple of the rival."""
ROUNDS = 3


def main(size_bytes: int = 256 << 20) -> int:
    """Print both times and the ratio; return 1 when the limit is missed."""
    with tempfile.TemporaryDirectory(prefix="coverslip-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        block, left = os.urandom(1 << 20), size_bytes
        ours, rival = [], []
        for turn in range(ROUNDS):
            source = folder / f"image-{turn}.tif"
            with source.open("wb") as out:
                out.write(turn.to_bytes(8, "big"))
                for _ in range(left // len(block)):
                    out.write(block)
            os.sync()
            ours.append(_register(folder, source, turn))
            rival.append(_copy(folder, source))
            source.unlink()
    mine, theirs = statistics.median(ours), statistics.median(rival)
    ratio = mine / theirs
    print(f"registering {size_bytes >> 20} MiB in the vault: {mine:.2f} s")
    print(f"cp + sha256sum + sync of the same file: {theirs:.2f} s")
    missed = ratio > LIMIT
    print(f"ratio: {ratio:.2f} (wanted at most {LIMIT}){'  MISSED' if missed else ''}")
    return int(missed)


def _register(folder: Path, source: Path, turn: int) -> float:
    vault = LocalVault(folder / f"vault-{turn}")
    begin = time.perf_counter()
    stored = vault.store(source, 1 << 40)
    passed = time.perf_counter() - begin
    assert stored.size == source.stat().st_size
    shutil.rmtree(folder / f"vault-{turn}")
    return passed


def _copy(folder: Path, source: Path) -> float:
    copy = folder / "copy"
    begin = time.perf_counter()
    subprocess.run(["cp", str(source), str(copy)], check=True)
    subprocess.run(["sha256sum", str(copy)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", str(copy)], check=True)
    passed = time.perf_counter() - begin
    copy.unlink()
    return passed
