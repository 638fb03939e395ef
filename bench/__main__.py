"""``python -m bench``: one table of what was measured here, each figure as a ratio or against its limit.

    python -m bench [--only NAME]... [--large] [--quick] [--json] [--write]

``--write`` puts the table into ``docs/reference/figures.md``. Exit status: 0 when every figure is held, 1
when one is missed. What could not be measured is named loudly; it is no miss, and it is no pass either.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path

from bench import report
from bench.rows import NotMeasured, Row, Size

MEASUREMENTS = (
    "commands", "concurrency", "sequencing", "longledger", "verifier", "signing", "vault", "memory", "nuclei",
    "tiles", "pages",
)  # fmt: skip
"""Modules of this package, in the order measured; each has ``measure(size) -> list[Row]``."""
SIZES = {
    "usual": Size(),
    "large": Size(entries=10_000_000, entries_before=1_000_000, image=10 << 30),
    "quick": Size(entries=22_000, entries_before=11_000, image=16 << 20, seconds=1.0, rounds=2, series=5),
}
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "figures.md"


def main(arguments: list[str] | None = None) -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures owed.")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure these only")
    parser.add_argument("--large", action="store_true", help="10 million entries, 10 GiB (hours)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run? Figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.add_argument("--write", action="store_true", help="write the table to docs/reference/figures.md")
    parser.add_argument("--inside", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    size = SIZES["large" if chosen.large else "quick" if chosen.quick else "usual"]
    if chosen.inside:
        return _inside(chosen.inside, size)
    machine, rows = report.machine(), list[Row]()
    for name in chosen.only or MEASUREMENTS:
        rows += _measured(name, chosen)
    print(report.as_json(machine, rows) if chosen.json else report.table(machine, rows), flush=True)
    if chosen.write:
        PAGE.write_text(report.page(machine, rows, large=chosen.large), encoding="utf-8")
    for row in rows:
        if row.held == "not measured":
            print(f"*** {row.name}: NOT MEASURED. {row.wanted} ***", file=sys.stderr)
    return int(any(row.held == "missed" for row in rows))


def _measured(name: str, chosen: argparse.Namespace) -> list[Row]:
    """Measure in a process of its own: nothing that one leaves behind, or breaks, meets the next."""
    begin = time.monotonic()
    print(f"== {name}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "bench", "--inside", name]
    command += [f"--{word}" for word in ("large", "quick") if getattr(chosen, word)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        rows = [Row(name, float("nan"), "", wanted="to be measured; it failed", held="missed")]
    else:
        rows = report.rows_of(done.stdout)
    for row in rows:
        print(f"   {report.line(row)}", file=sys.stderr)
    print(f"   took {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
    return rows


def _inside(name: str, size: Size) -> int:
    try:
        rows: list[Row] = importlib.import_module(f"bench.{name}").measure(size)
    except NotMeasured as why:
        rows = [Row(name, float("nan"), "", wanted=str(why), held="not measured")]
    print(report.as_json({}, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
