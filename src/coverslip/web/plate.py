"""Plates: values by well, laid out as the plate is, for a table that is read and walked by keyboard.

Rules kept here: a value is what a run recorded; where a well has several fields its cell is their mean and
says of how many. Nothing is left out by hand: what the method could not evaluate is marked and counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

STEPS = 9
_WELL = re.compile(r"(?<![A-Z0-9])([A-P])(\d{1,2})(?![0-9])", re.IGNORECASE)
SHAPES = ((2, 3), (4, 6), (8, 12), (16, 24))
"""Rows and columns of plates with 6, 24, 96 and 384 wells."""


@dataclass(frozen=True, slots=True)
class Well:
    """One cell: its name, what to print, its step of the scale (0 to 8, -1: no value), and what it holds."""

    name: str
    text: str = ""
    step: int = -1
    fields: tuple[str, ...] = ()
    not_evaluable: int = 0
    out_of_limits: int = 0
    role: str = ""


@dataclass(frozen=True, slots=True)
class Plate:
    """Rows of wells with the lowest and highest value; ``unit`` of the measure."""

    rows: tuple[tuple[str, tuple[Well, ...]], ...]
    low: str
    high: str
    unit: str
    columns: int
    wells: int
    """How many wells have a value."""


def well_of(text: str) -> str:
    """Return the well a position or file name tells, as ``B05``; empty where it tells none."""
    found = _WELL.search(text.replace("_", " "))
    return f"{found[1].upper()}{int(found[2]):02d}" if found and 1 <= int(found[2]) <= 24 else ""


def plate(
    rows: Sequence[Mapping[str, Any]],
    quantity: str,
    wells: Mapping[str, str],
    roles: Mapping[str, str] | None = None,
    shape: tuple[int, int] | None = None,
) -> Plate:
    """Lay out the values of one quantity.

    ``wells``: position of a result row (an image's number) -> well; ``roles``: well -> control or sample.
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = wells.get(str(row["position"]), "") or well_of(str(row["position"]))
        if row["quantity_name"] == quantity and name:
            found.setdefault(name, []).append(row)
    means = {name: mean for name, ones in found.items() if (mean := _mean(ones)) is not None}
    low, high = (min(means.values()), max(means.values())) if means else (Decimal(0), Decimal(0))
    digits = max((int(r.get("digits", 0)) for ones in found.values() for r in ones), default=0)
    height, width = shape or _shape([*found, *wells.values(), *(roles or {})])
    grid = tuple(
        (
            letter,
            tuple(
                _well(f"{letter}{c:02d}", found, means, low, high, digits, roles or {})
                for c in range(1, width + 1)
            ),
        )
        for letter in "ABCDEFGHIJKLMNOP"[:height]
    )
    unit = next((str(r["unit"]) for ones in found.values() for r in ones), "")
    shown = unit if unit not in ("1", "") else ""
    return Plate(grid, _text(low, digits), _text(high, digits), shown, width, len(means))


def _well(
    name: str,
    found: Mapping[str, list[Mapping[str, Any]]],
    means: Mapping[str, Decimal],
    low: Decimal,
    high: Decimal,
    digits: int,
    roles: Mapping[str, str],
) -> Well:
    ones = found.get(name, [])
    mean = means.get(name)
    step = -1 if mean is None else _step(mean, low, high)
    return Well(
        name,
        "" if mean is None else _text(mean, digits),
        step,
        tuple(sorted({str(r["position"]) for r in ones})),
        sum(r["status"] == "not_evaluable" for r in ones),
        sum(r["status"] == "out_of_limits" for r in ones),
        roles.get(name, ""),
    )


def _mean(rows: Sequence[Mapping[str, Any]]) -> Decimal | None:
    values = []
    for row in rows:
        try:
            values.append(Decimal(str(row["value"])))
        except (KeyError, InvalidOperation):
            continue
    return sum(values, Decimal(0)) / len(values) if values else None


def _step(value: Decimal, low: Decimal, high: Decimal) -> int:
    if high == low:
        return STEPS // 2
    return min(STEPS - 1, int((value - low) / (high - low) * STEPS))


def _text(value: Decimal, digits: int) -> str:
    return f"{value:.{min(digits + 1, 12)}f}" if digits else f"{value:.4g}"


def _shape(names: Sequence[str]) -> tuple[int, int]:
    rows = max((ord(n[0]) - 64 for n in names if n), default=8)
    columns = max((int(n[1:]) for n in names if n), default=12)
    fitting = [shape for shape in SHAPES[2:] if rows <= shape[0] and columns <= shape[1]]
    return fitting[0] if fitting else SHAPES[-1]
