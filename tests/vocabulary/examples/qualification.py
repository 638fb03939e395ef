"""An installation qualification of an instrument of its own, of one case."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

CASE = {"case": "1", "step": "Switch on.", "expected": "It is on."}
PASS = {"actual": "It is on.", "outcome": "pass", "evidence_note": "Photograph 1"}


def _recorded(w: World, row: Row) -> None:
    if "outcome" not in row.fields["test_cases"][-1]:
        w.do(row.number, "record", test_cases=[CASE | PASS])


def _bare(w: World, row: Row) -> dict[str, Any]:
    return {"test_cases": [CASE | {"outcome": "pass"}]}


def _again(w: World, row: Row) -> dict[str, Any]:
    """Record the case, and then try to write over it."""
    w.do(row.number, "record")
    return {"test_cases": [CASE | PASS | {"actual": "It is off."}]}


def _failed(w: World, row: Row) -> None:
    """Send it back and execute the case once more, which fails."""
    w.do(row.number, "send_back")
    kept = w.row(row.number).fields["test_cases"]
    w.do(row.number, "record", test_cases=[*kept, CASE | {"actual": "It is off.", "outcome": "fail"}])
    w.do(row.number, "finish")
    w.do(row.number, "review")


EXAMPLE = Example(
    create=lambda w: {
        "subject": w.new("instrument"),
        "kind": "IQ",
        "protocol": w.row(w.any("document_sop")).label,
        "test_cases": [CASE],
    },
    acts={
        "record": lambda w, row: {"test_cases": [CASE | PASS]},
        "finish": lambda w, row: {"conclusion": "Installed as specified."},
    },
    before={"finish": _recorded},
    breaks={
        "create": {"carries no results": lambda w, row: {"test_cases": [CASE | PASS]}},
        "edit": {"carries no results": lambda w, row: {"test_cases": [CASE | PASS]}},
        "approve": {"passes in the end": _failed},
        "start": {"IQ of": lambda w, row: w.do(row.number, "edit", kind="OQ")},
        "record": {"before a case passes": _bare, "is locked": _again},
    },
)
