"""The qualification of a supplier of its own, with a certificate that runs out in twenty days."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

_DAYS = 20


def _certificates(w: World, days: int = _DAYS) -> list[dict[str, Any]]:
    return [{"kind": "iso_9001", "certificate_number": "Q-1", "valid_to": w.day(days)}]


def _clouded(w: World, row: Row) -> None:
    """Let the supplier be one of computing, of which no hosting facts are known."""
    w.do(row.fields["supplier"]["number"], "edit", kind="cloud_it")


def _superseded(w: World) -> str:
    """Return a qualification that a later one of the same supplier took the place of."""
    first = w.new("supplier_qualification", "approved")
    supplier = w.row(first).fields["supplier"]["number"]
    w.new("supplier_qualification", "approved", supplier=supplier, previous=first)
    return first


def _to_conditional(w: World, row: Row) -> dict[str, Any]:
    return {"conditions": "Each delivery is looked at.", "conditional_until": w.day(5)}


EXAMPLE = Example(
    create=lambda w: {
        "supplier": w.new("supplier"),
        "scope": "Coverslips No. 1.5H.",
        "criticality": "medium",
        "questionnaire": [{"question": "Is thickness measured?", "answer": "Each lot.", "acceptable": True}],
        "certificates": _certificates(w),
        "rating": "A",
        "requal_months": 1,
    },
    acts={
        "approve_conditionally": _to_conditional,
        "renew": lambda w, row: {"certificates": _certificates(w)},
    },
    breaks={
        "approve": {
            "certificate is in date": lambda w, row: w.pass_days(_DAYS + 1),
            "file of this supplier": _clouded,
        },
        "renew": {
            "certificate is in date": lambda w, row: {"certificates": _certificates(w, -1)},
            "file of this supplier": _clouded,
        },
    },
    before={
        "certificate_expired": lambda w, row: w.pass_days(_DAYS + 1),
        "lapse": lambda w, row: w.pass_days(5),
        "requalify": lambda w, row: w.pass_days(32),
    },
    routes={"conditional": ("review", "approve_conditionally")},
    consequences={"supersede": _superseded},
)
