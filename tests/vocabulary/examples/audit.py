"""An internal audit by quality of the people at the bench."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World

_ASKED = {"question": "Are logbooks signed on the day?", "clause": "21 CFR 58.35"}


def _answered(w: World, row: Row) -> dict[str, object]:
    return {
        "report": "One logbook was signed late.",
        "checklist": [_ASKED | {"answer": "does_not", "note": "One page."}],
    }


EXAMPLE = Example(
    create=lambda w: {
        "title": "Microscope room",
        "kind": "internal",
        "scope": "Logbooks and calibration of the widefield microscopes.",
        "area": "Bench",
        "auditees": [w.number_of("bench1"), w.number_of("bench2")],
        "auditors": [w.number_of("quality1")],
        "criteria": [w.any("document_sop")],
        "planned_on": w.day(10),
        "plan": "A morning at the bench with the logbooks.",
    },
    selves={"auditees": lambda w, state: w.new("audit", state, auditees=[w.number_of("otto")])},
    breaks={"edit": {"their own area": lambda w, row: {"auditors": [w.number_of("bench1")]}}},
    acts={
        "execute": lambda w, row: {"executed_on": w.day(), "checklist": [_ASKED]},
        "report": _answered,
    },
)
