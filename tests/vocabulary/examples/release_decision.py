"""A decision on a run that review accepted."""

from __future__ import annotations

from typing import Any

from fix_world import Example, World


def _reviewed(w: World) -> dict[str, Any]:
    case = w.new("review_case", "decided")
    return {
        "subject": w.along(w.row(case), ("subject",))[0].number,
        "review_case": case,
        "basis": "Accepted by review; every exception was answered.",
    }


EXAMPLE = Example(create=_reviewed)
