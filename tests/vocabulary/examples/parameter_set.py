"""Values for the laboratory's algorithm."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("parameter_set", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Wide",
        "algorithm": w.row(w.any("algorithm")).label,
        "rationale": "Tried on ten images.",
        "values": [{"name": "sigma", "value": "2", "allowed_lo": "1", "allowed_hi": "4"}],
    },
    consequences={"supersede": _superseded},
)
