"""Fifty pieces that do not conform, of a record of its own that the containment holds."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _new(w: World) -> dict[str, Any]:
    return {
        "title": "Slides with scratched cover glass",
        "source": "in_process",
        "subject": w.new("change"),
        "requirement": "No scratch in the field of view.",
        "actual": "Scratches on the slides of box 7.",
        "quantities": [{"item": "Box 7", "quantity": 50, "unit": "pieces"}],
        "consequence": 2,
        "extent": 2,
    }


def _disposition(w: World, state: str) -> str:
    number = w.new("disposition", state)
    return w.along(w.row(number), ("ncr",))[0].number


def _taken_back(w: World) -> str:
    number = w.new("disposition")
    w.do(number, "withdraw")
    return w.along(w.row(number), ("ncr",))[0].number


def _more_found(w: World, row: Row) -> None:
    w.do(row.number, "edit", quantities=[{"item": "Box 7", "quantity": 62, "unit": "pieces"}])


EXAMPLE = Example(
    create=_new,
    acts={
        "contain": lambda w, row: {"containment": "Box 7 is closed and marked."},
        "classify": lambda w, row: {"consequence": 3, "extent": 2},
        "extend": lambda w, row: {"extended_to": w.day(120)},
    },
    breaks={"close": {"12 of 62 pieces have no disposition": _more_found}},
    consequences={
        "propose_disposition": lambda w: _disposition(w, "proposed"),
        "accept_disposition": lambda w: _disposition(w, "decided"),
        "execute_disposition": lambda w: _disposition(w, "executed"),
        "take_back_disposition": _taken_back,
    },
)
