"""The risks of counting cells: one failure mode that needs no action."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    first = w.new("risk_assessment", "effective")
    second = w.revise(first)
    w.step(second, "submit")
    w.step(second, "approve")
    return f"{first} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Counting of cells",
        "kind": "method",
        "scope": "From capture to the reported count.",
        "items": [
            {
                "function": "Segmentation",
                "failure_mode": "Cells that touch are counted as one",
                "effect": "Count too low",
                "s": 5,
                "cause": "Too little contrast",
                "o": 3,
                "detection": "Second look at the overlay",
                "d": 3,
            }
        ],
        "review_by": w.day(300),
    },
    consequences={"supersede": _superseded},
)
