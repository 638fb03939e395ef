"""Values of governed documents and what brings their consequences about, for examples and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Doing, Example, World

Breaks = Mapping[str, Mapping[str, Doing]]

TOPICS = ("regulation_change", "deviations_and_capa", "training_issues", "system_change")


def new_document(w: World) -> dict[str, Any]:
    """Return the fields of a document whose audience is nobody yet."""
    return {
        "title": "Cleaning an objective",
        "criticality": "gxp_critical",
        "body": "1. Breathe. 2. Wipe.",
        "change_summary": "First version.",
        "training_depth": "read_understood",
        "audience": [],
        "effective_date": w.day(),
    }


def reviewed(w: World, row: Row | None = None, *, outcome: str = "still_valid") -> dict[str, Any]:
    """Return what somebody who looked at a document records."""
    checked = [{"topic": topic, "found": "Nothing that touches it."} for topic in TOPICS]
    return {"checked": checked, "findings": "It is followed as it stands.", "outcome": outcome}


def revised(w: World, number: str, **more: Any) -> str:
    """Return the label of a next version, resting on an approved change."""
    return w.revise(number, change_control=w.any("change", "approved"), **more)


def superseded(w: World, type_: str) -> str:
    """Return the label of a version that the next one superseded."""
    number = w.new(type_, "effective")
    w.to(revised(w, number), "effective")
    return f"{number} v1"


def obsolete_by_review(w: World, type_: str) -> str:
    """Return the label of a document that its own periodic review put out of force."""
    number = w.new(type_, "effective")
    review = w.linked(number, "periodic_review")[0].number
    w.do(review, "start")
    w.do(review, "review", **reviewed(w, outcome="obsolete"))
    w.do(review, "make_obsolete")
    return f"{number} v1"


def with_change(w: World, type_: str) -> str:
    """Return the label of a version that came into force with the change it was made under."""
    number = w.new(type_, "effective")
    change = w.new("change", "implementing")
    w.to(w.revise(number, change_control=change), "approved")
    w.to(change, "effective")
    return f"{number} v2"


def _not_yet(w: World, row: Row) -> None:
    w.do(row.number, "extend_effective", effective_date=w.day(5))


def _untrained(w: World, row: Row) -> None:
    """Send the version back and give it an audience whom nobody trained."""
    w.do(row.number, "withdraw")
    w.do(row.number, "edit", audience=["ROLE-REV"], training_depth="read_understood")
    w.to(row.number, "approved")


def _not_alone(w: World, row: Row) -> None:
    """Make the version one that a change under way brings."""
    w.do(row.number, "withdraw")
    w.do(row.number, "edit", change_control=w.new("change", "implementing"))
    w.to(row.number, "approved")


BREAKS = {
    "make_effective": {
        "date is reached": _not_yet,
        "audience is trained": _untrained,
        "into force together": _not_alone,
    }
}


def document_example(type_: str, breaks: Breaks | None = None, **more: Any) -> Example:
    """Return the example of a governed document; ``more`` are fields of its type."""
    return Example(
        create=lambda w: new_document(w) | more,
        breaks=BREAKS | (breaks or {}),
        acts={"extend_effective": lambda w, row: {"effective_date": w.day(10)}},
        consequences={
            "supersede": lambda w: superseded(w, type_),
            "make_effective_with_change": lambda w: with_change(w, type_),
            "obsolete_by_review": lambda w: obsolete_by_review(w, type_),
        },
    )
