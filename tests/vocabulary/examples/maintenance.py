"""Yearly work on an instrument of its own; for requalification it is in service."""

from __future__ import annotations

from typing import Any

from fix_world import Example


def _done(impact: str) -> dict[str, Any]:
    return {"tasks": [{"task": "Clean the optics", "result": "done"}], "impact": impact}


EXAMPLE = Example(
    create=lambda w: {
        "instrument": w.new("instrument", "in_service"),
        "kind": "planned",
        "planned_on": w.day(3),
        "description": "Yearly service.",
        "tasks": [{"task": "Clean the optics"}],
    },
    acts={
        "finish": lambda w, row: _done("none"),
        "finish_for_requalification": lambda w, row: _done("requalify"),
        "assess": lambda w, row: {
            "assessment": "Nothing that was qualified changed.",
            "requalification": "not_needed",
        },
    },
    breaks={
        "finish": {
            "finished as such": lambda w, row: _done("requalify"),
            "Every task has a result": lambda w, row: {"tasks": [{"task": "Clean"}], "impact": "none"},
        },
        "finish_for_requalification": {"effect is: requalify": lambda w, row: _done("none")},
    },
)
