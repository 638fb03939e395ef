"""The runner: one job in a process of its own, with limits, and everything about it recorded.

Rules kept here:

* The child gets the planes, the parameters and nothing else: no inherited environment, one thread,
  a fixed hash seed, bounded memory, processor and wall time (IMAGING 5).
* A child that crashes, hangs or grows is a typed failure with its log kept, never a missing result.
* The code hash the child reports must be the registered one.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coverslip.ledger import canonical
from coverslip.ledger.tree import leaf_hash, root_of

LOG_LIMIT = 1 << 20
Failure = Literal["timeout", "signal", "status", "result", "code"]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a run may use: address space and seconds of processor and wall time."""

    address_space_bytes: int = 6 << 30
    cpu_seconds: int = 3600
    wall_seconds: float = 7200


@dataclass(frozen=True, slots=True)
class Input:
    """One field: the number of its image, and its pixels (y, x) or (y, x, samples)."""

    image: str
    pixels: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. ``code_hash`` is the one the algorithm was approved with."""

    entry_point: str
    code_hash: str
    parameters: dict[str, str]
    inputs: tuple[Input, ...]
    limits: RunLimits = RunLimits()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. ``folder`` holds the output files and is gone after the ``with`` block.

    ``rows_root`` is the Merkle root (hex) over the hash of each row's canonical JSON. A run that did not
    complete says why in ``failed`` and in ``failure``; its log is there either way.
    """

    folder: Path
    result: dict[str, Any]
    log: str
    rows_root: str
    failed: str = ""
    failure: Failure | None = None

    @property
    def completed(self) -> bool:
        """Whether the child finished and its result was read."""
        return not self.failed


@contextmanager
def run(job: Job) -> Iterator[Outcome]:
    """Run a job and yield its outcome; output files exist inside the block only.

    A run whose code was not the registered code did not complete, whatever it computed.
    """
    with tempfile.TemporaryDirectory(prefix="coverslip-run-") as name:
        folder = Path(name)
        _prepare(folder, job)
        status, log = _execute(folder, job.limits)
        yield _outcome(folder, job, status, log)


def _outcome(folder: Path, job: Job, status: int | None, log: str) -> Outcome:
    failure, why = _failure(status, job.limits)
    if failure is not None:
        return Outcome(folder, {}, log, "", why, failure)
    try:
        result = json.loads((folder / "result.json").read_text("utf-8"))
        ran = str(result["code_hash"])
        root = rows_root(folder / "results.csv")
    except (OSError, ValueError, TypeError, KeyError) as error:
        said = f"The run ended without a result that can be read ({type(error).__name__})."
        return Outcome(folder, {}, log, "", said, "result")
    if ran != job.code_hash:
        said = f"The code that ran is {ran[:16]}, not the registered {job.code_hash[:16]}."
        return Outcome(folder, {}, log, "", said, "code")
    return Outcome(folder, result, log, root)


def _prepare(folder: Path, job: Job) -> None:
    inputs = []
    for position, item in enumerate(job.inputs):
        plane = f"plane-{position:05d}.npy"
        np.save(folder / plane, item.pixels, allow_pickle=False)
        inputs.append({"image": item.image, "plane": plane})
    value = {"entry_point": job.entry_point, "parameters": job.parameters, "inputs": inputs}
    (folder / "job.json").write_text(json.dumps(value, sort_keys=True), "utf-8")


def _execute(folder: Path, limits: RunLimits) -> tuple[int | None, str]:
    """Return the exit status, ``None`` for a run ended for its time, and the log."""
    env = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    log = folder / "log.txt"
    command = [sys.executable, "-I", "-m", "coverslip.analysis.child", str(folder)]
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=env,
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: _limit(limits),
        )
        try:
            status: int | None = child.wait(limits.wall_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # it leads a session of its own
            child.wait()
            status = None
    return status, log.read_bytes()[:LOG_LIMIT].decode("utf-8", "replace")


def _limit(limits: RunLimits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.address_space_bytes, limits.address_space_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)


def _failure(status: int | None, limits: RunLimits) -> tuple[Failure | None, str]:
    if status is None:
        return "timeout", f"The run took longer than {limits.wall_seconds:g} s and was ended."
    if status < 0:
        return "signal", f"The run was ended by signal {-status}."
    if status > 0:
        return "status", f"The run ended with status {status}; its log says why."
    return None, ""


def row_hashes(path: Path) -> list[bytes]:
    """Return the leaf hash of each row's canonical JSON, in file order."""
    with path.open(encoding="utf-8", newline="") as source:
        return [leaf_hash(canonical.encode(dict(row))) for row in csv.DictReader(source)]


def rows_root(path: Path) -> str:
    """Return the Merkle root (hex) over the rows of a result table."""
    return root_of(row_hashes(path)).hex()


def digest(path: Path) -> str:
    """Return the SHA-256 (hex) of an output file."""
    with path.open("rb") as source:
        total = sha256()
        while block := source.read(1 << 20):
            total.update(block)
        return total.hexdigest()
