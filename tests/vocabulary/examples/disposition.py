"""A minor nonconformity is scrapped: quality votes, somebody watches."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _voted(w: World, row: Row) -> None:
    if "vote_qa" not in row.people:
        w.do(row.number, "vote_qa")


def _witnessed(w: World, row: Row) -> None:
    if "witness" not in row.people:
        w.do(row.number, "witness")


def _line(action: str, quantity: int = 50) -> Any:
    def change(w: World, row: Row) -> None:
        w.do(row.number, "edit", lines=[{"item": "Box 7", "quantity": quantity, "action": action}])

    return change


EXAMPLE = Example(
    create=lambda w: {
        "ncr": w.new("ncr", "under_review"),
        "lines": [{"item": "Box 7", "quantity": 50, "action": "scrap"}],
        "justification": "Scratches cannot be removed.",
    },
    acts={"justify": lambda w, row: {"engineering_justification": "No effect on the measurement."}},
    breaks={
        "open_vote": {"49 of 50 pieces": _line("scrap", 49), "approved instruction": _line("rework")},
    },
    before={"decide": _voted, "execute": _witnessed},
)
