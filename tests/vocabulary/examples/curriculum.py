"""A curriculum for a role that nobody holds."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("curriculum", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


def _item(w: World, grace: int) -> dict[str, object]:
    return {"document": w.any("document_sop"), "depth": "read_understood", "grace_days": grace}


def _patient(w: World, row: Row) -> None:
    w.do(row.number, "edit", items=[_item(w, 9)])


def _twice(w: World, row: Row) -> None:
    w.do(row.number, "edit", items=[_item(w, 0), _item(w, 0)])


EXAMPLE = Example(
    create=lambda w: {
        "title": "What a microtomist reads",
        "role": w.new("role", "effective"),
        "items": [_item(w, 0)],
    },
    breaks={"submit": {"no days of grace": _patient, "listed once": _twice}},
    consequences={"supersede": _superseded},
)
