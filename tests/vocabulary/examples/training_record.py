"""Training on the laboratory's procedure, assessed by somebody else."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World

EXAMPLE = Example(
    create=lambda w: {
        "person": w.any("user"),
        "document": w.row(w.any("document_sop")).label,
        "depth": "assessed",
        "due": w.day(30),
    },
    acts={
        "assess": lambda w, row: {"score": 90, "assessment": "Asked at the bench.", "expires": w.day(1)},
    },
    before={
        "complete": lambda w, row: w.do(row.number, "edit", depth="read_understood"),
        "expire": lambda w, row: w.pass_days(2),
    },
    routes={
        "completed": ("acknowledge", "assess"),
        "expired": ("acknowledge", "assess", "expire"),
    },
    breaks={
        "assess": {"80 or more": lambda w, row: {"score": 79, "assessment": "Asked at the bench."}},
        "complete": {"assessed by another person": lambda w, row: {}},
        "acknowledge": {"needs no assessment": lambda w, row: _read_only(w, row)},
        "expire": {"last day is over": lambda w, row: {}},
    },
)


def _read_only(w: World, row: Row) -> None:
    w.do(row.number, "edit", depth="read_understood")
