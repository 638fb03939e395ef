"""A hold on a study for an inquiry; two people release it."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Inquiry 7",
        "ground": "inspection",
        "reason": "An authority asked for the records of this study.",
        "asked_by": "Inspector, letter of today",
        "subjects": [w.any("study")],
    },
    acts={
        "extend": lambda w, row: {
            "subjects": [*(link["number"] for link in row.fields["subjects"]), w.new("study")]
        }
    },
    breaks={"extend": {"What is preserved stays preserved": lambda w, row: {"subjects": [w.new("study")]}}},
)
