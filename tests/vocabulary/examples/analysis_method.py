"""A method of the laboratory's algorithm and values."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("analysis_method", "effective")
    w.to(w.revise(number), "effective")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Count spots",
        "algorithm": w.row(w.any("algorithm")).label,
        "parameters": w.row(w.any("parameter_set")).label,
        "sop": w.row(w.any("document_sop")).label,
        "outputs": [{"quantity_name": "count", "unit": "1", "digits": 0}],
        "intended_use": "Counting spots.",
        "permitted_runs": 2,
    },
    consequences={"supersede": _superseded},
)
