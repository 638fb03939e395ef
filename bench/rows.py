"""What a measurement answers: rows of one table, each a value, its peer and whether it is held."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Measurement", "NotMeasured", "Row", "Size", "at_least", "at_most", "plain", "ratio"]

Held = Literal["held", "missed", "shown", "not measured"]


class NotMeasured(Exception):
    """Raised where a measurement cannot be made here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. ``entries`` in a ledger, ``image`` in bytes, ``seconds`` a load lasts."""

    entries: int = 1_000_000
    entries_before: int = 100_000
    image: int = 1 << 30
    seconds: float = 5.0
    rounds: int = 5
    series: int = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One line: ``value`` in ``unit``, the same of ``against``, their ratio, and what is wanted.

    ``held`` is ``shown`` for a figure that nothing is owed of.
    """

    name: str
    value: float = math.nan
    unit: str = ""
    against: str = ""
    other: float = math.nan
    ratio: float = math.nan
    wanted: str = ""
    held: Held = "shown"


Measurement = Callable[[Size], list[Row]]


def plain(name: str, value: float, unit: str) -> Row:
    """Return a figure that nothing is owed of."""
    return Row(name, value, unit)


def at_most(name: str, value: float, unit: str, limit: float) -> Row:
    """Return a figure with a limit of its own unit."""
    return Row(
        name, value, unit, wanted=f"<= {limit:g} {unit}".strip(), held="held" if value <= limit else "missed"
    )


def at_least(name: str, value: float, unit: str, limit: float) -> Row:
    """Return a figure with a least value of its own unit."""
    return Row(
        name, value, unit, wanted=f">= {limit:g} {unit}".strip(), held="held" if value >= limit else "missed"
    )


def ratio(
    name: str,
    value: float,
    unit: str,
    against: str,
    other: float,
    *,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """Return value and peer with the ratio of the two, held against ``least`` or ``most`` if given."""
    found = value / other if other else math.inf
    wanted, held = "", "shown"
    if least is not None:
        wanted, held = f">= {least:g}x", "held" if found >= least else "missed"
    elif most is not None:
        wanted, held = f"<= {most:g}x", "held" if found <= most else "missed"
    return Row(name, value, unit, against, other, found, wanted, held)  # type: ignore[arg-type]
