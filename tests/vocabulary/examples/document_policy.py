"""A policy that governs no signatures."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("document_policy", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "How records are kept",
        "criticality": "gxp_critical",
        "body": "Records are kept.",
        "change_summary": "First version.",
        "training_depth": "read_understood",
        "audience": [],
        "effective_date": w.day(),
    },
    consequences={"supersede": _superseded},
)
