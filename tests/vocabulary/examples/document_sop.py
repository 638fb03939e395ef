"""A procedure whose audience is nobody yet."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("document_sop", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Cleaning an objective",
        "criticality": "gxp_critical",
        "body": "1. Breathe. 2. Wipe.",
        "change_summary": "First version.",
        "training_depth": "read_understood",
        "audience": [],
        "effective_date": w.day(),
    },
    consequences={"supersede": _superseded},
)
