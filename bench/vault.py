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
import time
from pathlib import Path

from bench.lab import folder
from bench.rows import Row, Size, ratio
from coverslip.vault.local import LocalVault

LIMIT = 1.3
"""Most that registering may cost, as a multiple of the rival."""
ROUNDS = 3


def measure(size: Size) -> list[Row]:
    """Return both times and their ratio."""
    with folder() as place:
        block = os.urandom(1 << 20)
        ours, rival = [], []
        for turn in range(ROUNDS):
            source = place / f"image-{turn}.tif"
            with source.open("wb") as out:
                out.write(turn.to_bytes(8, "big"))
                for _ in range(size.image // len(block)):
                    out.write(block)
            os.sync()
            ours.append(_register(place, source, turn))
            rival.append(_copy(place, source))
            source.unlink()
    mine, theirs = statistics.median(ours), statistics.median(rival)
    name = f"registering {size.image / 2**30:.3g} GiB in the vault"
    return [ratio(name, mine, "s", "cp + sha256sum + sync", theirs, most=LIMIT)]


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
