"""An unplanned deviation of class minor, found now, on a record of its own."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

CAUSE: dict[str, Any] = {
    "root_cause": [
        {"method": "five_why", "category": "human_error", "cause": "The wrong filter was chosen."},
        {"method": "five_why", "category": "procedure", "cause": "The step names no filter."},
    ],
    "other_batches": "The filter of the runs of this week was looked at; all are right.",
}
ACTION = {"action": "Name the filter in the step", "evidence": "The procedure as corrected"}


def _found(w: World) -> dict[str, Any]:
    at = w.lab.accounts.now()
    return {
        "title": "Filter differs from the procedure",
        "kind": "unplanned",
        "found_at": at,
        "occurred_at": at,
        "place": "Microscope room 2",
        "what": "The emission filter was 525/50 instead of 605/70.",
        "immediate_action": "The session was stopped.",
        "consequence": 2,
        "extent": 1,
        "affected": [w.new("change")],
    }


def _investigated(w: World, row: Row) -> None:
    impact = [
        {"record": link["number"], "assessment": "Not used since; nothing follows."}
        for link in row.fields["affected"]
    ]
    if "impact" not in row.fields:
        w.do(row.number, "edit", **CAUSE, impact=impact)


def _done(w: World, row: Row) -> None:
    if "actions" not in row.fields:
        w.do(row.number, "edit", actions=[{**ACTION, "done_on": w.day()}])


def _only_a_person(w: World, row: Row) -> None:
    _investigated(w, row)
    w.do(row.number, "edit", root_cause=CAUSE["root_cause"][:1])


def _not_assessed(w: World, row: Row) -> None:
    w.do(row.number, "edit", **CAUSE)


def _major_without_capa(w: World, row: Row) -> None:
    w.do(row.number, "send_back")
    w.do(row.number, "classify")
    w.do(row.number, "submit")


EXAMPLE = Example(
    create=_found,
    acts={
        "assign": lambda w, row: {"owner": w.number_of(w.person("ENG"))},
        "reassign": lambda w, row: {"owner": w.number_of(w.person("ENG", 1))},
        "classify": lambda w, row: {"consequence": 3, "extent": 3},
        "extend": lambda w, row: {"extended_to": w.day(90)},
    },
    before={"submit": _investigated, "verify": _done},
    breaks={
        "submit": {"contributing cause": _only_a_person, "impact on every record": _not_assessed},
        "approve": {"reason why none": _major_without_capa},
    },
)
