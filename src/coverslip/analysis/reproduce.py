"""Reproduction: a run done again, compared number by number.

Rules kept here: whole numbers compare exactly, by hash; decimals within a relative 1e-6 and an absolute
tolerance for their unit; both numbers are kept, and the verdict is one of three sentences.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Verdict = Literal["reproduced exactly", "reproduced within tolerance", "not reproduced"]
RELATIVE: Final = 1e-6
ABSOLUTE: Final = {"centroid_y_px": 1e-6, "centroid_x_px": 1e-6, "mean_intensity": 1e-6}


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: row from 1, column, both texts."""

    row: int
    column: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Verdict, rows compared, and the differences (at most 1 000)."""

    verdict: Verdict
    rows: int
    differences: tuple[Difference, ...]


def compare(first: Path, second: Path) -> Comparison:
    """Compare two result tables (CSV) row by row."""
    with first.open(encoding="utf-8", newline="") as a, second.open(encoding="utf-8", newline="") as b:
        one, other = list(csv.DictReader(a)), list(csv.DictReader(b))
    if len(one) != len(other):
        return Comparison(
            "not reproduced", len(one), (Difference(0, "rows", str(len(one)), str(len(other))),)
        )
    found = [d for i, (x, y) in enumerate(zip(one, other, strict=True), 1) for d in _differences(i, x, y)]
    if not found:
        return Comparison("reproduced exactly", len(one), ())
    near = all(_near(d) for d in found)
    return Comparison(
        "reproduced within tolerance" if near else "not reproduced", len(one), tuple(found[:1000])
    )


def _differences(row: int, one: dict[str, str], other: dict[str, str]) -> list[Difference]:
    columns = sorted(one.keys() | other.keys())
    return [
        Difference(row, c, one.get(c, ""), other.get(c, "")) for c in columns if one.get(c) != other.get(c)
    ]


def _near(difference: Difference) -> bool:
    tolerance = ABSOLUTE.get(difference.column)
    if tolerance is None:
        return False
    try:
        first, second = float(difference.first), float(difference.second)
    except ValueError:
        return False
    return math.isclose(first, second, rel_tol=RELATIVE, abs_tol=tolerance)
