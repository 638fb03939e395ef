"""A corrective action whose window is one day, so that it can be judged tomorrow."""

from __future__ import annotations

import datetime as dt
from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

CAUSE = {
    "root_cause": [
        {"aspect": "occurrence", "cause": "The filter wheel slips."},
        {"aspect": "escape", "cause": "The position is not read back."},
        {"aspect": "systemic", "cause": "Wheels are not on the maintenance plan."},
    ],
    "cause_code": "filter_wheel",
}
CHOSEN = {
    "chosen_actions": [
        {"action": "Read the position back", "kind": "software", "verified_by": "Test of 50 changes"}
    ],
    "criterion": [{"metric": "Wrong filters", "baseline": "3", "target": "0", "sample_size": "200"}],
    "window_days": 1,
}


def _team(w: World) -> list[dict[str, Any]]:
    return [{"person": w.number_of("maker2"), "role": "Operator"}]


def _problem() -> list[dict[str, Any]]:
    return [{"aspect": "what", "is_": "Wrong emission filter", "is_not": "Wrong objective"}]


def _contained(w: World, row: Row) -> None:
    if "containment" not in row.fields:
        action = {
            "action": "Check the filter before each run",
            "done_on": w.day(),
            "evidence": "Sheet 7",
            "effective": True,
        }
        w.do(row.number, "edit", containment=[action])


def _signed(act: str) -> Any:
    def before(w: World, row: Row) -> None:
        if act not in row.people:
            w.step(row.number, act)

    return before


def _cause(w: World, row: Row) -> None:
    if "root_cause" not in row.fields:
        w.do(row.number, "edit", **CAUSE)


def _choice(w: World, row: Row) -> None:
    if "criterion" not in row.fields:
        w.do(row.number, "edit", **CHOSEN)


def _implemented(w: World, row: Row) -> None:
    if "implementation" not in row.fields:
        action = {"action": "Position is read back", "done_on": w.day(), "evidence": "Release 4.2"}
        w.do(row.number, "edit", implementation=[action])


def _prevention(w: World, row: Row) -> None:
    if "prevention" not in row.fields:
        w.do(row.number, "edit", prevention="The other microscope's wheel is read back too.")


def _lessons(w: World, row: Row) -> None:
    if "lessons" not in row.fields:
        w.do(row.number, "edit", lessons="Read back what moves. Thanks to the night shift.")


def _window_over(w: World, row: Row) -> None:
    left = dt.date.fromisoformat(row.fields["window_ends"]) - dt.date.fromisoformat(w.day())
    if left.days > 0:
        w.pass_days(left.days)


def _judged(w: World, row: Row) -> None:
    _window_over(w, row)
    _signed("sign_lessons")(w, w.row(row.number))


def _not_met(w: World, row: Row) -> dict[str, Any]:
    _judged(w, row)
    return {"result": [{"metric": "Wrong filters", "result": "1 of 214", "met": False}]}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Wrong emission filter",
        "kind": "corrective",
        "owner": w.number_of(w.person("ENG")),
        "sources": [w.any("deviation")],
        "team": _team(w),
        "problem": _problem(),
    },
    acts={
        "close": lambda w, row: {"result": [{"metric": "Wrong filters", "result": "0 of 214", "met": True}]},
        "judge_ineffective": lambda w, row: {
            "result": [{"metric": "Wrong filters", "result": "2 of 214", "met": False}]
        },
        "reassign": lambda w, row: {"owner": w.number_of(w.person("ENG", 1))},
        "extend": lambda w, row: {"extended_to": w.day(200)},
    },
    before={
        "sign_containment": _contained,
        "approve_containment": _signed("sign_containment"),
        "sign_root_cause": _cause,
        "approve_root_cause": _signed("sign_root_cause"),
        "sign_actions": _choice,
        "approve_actions": _signed("sign_actions"),
        "sign_implementation": _implemented,
        "sign_prevention": _prevention,
        "sign_lessons": _lessons,
        "close": _judged,
        "judge_ineffective": _window_over,
    },
    breaks={"close": {"not: Wrong filters": _not_met}},
)
