"""A reviewer's duty lent for ten days to somebody who has no other work."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _given(w: World, row: Row) -> None:
    if "give" not in row.people:
        w.do(row.number, "give")


EXAMPLE = Example(
    create=lambda w: {
        "giver": w.number_of("checker1"),
        "taker": w.number_of("nora"),
        "role": "ROLE-REV",
        "start": w.day(),
        "end": w.day(9),
        "reason": "Away at a conference.",
    },
    selves={
        "giver": lambda w, state: w.new("delegation", state, giver=w.number_of("otto")),
        "taker": lambda w, state: w.new("delegation", state, taker=w.number_of("otto")),
    },
    breaks={
        "create": {
            "90 days at most": lambda w, row: {"end": w.day(90)},
            "to another person": lambda w, row: {"taker": w.number_of("checker1")},
            "holds the role": lambda w, row: {"giver": w.number_of("nora"), "taker": w.number_of("checker1")},
        },
    },
    before={"accept": _given, "expire": lambda w, row: w.pass_days(10)},
)
