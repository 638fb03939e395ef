"""A system that stood still; nobody's account is concerned."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _investigated(w: World, row: Row) -> None:
    if "root_cause" not in row.fields:
        w.do(
            row.number,
            "edit",
            root_cause="The disk of the acquisition computer was full.",
            breach_notice="Nobody: no personal data was read.",
        )


def _done(w: World, row: Row) -> None:
    if "actions" not in row.fields:
        action = {"action": "Watch the disk", "done_on": w.day(), "evidence": "Alert set and seen"}
        w.do(row.number, "edit", actions=[action])


EXAMPLE = Example(
    create=lambda w: {
        "title": "Acquisition computer stood still",
        "kind": "system",
        "detected_at": w.lab.accounts.now(),
        "detected_by": "The operator at the bench",
        "what": "Images were no longer written.",
        "severity": "medium",
        "containment": "The session was aborted and the disk cleared of copies.",
    },
    acts={
        "assign": lambda w, row: {"owner": w.number_of(w.person("SEC"))},
        "reassign": lambda w, row: {"owner": w.number_of(w.person("SEC", 1))},
        "extend": lambda w, row: {"extended_to": w.day(90)},
    },
    before={"submit": _investigated, "verify": _done},
)
