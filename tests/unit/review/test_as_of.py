"""As it was: a record and everybody's authority, seen now and seen again after everything has changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from coverslip.kernel.sheet import Entry
from fix_grounds import Grounds
from fix_lab import LATER, TODAY, Lab
from fix_view import sheet_of


@pytest.fixture
def own(grounds: Grounds) -> Iterator[Lab]:
    """A laboratory of this test alone, so that what changes afterwards changes for nobody else."""
    with grounds.open("world") as found:
        yield found


def now(lab: Lab) -> str:
    """Return a moment after everything so far and before everything to come."""
    time.sleep(0.002)
    moment = lab.accounts.now()
    time.sleep(0.002)
    return moment


def as_of(lab: Lab, number: str, at: str) -> dict[str, Any]:
    return lab.services().past.record(number, 0, at)


def matrix(lab: Lab, at: str, person: str = "") -> dict[str, Any]:
    return lab.services().past.matrix(at, person)


def of(found: dict[str, Any], username: str) -> dict[str, Any]:
    return next(p for p in found["people"] if p["username"] == username)


def roles(found: dict[str, Any], username: str) -> dict[str, bool]:
    return {r["role"]: r["usable"] for r in of(found, username)["roles"]}


def test_a_record_is_shown_as_it_was_whatever_happened_since(own: Lab) -> None:
    study = own.new_study("glp")
    first = now(own)
    seen = as_of(own, study, first)
    own.sam.do(study, "edit", why="Objectives said better.", objectives="Count nuclei twice.")
    own.start_study(study)
    hold = own.quinn.create("hold", subject=study, reason="A question is open about it.")
    second = now(own)
    held = as_of(own, study, second)
    own.quinn.do(hold, "lift", sign=True, why="The question is answered.")
    own.sam.do(study, "suspend", why="The microscope is away.")
    assert as_of(own, study, first) == seen
    assert as_of(own, study, second) == held
    assert (seen["state"], seen["version"], seen["signatures"]) == ("draft", 1, [])
    assert seen["fields"]["objectives"] == "Count nuclei."
    assert held["state"] == "in_progress"
    assert [s["meaning"] for s in held["signatures"]] == ["accepted_responsibility", "qa_reviewed"]
    assert held["on_hold"] == [{"number": hold, "reason": "A question is open about it."}]
    parts = {part.heading: part.items for part in sheet_of(held["text"]).parts}
    assert parts["On hold"] == (Entry(hold, ("A question is open about it.",)),)
    current = as_of(own, study, now(own))
    assert (current["state"], current["on_hold"]) == ("suspended", [])


def test_each_act_tells_what_its_person_held_and_was_trained_on_then(own: Lab) -> None:
    study = own.new_study("glp")
    own.start_study(study)
    before = as_of(own, study, now(own))["acts"]
    grants = {r["role"]: r["grant"] for a in before for r in a["roles"]}
    own.quinn.do(grants["SDR"], "revoke", sign=True, why="Moves to another site.")
    own.grant(own.number_of("sam"), "ANL")
    own.train("sam", f"{own.n['sop']} v1")
    after = as_of(own, study, now(own))["acts"]
    assert after == before
    created = before[0]
    assert (created["act"], created["username"]) == ("create", "sam")
    assert [r["role"] for r in created["roles"]] == ["SDR"]
    assert created["trained"] == []
    approved = next(a for a in before if a["act"] == "approve")
    assert [r["role"] for r in approved["roles"]] == ["QA"]


def test_a_training_counts_from_its_entry_and_not_for_acts_before(own: Lab) -> None:
    study = own.new_study("glp")
    own.train("sam", f"{own.n['sop']} v1")
    own.sam.do(study, "edit", why="Objectives said better.", objectives="Count nuclei twice.")
    acts = as_of(own, study, now(own))["acts"]
    assert [bool(a["trained"]) for a in acts] == [False, True]
    assert acts[1]["trained"][0]["document"] == f"{own.n['sop']} v1"


def test_of_a_document_the_version_in_force_then_is_shown(own: Lab) -> None:
    sop = own.n["sop"]
    then = now(own)
    old = as_of(own, sop, then)
    own.aurel.create(
        "document_sop",
        next_of=sop,
        title="Counting nuclei again",
        criticality="gxp_critical",
        body="1. Image twice.",
        change_summary="Twice.",
        training_depth="none",
        audience=[],
        effective_date=TODAY.isoformat(),
        **({"change_control": own.approved_change()} if hasattr(own, "approved_change") else {}),
    )
    own.approve_sop(sop, 2)
    assert own.work().due() >= 1
    assert as_of(own, sop, now(own))["label"] == f"{sop} v2"
    again = as_of(own, sop, then)
    assert again == old
    assert (again["label"], again["state"]) == (f"{sop} v1", "effective")
    assert own.services().past.record(sop, 1, now(own))["state"] == "superseded"


def test_the_matrix_is_as_it_was_whoever_came_and_went(own: Lab) -> None:
    then = now(own)
    seen = matrix(own, then)
    person = own.number_of("rita")
    grant = of(seen, "rita")["roles"][0]["grant"]
    own.quinn.do(grant, "revoke", sign=True, why="Moves to another site.")
    own.grant(person, "MET")
    own.aurel.do(own.number_of("nora"), "disable", why="Has left the site.", **_ending(own))
    later = matrix(own, now(own))
    assert matrix(own, then) == seen
    assert roles(seen, "rita") == {"REV": True}
    assert roles(later, "rita") == {"MET": True}
    assert "nora" in {p["username"] for p in seen["people"]}
    assert "nora" not in {p["username"] for p in later["people"]}
    assert of(seen, "ada")["administrator"]
    assert not of(seen, "rita")["administrator"]


def _ending(lab: Lab) -> dict[str, Any]:
    found = next(t for t in lab.door.catalogue["user"].type.transitions if t.name == "disable")
    return {"sign": True} if found.signature else {}


def test_a_role_without_its_training_is_held_and_not_usable(own: Lab) -> None:
    before = now(own)
    own.aurel.do("ROLE-REV", "propose_documents", why="Reviewers read it.", proposed_documents=[own.n["sop"]])
    own.quinn.do("ROLE-REV", "approve_documents", sign=True)
    between = now(own)
    own.train("rita", f"{own.n['sop']} v1")
    assert roles(matrix(own, before), "rita") == {"REV": True}
    assert roles(matrix(own, between), "rita") == {"REV": False}
    assert of(matrix(own, between), "rita")["roles"][0]["lacking"] == [f"{own.n['sop']} v1"]
    assert roles(matrix(own, now(own)), "rita") == {"REV": True}


def test_the_matrix_agrees_with_what_the_door_lets_people_do(own: Lab) -> None:
    number = own.number_of("rita")
    may = matrix(own, now(own), number)["people"][0]["may"]
    assert "complete" not in may.get("study", [])
    assert "technical" in may["review_case"]
    assert "approve" not in may.get("document_sop", [])
    assert "approve" in matrix(own, now(own), own.number_of("quinn"))["people"][0]["may"]["document_sop"]


def test_the_matrix_of_now_equals_todays_projection(own: Lab) -> None:
    own.grant(own.number_of("nora"), "MET", end=LATER)
    found = matrix(own, now(own))
    folded = {(p["number"], r["role"], r["grant"]) for p in found["people"] for r in p["roles"]}
    stored = own.ask(
        "select n.number, a.code, a.data ->> 'grant' from projection.authority a"
        " join projection.number n on n.uid = a.person where a.kind = 'role'"
        " and (a.valid_to is null or a.valid_to > clock_timestamp())"
        " and (a.valid_from is null or a.valid_from <= clock_timestamp())"
    )
    assert folded == {tuple(row) for row in stored}
