"""My work follows from the declarations: what waits for a person is there, and nothing else is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from coverslip.bootstrap.working import working
from coverslip.kernel.definition import Catalogue, define
from coverslip.records import all_types
from coverslip.work import waiting
from fix_lab import TODAY, Lab, Person

YESTERDAY = (TODAY - dt.timedelta(days=1)).isoformat()


def mine(lab: Lab, person: Person, limit: int = 100) -> dict[str, dict[str, Any]]:
    work = working(lab.accounts._pool, lab.store, lab.door)
    found: dict[str, dict[str, Any]] = {}
    cursor, more = "", True
    while more:
        page = work.mine(person.context, cursor, limit)
        assert len(page["items"]) <= limit
        assert not found.keys() & {i["label"] for i in page["items"]}, "no record comes twice"
        found |= {i["label"]: i for i in page["items"]}
        cursor = page["next"]
        more = bool(cursor)
    return found


def acts(item: dict[str, Any]) -> list[str]:
    return [a["act"] for a in item["acts"] if a["allowed"]]


def test_a_draft_waits_for_its_author_and_then_for_whoever_reviews_and_approves(lab: Lab) -> None:
    sop = lab.new_sop()
    label = f"{sop} v1"
    assert acts(mine(lab, lab.aurel)[label]) == ["submit"]
    assert label not in mine(lab, lab.rita)
    lab.aurel.do(sop, "submit", sign=True)
    assert label in mine(lab, lab.rita)
    assert label not in mine(lab, lab.aurel), "nobody reviews their own document"
    lab.rita.do(sop, "review", sign=True)
    assert acts(mine(lab, lab.quinn)[label]) == ["approve"]
    assert label not in mine(lab, lab.rita)
    lab.quinn.do(sop, "approve", sign=True)
    assert label not in mine(lab, lab.aurel)


def test_what_waits_for_a_person_named_is_theirs_alone(lab: Lab) -> None:
    number = lab.alan.create("comment", subject=lab.n["study"], text="Why?", asked=lab.number_of("mia"))
    assert "answer" in acts(mine(lab, lab.mia)[number])
    assert number not in mine(lab, lab.rex), "what everybody may do is nobody's work"
    assert "resolve" in acts(mine(lab, lab.alan)[number])
    lab.mia.do(number, "answer", answer="As planned.")
    lab.alan.do(number, "resolve")
    assert number not in mine(lab, lab.mia)


def test_training_waits_for_the_trainee_with_its_day(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    record = lab.aurel.create(
        "training_record", person=lab.number_of("mia"), document=f"{sop} v1", depth="read_understood",
        due=TODAY.isoformat(),
    )  # fmt: skip
    item = mine(lab, lab.mia)[record]
    assert item["overdue_days"] == 0
    assert "complete" in acts(item)
    assert record not in mine(lab, lab.alan)


def test_no_act_is_left_out_because_of_its_name_but_only_as_declared() -> None:
    catalogue = Catalogue(all_types())
    sop = catalogue["document_sop"].type
    first, *others = sop.transitions
    for name, aside in (("cancel_print", False), ("submit_to_nobody", True)):
        renamed = msgspec.structs.replace(first, name=name, aside=aside)
        changed = define(msgspec.structs.replace(sop, transitions=(renamed, *others)))
        assert (name in {act.name for act in waiting.acts(changed, "draft")}) is not aside


def test_every_act_that_voids_or_cancels_is_declared_as_done_by_the_way() -> None:
    for declared in all_types():
        for act in declared.transitions:
            if act.name in ("void", "cancel", "abort", "withdraw") and not act.consequence:
                assert act.aside, f"{declared.name}.{act.name}"


def test_what_is_on_hold_stays_in_the_list_and_says_so(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    hold = lab.vera.create("hold", subject=f"{sop} v1", reason="The text is in question.")
    item = mine(lab, lab.rita)[f"{sop} v1"]
    assert item["on_hold"] == [{"number": hold, "reason": "The text is in question."}]
    assert acts(item) == []
    assert {a["code"] for a in item["acts"]} == {"HOLD"}


def test_pages_follow_each_other_without_gap_or_repetition(lab: Lab) -> None:
    made = {f"{lab.new_sop()} v1" for _ in range(7)}
    assert made <= mine(lab, lab.aurel, 2).keys()
    assert list(mine(lab, lab.aurel, 2)) == list(mine(lab, lab.aurel))


def test_a_person_without_roles_has_no_work_of_roles(lab: Lab) -> None:
    sop = lab.new_sop()
    assert f"{sop} v1" not in mine(lab, lab.nora)
    assert {i["type"] for i in mine(lab, lab.nora).values()} <= {"user"}


def test_nobody_is_waited_for_where_a_record_rests_or_has_ended() -> None:
    catalogue = Catalogue(all_types())
    everything = {code for d in catalogue for t in d.type.transitions for code in t.who}
    for want in waiting.wants(catalogue, everything):
        state = catalogue[want.type].state(want.state)
        assert not (state.terminal or state.resting or state.effective or state.voided), want
    assert not any(w.type == "tag" for w in waiting.wants(catalogue, everything))


@pytest.mark.parametrize(("due", "days"), [("", 0), ("2026-11-21", 0), ("2026-11-22", 0), ("2026-11-01", 20)])
def test_days_late_are_counted_from_the_day_after(due: str, days: int) -> None:
    from coverslip.work.mine import overdue_days

    assert overdue_days(due, "2026-11-21") == days
