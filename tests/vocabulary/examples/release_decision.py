"""A decision on a run that review has accepted."""

from __future__ import annotations

from typing import Any

from fix_world import Example, World


def _fields(w: World) -> dict[str, Any]:
    case = w.row(w.new("review_case", "decided"))
    return {
        "subject": case.fields["subject"]["number"],
        "review_case": case.number,
        "basis": "Reviewed and accepted.",
    }


EXAMPLE = Example(
    create=_fields,
    breaks={
        "release": {
            "flags about it are settled": lambda w, row: w.new("ncr", subject=row.fields["subject"]["number"])
        }
    },
)
