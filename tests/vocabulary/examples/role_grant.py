"""A role of its own granted to somebody who has no other work; it ends in five days."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "person": w.number_of("nora"),
        "role": w.any("role", "effective"),
        "justification": "Helps out for a week.",
        "end": w.day(5),
    },
    before={"expire": lambda w, row: w.pass_days(6)},
)
