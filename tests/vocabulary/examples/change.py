"""A minor change of equipment; one area suffers an effect and has somebody who answers for it."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from coverslip.records.quality.change import AREAS
from fix_lab import Person
from fix_world import Example, World


def _impact(w: World) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"area": area, "effect": "none", "why": "The lamp is of the same type."} for area in AREAS
    ]
    rows[0] = {
        "area": AREAS[0],
        "effect": "Intensity may differ",
        "action": "Measure the flat field",
        "owner": w.number_of("bench2"),
    }
    return rows


def _new(w: World) -> dict[str, Any]:
    return {
        "title": "Lamp of microscope 1",
        "kind": "equipment",
        "description": "The lamp is replaced.",
        "reason": "It reached its hours.",
        "change_class": "minor",
        "impact": _impact(w),
        "plan": [{"action": "Replace the lamp", "due": w.day(5)}],
        "test_plan": "Flat field and focus as in microscope QC.",
        "rollback": "The old lamp is kept for a month.",
        "effective_from": w.day(),
    }


def _reviewed(w: World, row: Row) -> None:
    if "review_area" not in row.people:
        w.do(row.number, "review_area")


def _carried_out(w: World, row: Row) -> None:
    done = {"action": "Replace the lamp", "done_on": w.day(), "evidence": "Service report 12"}
    if "evidence" not in row.fields["plan"][0]:
        w.do(row.number, "edit", plan=[done])


def _emergency(w: World, row: Row) -> None:
    if row.fields["change_class"] != "emergency":
        w.do(row.number, "edit", change_class="emergency")


def _late(w: World, row: Row) -> None:
    if "deviation" not in row.fields:
        w.do(row.number, "edit", deviation=w.new("deviation"))


def _by_emergency(w: World, row: Row) -> None:
    if "implemented_on" in row.fields:
        return
    w.do(row.number, "send_back")
    w.do(row.number, "edit", change_class="emergency")
    w.do(row.number, "implement_emergency")
    w.do(row.number, "assess_emergency")


def _forgotten(w: World, row: Row) -> None:
    w.do(row.number, "edit", impact=_impact(w)[1:])


def _system(w: World, row: Row) -> None:
    w.do(row.number, "edit", kind="configuration")


def _not_run(w: World, row: Row) -> None:
    _carried_out(w, row)
    case = {"requirement": "UR-4", "test_case": "OQ-12", "affected": True, "rerun": True}
    w.do(row.number, "edit", validation=[case])


def _unready(w: World, row: Row) -> None:
    w.revise(w.new("document_sop", "effective"), change_control=row.number)


def _owner(w: World, row: Row) -> Person:
    return w.named("bench2")


EXAMPLE = Example(
    create=_new,
    acts={"extend": lambda w, row: {"extended_to": w.day(90)}},
    before={
        "implement_emergency": _emergency,
        "assess_late": _late,
        "send_back_emergency": _by_emergency,
        "approve": _reviewed,
        "verify": _carried_out,
    },
    breaks={
        "submit": {"Not assessed: product quality": _forgotten, "outcome for validation": _system},
        "assess_emergency": {"Not assessed: product quality": _forgotten, "outcome for validation": _system},
        "verify": {"open: OQ-12": _not_run},
        "make_effective": {"version made under this change": _unready},
    },
    actors={"review_area": _owner},
)
