"""A minor finding at the bench: its owner acts, quality sees that it is put right."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _action(w: World, **more: Any) -> dict[str, Any]:
    return {"action": "Remind everybody at the morning meeting.", "owner": w.number_of("bench1"), **more}


def _done(w: World, row: Row) -> dict[str, Any]:
    return {"actions": [_action(w, due=w.day(20), done_on=w.day(), evidence="Minutes of the meeting.")]}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Logbook signed late",
        "audit": w.any("audit"),
        "class": "minor",
        "requirement": "Entries are signed on the day.",
        "evidence": "Page 12 of the logbook was signed a day late.",
        "area": "Bench",
        "owner": w.number_of("bench1"),
        "due_on": w.day(60),
    },
    selves={
        name: lambda w, state: w.new("audit_finding", state, owner=w.number_of("otto"))
        for name in ("owner", "responder", "actors")
    },
    acts={
        "respond": lambda w, row: {
            "response": "We saw it too.",
            "root_cause": "The logbook lay in another room.",
            "actions": [_action(w, due=w.day(20))],
        },
        "record_actions": _done,
        "verify": lambda w, row: {"verification": "Pages 13 to 40 were looked at."},
    },
    before={"verify": lambda w, row: w.do(row.number, "record_actions")},
)
