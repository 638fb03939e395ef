"""The table: machine facts and rows, as text, JSON or the page of the documentation.

Rules kept here: the machine is told in general words (processor, cores, memory, versions), never by name or
path; a figure stands with its unit and with what it was held against.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import platform
from dataclasses import asdict
from pathlib import Path

from bench.rows import Row
from coverslip.errors import EnvironmentFault
from coverslip.store.server.binaries import EVALUATION, find_binaries


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "disk": _disk(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": _postgres(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def line(row: Row) -> str:
    """Return a row in one line."""
    parts = [f"{row.name}: {number(row.value)} {row.unit}".rstrip()]
    if row.against:
        parts.append(f"{row.against}: {number(row.other)} {row.unit}")
        parts.append(f"ratio {row.ratio:.2f}")
    if row.wanted:
        parts.append(f"wanted {row.wanted}")
    return ", ".join([*parts, verdict(row)])


def verdict(row: Row) -> str:
    """Return held, MISSED, NOT MEASURED, or nothing where nothing is owed."""
    return {"held": "held", "missed": "MISSED", "not measured": "NOT MEASURED", "shown": ""}[row.held]


def number(value: float) -> str:
    """Return a number with about three digits that say something."""
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


_HEADS = ("figure", "measured", "against", "its figure", "ratio", "wanted", "")


def _cells(row: Row) -> tuple[str, ...]:
    peer = row.against != ""
    return (
        row.name, f"{number(row.value)} {row.unit}".strip(), row.against,
        f"{number(row.other)} {row.unit}" if peer else "", f"{row.ratio:.2f}" if peer else "",
        row.wanted, verdict(row),
    )  # fmt: skip


def table(facts: dict[str, str], rows: list[Row]) -> str:
    """Return facts and rows as aligned text."""
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(_HEADS))]
    text = [f"{name:<12}{value}" for name, value in facts.items()] + [""]
    text += [
        "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip()
        for one in cells
    ]
    return "\n".join(text)


def as_json(facts: dict[str, str], rows: list[Row]) -> str:
    """Return facts and rows as JSON; what is not a number is left out."""
    found = [{k: v for k, v in asdict(row).items() if v == v} for row in rows]
    return json.dumps({"machine": facts, "rows": found}, indent=2)


def rows_of(text: str) -> list[Row]:
    """Return the rows of what :func:`as_json` wrote."""
    return [Row(**one) for one in json.loads(text)["rows"]]


def page(facts: dict[str, str], rows: list[Row], *, large: bool) -> str:
    """Return the page of the documentation."""
    how = "make bench-large" if large else "make bench"
    text = [
        "# Figures", "",
        f"Written by `{how}` on one machine in one run; nothing here is from elsewhere.",
        "What the figures mean and where the time goes is told in",
        "[performance](../explanation/performance.md).", "",
        "| machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), "",
        "| figure | measured | against | its figure | ratio | wanted | |", "|---|---|---|---|---|---|---|",
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
    ]  # fmt: skip
    return "\n".join(text) + "\n"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for text in path.read_text("utf-8").splitlines():
            if text.startswith("model name"):
                return text.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _disk() -> str:
    """Return the file system the measurements write to, and one flush of it."""
    import tempfile
    import time

    with tempfile.NamedTemporaryFile() as file:
        taken = []
        for _ in range(50):
            file.write(b"x" * 8192)
            file.flush()
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begin)
    return f"a flush of 8 KiB takes {sorted(taken)[25] * 1e6:.0f} us"


def _postgres() -> str:
    try:
        found = find_binaries(use=EVALUATION)
    except EnvironmentFault as error:
        return f"none ({error.message})"
    return f"{found.label} ({found.origin})"
