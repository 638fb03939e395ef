"""A supplier; what becomes of it is decided by its qualification."""

from __future__ import annotations

from uuid import uuid4

from fix_world import Example, World


def _after(w: World, act: str) -> str:
    """Return the supplier of a qualification that just took an act."""
    state = "reviewed" if act != "lapse" else "conditional"
    qualification = w.new("supplier_qualification", state)
    w.step(qualification, act)
    return str(w.row(qualification).fields["supplier"]["number"])


EXAMPLE = Example(
    create=lambda w: {
        "name": f"Optics {uuid4().hex[:12]}",
        "kind": "material",
        "sites": ["1 Lens Street"],
        "contact": "O. Optics",
    },
    consequences={
        "approve": lambda w: _after(w, "approve"),
        "restrict": lambda w: _after(w, "approve_conditionally"),
        "disapprove": lambda w: _after(w, "disapprove"),
        "lapse": lambda w: _after(w, "lapse"),
    },
)
