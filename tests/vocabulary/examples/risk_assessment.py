"""The risks of counting cells: one failure mode that needs no action."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

_ITEM: dict[str, Any] = {
    "function": "Segmentation",
    "failure_mode": "Cells that touch are counted as one",
    "effect": "Count too low",
    "s": 5,
    "cause": "Too little contrast",
    "o": 3,
    "detection": "Second look at the overlay",
    "d": 3,
}
_BETTER = {"s_after": 5, "o_after": 1, "d_after": 3}


def _unproven(w: World, row: Row) -> None:
    w.do(row.number, "edit", items=[_ITEM | _BETTER])


def _high(w: World, row: Row) -> None:
    """Rate the severity at nine and submit it so."""
    w.do(row.number, "reject")
    w.do(row.number, "edit", items=[_ITEM | {"s": 9}])
    w.do(row.number, "submit")


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
        "items": [_ITEM],
        "review_by": w.day(300),
    },
    breaks={
        "create": {
            "computed from the ratings": lambda w, row: {"items": [_ITEM | {"ap": "H"}]},
            "better rating is proven": lambda w, row: {"items": [_ITEM | _BETTER]},
        },
        "edit": {"computed from the ratings": lambda w, row: {"items": [_ITEM | {"rpn": 1}]}},
        "submit": {"better rating is proven": _unproven},
        "approve": {"Every high risk": _high},
    },
    consequences={"supersede": _superseded},
)
