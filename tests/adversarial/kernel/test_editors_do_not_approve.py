"""Whoever changed what a record says does not approve it, whatever else they are (DOMAIN 2.4)."""

from __future__ import annotations

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types
from fix_lab import refused
from fix_world import World

JUDGING = ("approved", "reviewed", "qa_reviewed", "released")
OTHERWISE = {
    "audit_trail_review.review": "The review is the work itself; somebody else closes it.",
    "change.review_area": "Who answers for an area may write its part of the plan, and reviews that part.",
    "document_external.withdraw": "What it says was reviewed and approved by others; it only ends.",
    "report.issue": "What it says was approved by somebody who edited nothing.",
    "role.approve_documents": "It judges the documents proposed; who proposed them is kept out.",
    "study.archive": "What the plan says was approved by others long before.",
    "study.unblind": "It approves that blinding ends, by a plan that others approved long before.",
    "training_record.exempt": "It judges the exemption asked for; who asked is kept out.",
}


def _changed_by_approvers(declared: w.Type) -> list[str]:
    """Return the acts that judge, that an editor could do, and that keep no editor out."""
    edit = declared.edit
    if edit is None:
        return []
    apart = {
        name
        for name, one in declared.persons.items()
        if not one.path and (isinstance(one, w.Touched) or (isinstance(one, w.Actor) and one.act == "edit"))
    }
    found = []
    for act in declared.transitions:
        signed = act.signature
        if signed is None or signed.meaning not in JUDGING or not (set(edit.states) & _before(declared, act)):
            continue
        roles = set(signed.roles or act.who)
        names = {*act.independent_of, *signed.independent_of}
        if ("*" in edit.who or roles & set(edit.who)) and not names & apart:
            found.append(f"{declared.name}.{act.name}")
    return found


def _before(declared: w.Type, act: w.Transition) -> set[str]:
    """Return the states a record may have been in before the act."""
    return {s.name for s in declared.states} - (set() if act.to == "" else {act.to})


@pytest.mark.parametrize("declared", all_types(), ids=lambda t: t.name)
def test_no_type_lets_who_edited_approve(declared: w.Type) -> None:
    assert [a for a in _changed_by_approvers(declared) if a not in OTHERWISE] == []


def test_quality_does_not_approve_the_investigation_it_rewrote(world: World) -> None:
    number = world.new("deviation", "investigating")
    editor = world.person("QA", 2)
    world.do(number, "edit", by=editor, what="What happened, as quality would rather have it.")
    world.step(number, "submit")
    with refused("AUTH_SELF"):
        world.step(number, "approve", by=editor)
    world.step(number, "approve", by=world.person("QA", 3))
    assert world.row(number).state == "actions"


def test_quality_does_not_invalidate_the_result_it_described(world: World) -> None:
    number = world.new("oos", "open")
    editor = world.person("QA", 2)
    world.do(number, "edit", by=editor, what="What was seen, as quality would rather have it.")
    world.step(number, "finish_phase1", assignable_cause="yes", cause="A smear on the slide.")
    with refused("AUTH_SELF"):
        world.step(number, "invalidate", by=editor)
