"""The review of a system's last two months."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from coverslip.records.quality.system_review import INPUTS
from fix_world import Example, World


def _signed(w: World, row: Row) -> None:
    w.do(row.number, "record")
    w.do(row.number, "sign")


def _of_otto(w: World, state: str) -> str:
    """Return the review of a system of otto, which he recorded and signed."""
    system = w.new("scope_item", owner=w.number_of("otto"))
    number = w.new("system_review", state, system=system)
    w.do(number, "record", by="otto")
    w.do(number, "sign", by="otto")
    return number


def _half(w: World, row: Row) -> None:
    w.do(row.number, "record", inputs=[{"input": "backup", "looked_at": "All.", "finding": "Good."}])


EXAMPLE = Example(
    create=lambda w: {
        "title": "Image analysis",
        "system": w.any("scope_item"),
        "period_from": w.day(-60),
        "period_to": w.day(-1),
        "due_on": w.day(20),
        "every_months": 12,
    },
    acts={
        "record": lambda w, row: {
            "inputs": [
                {"input": name, "looked_at": "All of the period.", "finding": "As it should be."}
                for name in INPUTS
            ],
            "conclusion": "validated_state_kept",
            "conclusion_text": "Nothing changed that matters.",
        }
    },
    selves={"author": _of_otto, "recorders": _of_otto},
    breaks={"approve": {"Every required input": _half}},
    before={"sign": lambda w, row: w.do(row.number, "record"), "approve": _signed},
)
