"""A curriculum for a role that nobody holds."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("curriculum", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "What a microtomist reads",
        "role": w.new("role", "effective"),
        "items": [{"document": w.any("document_sop"), "depth": "read_understood", "grace_days": 0}],
    },
    consequences={"supersede": _superseded},
)
