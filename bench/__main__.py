"""``python -m bench [--large]``: the machine, then each figure, each as a ratio or against its limit.

Exit status: 0 when every figure measured is held, 1 when one is missed. A figure that could not be measured
is named loudly, at once and again at the end; it is no miss, and it is no pass either.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from bench import nuclei, vault, verifier
from coverslip.errors import EnvironmentFault
from coverslip.store.server.binaries import EVALUATION, find_binaries

SMALL, LARGE = (256 << 20, 100_000), (1 << 30, 1_000_000)
NOT_MEASURED = 2


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _postgres() -> str:
    try:
        found = find_binaries(use=EVALUATION)
    except EnvironmentFault as error:
        return f"none ({error.message})"
    return f"{found.label} ({found.origin})"


def machine() -> None:
    """Print what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = os.getloadavg()
    print(f"date        {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC")
    print(f"processor   {_processor()}, {os.cpu_count()} cores, load {load[0]:.1f}")
    print(f"memory      {memory / 2**30:.1f} GiB")
    print(f"system      {platform.platform()}")
    print(f"python      {platform.python_version()}")
    print(f"postgresql  {_postgres()}", flush=True)


def main() -> int:
    """Measure everything and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures owed.")
    parser.add_argument("--large", action="store_true", help="1 GiB and a million entries")
    size, entries = LARGE if parser.parse_args().large else SMALL
    machine()
    figures: dict[str, Callable[[], int]] = {
        "vault": lambda: vault.main(size),
        "verifier": lambda: verifier.main(entries),
        "nuclei": nuclei.main,
    }
    ended = {}
    for name, measure in figures.items():
        print(f"\n== {name}", flush=True)
        ended[name] = measure()
    print("\n== all")
    says = {0: "held", NOT_MEASURED: "NOT MEASURED"}
    for name, status in ended.items():
        print(f"{name:<10}{says.get(status, 'MISSED')}")
    for name in (name for name, status in ended.items() if status == NOT_MEASURED):
        print(f"*** {name}: NOT MEASURED. Set COVERSLIP_SAMPLES to a folder of samples. ***", file=sys.stderr)
    return int(any(status not in (0, NOT_MEASURED) for status in ended.values()))


if __name__ == "__main__":
    sys.exit(main())
