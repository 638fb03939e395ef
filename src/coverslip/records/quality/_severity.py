"""Severity: consequence by extent gives a class, the same for deviations and nonconformities (DOMAIN 8.6).

Rules kept here: nobody chooses a class; it is computed from two numbers and three facts. Facts only
raise it: a data-integrity finding is major or more, what was shipped already goes one class up, a
mix-up or a failure of identity or sterility is critical. The floor comes before the step up, so that
a shipped data-integrity finding is critical.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule

CLASSES = ("minor", "major", "critical")
SEVERE = ("major", "critical")
_MINOR, _MAJOR, _CRITICAL = range(3)
MATRIX: tuple[tuple[int, ...], ...] = (
    (_MINOR, _MINOR, _MINOR, _MINOR, _MAJOR),
    (_MINOR, _MINOR, _MINOR, _MAJOR, _MAJOR),
    (_MINOR, _MAJOR, _MAJOR, _MAJOR, _CRITICAL),
    (_MAJOR, _MAJOR, _CRITICAL, _CRITICAL, _CRITICAL),
    (_CRITICAL, _CRITICAL, _CRITICAL, _CRITICAL, _CRITICAL),
)
"""Rows: consequence 1 negligible to 5 severe; columns: extent 1 single unit to 5 several lots or systemic."""
DAYS = {"minor": 60, "major": 30, "critical": 30}
"""Days to close a case of a class, counted from the day it was opened."""
RATED = ("consequence", "extent", "identity_failure", "data_integrity", "shipped")
"""Fields the class is computed from; they change by the act that computes it again."""


def class_of(fields: Mapping[str, Any]) -> str:
    """Return the class that the rated fields give; ``KeyError`` where consequence or extent is missing."""
    level = MATRIX[int(fields["consequence"]) - 1][int(fields["extent"]) - 1]
    if fields.get("data_integrity") is True:
        level = max(level, _MAJOR)
    if fields.get("shipped") is True:
        level = min(level + 1, _CRITICAL)
    if fields.get("identity_failure") is True:
        level = _CRITICAL
    return CLASSES[level]


@rule("severity_class", 1)
def severity_class(inp: RuleInput) -> str:
    """Return the class by the matrix and its overrides."""
    return class_of(inp.fields)


@rule("due_by_class", 1)
def due_by_class(inp: RuleInput) -> str:
    """Return the day by which a case of this class is to be closed, counted from its first day."""
    opened = inp.record.created_at if inp.record is not None and inp.record.created_at else inp.now
    day = dt.date.fromisoformat(opened[:10])
    return (day + dt.timedelta(days=DAYS[class_of(inp.fields)])).isoformat()


COMPUTE_CLASS = w.Compute("severity", w.Rule("severity_class", 1))
COMPUTE_DUE = w.Compute("due", w.Rule("due_by_class", 1))


def rated_fields() -> dict[str, w.Field]:
    """Return the fields a class is computed from, and the class."""
    return {
        "consequence": w.Field(
            w.Int(1, 5),
            "Consequence",
            required=True,
            critical=True,
            help="1 negligible, 2 low, 3 moderate (validity reduced, recoverable gap), "
            "4 high (wrong result possible, data lost), 5 severe (harm, mix-up, falsification).",
        ),
        "extent": w.Field(
            w.Int(1, 5),
            "Extent",
            required=True,
            critical=True,
            help="1 single unit, 2 few and contained, 3 part of a lot, 4 a lot or run, "
            "5 several lots, released product or systemic.",
        ),
        "identity_failure": w.Field(
            w.Bool(), "Mix-up, or identity or sterility failed", default=False, critical=True
        ),
        "data_integrity": w.Field(w.Bool(), "Data integrity concerned", default=False, critical=True),
        "shipped": w.Field(w.Bool(), "Already shipped", default=False, critical=True),
        "severity": w.Field(
            w.Enum(CLASSES), "Class", source="computed", critical=True, help="By the severity matrix."
        ),
    }
