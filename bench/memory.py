"""Memory of taking in and of exporting a large image, above what the process holds when it does nothing.

Rules kept here: a process of its own does the work with the real parts (door, vault, isolated reader,
exports) after a small image went the same way, so that nothing is loaded for the first time; the peak is
the kernel's own (``VmHWM``, reset before each), not a sample. The reader is another process; its peak is
told apart.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from bench.lab import folder, laboratory
from bench.rows import NotMeasured, Row, Size, at_most, plain
from coverslip.bootstrap import founding
from coverslip.ingest.delivery import PREFIX
from coverslip.ledger import canonical

LIMIT_MB = 300
TILE = 1024


def measure(size: Size) -> list[Row]:
    """Return both peaks in MB above idle."""
    command = [sys.executable, "-m", "bench.memory", str(size.image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotMeasured(f"the measured process failed: {done.stderr.strip().splitlines()[-1:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    label = f"{size.image / 2**30:.3g} GiB image"
    return [
        at_most(f"memory above idle, ingest of a {label}", found["ingest"], "MB", LIMIT_MB),
        at_most(f"memory above idle, export of a {label}", found["export"], "MB", LIMIT_MB),
        plain("memory of that process when idle", found["idle"], "MB"),
        plain("peak of the isolated reader's process", found["reader"], "MB"),
    ]


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1000
    raise NotMeasured("this system does not tell a process its memory")


def _peak(work: Callable[[], None]) -> float:
    """Return how far memory rose above what it was, in MB."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    work()
    return _status("VmHWM") - before


def image(path: Path, size: int) -> None:
    """Write a TIFF of about ``size`` bytes: one plane of 16-bit tiles, each another."""
    across = max(1, int((size / 2) ** 0.5) // TILE)
    down = max(1, round(size / 2 / TILE / TILE / across))
    noise = np.random.default_rng(7).integers(0, 4000, (TILE, TILE), dtype=np.uint16)

    def tiles() -> Iterator[Any]:
        for n in range(across * down):
            yield noise + np.uint16(n % 60_000)

    tifffile.imwrite(
        path,
        tiles(),
        shape=(down * TILE, across * TILE),
        dtype=np.uint16,
        tile=(TILE, TILE),
        bigtiff=True,
        photometric="minisblack",
    )


def deliver(lab: Any, path: Path) -> str:
    """Deliver a file as the instrument does; return the image's number, which must be available."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    told = {"name": path.name, "size": path.stat().st_size, "sha256": digest.hexdigest(), "sequence": 1}
    signed = {"device": lab.n["instrument"], "session": lab.n["session"], **told}
    manifest = told | {"signature": lab.device_key.sign(PREFIX + canonical.encode(signed)).hex()}
    ingest = lab.ingest()
    ingest._limit = 1 << 40
    with path.open("rb") as stream:
        answer = ingest.deliver(lab.n["session"], lab.device(), manifest, stream)
    if answer["state"] != "available":
        raise NotMeasured(f"the image is {answer['state']}: {answer.get('checks')}")
    return str(answer["number"])


def export(lab: Any, number: str, out: Any) -> None:
    """Write the evidence bundle of an image."""
    context = lab.quinn.context  # signing in is an entry too: before the last checkpoint
    with closing(founding.sequencer_of(lab.home, lab.signer)) as sequencer:
        while sequencer.step().integrated:
            pass
    lab.services().exporting.bundle(lab.row(number), context, number, out)


def _process(size: int) -> None:
    with folder() as place, laboratory() as lab:
        small, large = place / "small.tif", place / "large.tif"
        image(small, 4 << 20)
        image(large, size)
        first = deliver(lab, small)
        export(lab, first, io.BytesIO())
        found: dict[str, Any] = {"idle": _status("VmRSS")}
        numbers: list[str] = []
        found["ingest"] = _peak(lambda: numbers.append(deliver(lab, large)))
        with (place / "bundle.zip").open("wb") as out:
            found["export"] = _peak(lambda: export(lab, numbers[0], out))
        if (place / "bundle.zip").stat().st_size < size * 0.9:
            sys.exit("the bundle does not hold the image")
        found["reader"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        print(json.dumps(found))


if __name__ == "__main__":
    _process(int(sys.argv[1]))
