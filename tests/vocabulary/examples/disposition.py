"""A minor nonconformity is scrapped: quality votes, somebody watches."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _voted(w: World, row: Row) -> None:
    if "vote_qa" not in row.people:
        w.do(row.number, "vote_qa")


def _witnessed(w: World, row: Row) -> None:
    if "witness" not in row.people:
        w.do(row.number, "witness")


EXAMPLE = Example(
    create=lambda w: {
        "ncr": w.new("ncr", "under_review"),
        "lines": [{"item": "Box 7", "quantity": 50, "action": "scrap"}],
        "justification": "Scratches cannot be removed.",
    },
    acts={"justify": lambda w, row: {"engineering_justification": "No effect on the measurement."}},
    before={"decide": _voted, "execute": _witnessed},
)
