"""A refinement comes into force at the door: for every process at once, on the log, and forwards only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from coverslip.bootstrap import wiring
from coverslip.errors import Conflict, EnvironmentFault, Invalid, Refused
from coverslip.kernel.attempt import Attempt
from coverslip.kernel.change import Change
from coverslip.kernel.commit import Door
from coverslip.kernel.refinery import Refinery
from coverslip.kernel.rows import Authority
from coverslip.kernel.view import render
from coverslip.ledger import canonical
from coverslip.store.ledger_sql import PostgresStore, writer_pool
from fix_lab import SHOWN, Lab, Person
from fix_view import printed

ROOM = {"word": "add_field", "name": "site_room", "kind": {"word": "Text", "max_length": 40}, "label": "Room",
        "required_at": ["frozen"]}  # fmt: skip
NO_ATTIC = {
    "word": "add_guard",
    "act": "freeze",
    "guard": {
        "word": "Compare", "path": ["site_room"], "op": "ne", "value": "attic",
        "message": "The attic is no laboratory.",
    },
}  # fmt: skip
LONGER = {"word": "raise_reason", "act": "edit", "minimum": 25}


def proposed(lab: Lab, *steps: dict[str, Any], kind: str = "image_set") -> str:
    """Return a refinement in draft."""
    return lab.aurel.create(
        "refinement", title="Rooms of the site", record_type=kind, patch={"steps": list(steps)},
        rationale="We work in several rooms.", migration_note="Open sets are given their room when frozen.",
        test_evidence="Tried on the training installation.",
    )  # fmt: skip


def in_force(lab: Lab, *steps: dict[str, Any], kind: str = "image_set") -> str:
    """Return a refinement that was approved."""
    number = proposed(lab, *steps, kind=kind)
    lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    return number


@pytest.fixture
def withdrawing(lab: Lab) -> Iterator[list[str]]:
    """Numbers of refinements that are withdrawn after the test."""
    found: list[str] = []
    yield found
    for number in reversed(found):
        if lab.row(number).state == "in_force":
            lab.quinn.do(number, "withdraw", sign=True, why="The test is over, so it goes again.")


def new_set(lab: Lab, who: Person | None = None, **more: Any) -> str:
    return (who or lab.alan).create(
        "image_set", title="Control wells", study=lab.n["study"], members=[lab.new_image()], **more
    )


def test_a_refinement_in_force_asks_for_more_and_its_definition_is_on_the_log(
    lab: Lab, withdrawing: list[str]
) -> None:
    before = lab.door.catalogue["image_set"]
    number = in_force(lab, ROOM, NO_ATTIC, LONGER)
    withdrawing.append(number)
    refined = lab.door.catalogue["image_set"]
    assert (refined.shipped, refined.type.version) == (before.shipped, before.type.version + 1)
    made = new_set(lab, site_room="attic")
    with pytest.raises(Refused, match="attic is no laboratory"):
        lab.alan.do(made, "freeze", sign=True)
    with pytest.raises(Invalid, match="At least 25"):
        lab.alan.do(made, "edit", site_room="Room 12", why="Moved down.")
    lab.alan.do(made, "edit", site_room="Room 12", why="The plate was moved down to where the scope is.")
    lab.alan.do(made, "freeze", sign=True)
    assert lab.row(made).definition == refined.hash
    assert lab.replay() == []


# --- how it comes into force -------------------------------------------------------------------


def defined_by(lab: Lab, number: str) -> list[dict[str, Any]]:
    """Return the definition entries that name a refinement as their subject."""
    return [e for e in lab.history(number) if e["type"] == "definition"]


def test_the_definition_is_entered_in_the_very_command_of_the_approval(
    lab: Lab, withdrawing: list[str]
) -> None:
    number = in_force(lab, LONGER)
    withdrawing.append(number)
    (entry,) = defined_by(lab, number)
    refined = lab.door.catalogue["image_set"]
    assert entry["sections"]["detail"]["hash"] == refined.hash
    assert canonical.encode(entry["sections"]["definition"]) == refined.canonical
    row = lab.row(number)
    kinds = lab.ask(
        "select kind from ledger.entry where command_id = (select command_id from ledger.entry"
        " where record_id = %s and version = %s) order by id", row.uid, row.version,
    )  # fmt: skip
    assert kinds == [("refinement",), ("installation",)]


def test_a_patch_that_does_not_fit_is_saved_as_draft_and_refused_with_every_problem_at_submission(
    lab: Lab,
) -> None:
    nowhere = {"word": "Compare", "path": ["nowhere"], "op": "present"}
    number = proposed(
        lab,
        {"word": "add_field", "name": "title", "kind": {"word": "Bool"}, "label": "Again"},
        {"word": "narrow_who", "act": "freeze", "who": ["ANL", "QA"]},
        {"word": "add_guard", "act": "freeze", "guard": nowhere},
    )
    with pytest.raises(Invalid) as caught:
        lab.aurel.do(number, "submit", sign=True)
    assert caught.value.code == "REFINEMENT"
    said = caught.value.values["problems"]
    for problem in ("step 1 (add_field): 'title'", "step 2 (narrow_who)", "nowhere leads nowhere"):
        assert any(problem in one for one in said), problem
    assert lab.row(number).state == "draft"


def test_what_fitted_at_submission_is_asked_again_at_approval(lab: Lab, withdrawing: list[str]) -> None:
    first, second = proposed(lab, ROOM), proposed(lab, ROOM)
    for number in (first, second):
        lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(first, "approve", sign=True)
    withdrawing.append(first)
    with pytest.raises(Invalid, match="site_room' is there already"):
        lab.quinn.do(second, "approve", sign=True)
    assert lab.row(second).state == "in_review"
    lab.quinn.do(second, "void", sign=True, why="The other one has come into force instead.")


def test_nobody_approves_what_they_wrote(lab: Lab) -> None:
    number = lab.quinn.create(
        "refinement", title="Longer reasons", record_type="image_set", patch={"steps": [LONGER]},
        rationale="x", migration_note="y", test_evidence="z",
    )  # fmt: skip
    lab.quinn.do(number, "submit", sign=True)
    with pytest.raises(Refused, match="someone other than you"):
        lab.quinn.do(number, "approve", sign=True)


def test_a_type_that_refines_others_is_not_refined(lab: Lab) -> None:
    number = proposed(lab, {"word": "raise_reason", "act": "withdraw", "minimum": 900}, kind="refinement")
    with pytest.raises(Invalid, match="not refined itself"):
        lab.aurel.do(number, "submit", sign=True)


# --- two processes -----------------------------------------------------------------------------


@contextmanager
def another_process(lab: Lab) -> Iterator[Door]:
    """A door of its own over the same database: pool, what it holds, and its catalogue."""
    admission = bytes.fromhex(lab.home.secret("admission.key").read_text("ascii").strip())
    with writer_pool(wiring.conninfo(lab.home, "cs_writer"), 2) as pool:
        store = PostgresStore(pool, admission)
        known = wiring.catalogue().recalling(lambda: wiring._definitions(pool))
        yield Door(known, store, lab.identity, lambda: lab.state["clock"], lab.events)


def between(monkeypatch: pytest.MonkeyPatch, door: Door, what: Callable[[], object]) -> None:
    """Let something happen just before the next commit of a door, once."""
    commit, waiting = door._store.commit, [what]

    def meanwhile(batch: Any) -> Any:
        if waiting:
            waiting.pop()()
        return commit(batch)

    monkeypatch.setattr(door._store, "commit", meanwhile)


def freeze(lab: Lab, number: str, **fields: Any) -> Change:
    row = lab.row(number)
    return Change("freeze", row.type, number, 0, fields, "", row.version, SHOWN)


def test_a_decision_made_before_is_made_again_when_another_process_brings_one_into_force(
    lab: Lab, withdrawing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    number, made = proposed(lab, ROOM, LONGER), new_set(lab)
    lab.aurel.do(number, "submit", sign=True)
    withdrawing.append(number)
    with another_process(lab) as door:
        short = Change("edit", "image_set", made, 0, {"title": "Other wells"}, "A better name.", 1)
        assert door.catalogue["image_set"].hash == lab.door.catalogue["image_set"].hash
        between(monkeypatch, door, lambda: lab.quinn.do(number, "approve", sign=True))
        with pytest.raises(Invalid, match="At least 25"):
            door.submit(short, lab.alan.context)
        assert lab.row(made).version == 1
        with pytest.raises(Invalid, match="site_room is required"):
            door.submit(freeze(lab, made), lab.alan.context, lab.alan.credential)
        assert door.catalogue["image_set"].hash == lab.door.catalogue["image_set"].hash


def test_what_was_signed_under_another_definition_is_not_written(
    lab: Lab, withdrawing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    critical = {"word": "mark_critical", "field": "title"}
    number, made = proposed(lab, critical), new_set(lab)
    lab.aurel.do(number, "submit", sign=True)
    withdrawing.append(number)
    with another_process(lab) as door:
        between(monkeypatch, door, lambda: lab.quinn.do(number, "approve", sign=True))
        with pytest.raises(Conflict):
            door.submit(freeze(lab, made), lab.alan.context, lab.alan.credential)
        assert lab.row(made).state == "open"
        door.submit(freeze(lab, made), lab.alan.context, lab.alan.credential)
    assert lab.row(made).definition == lab.door.catalogue["image_set"].hash


def test_what_is_held_of_a_record_does_not_outlive_the_catalogue(lab: Lab, withdrawing: list[str]) -> None:
    number, made = proposed(lab, LONGER), new_set(lab)
    lab.aurel.do(number, "submit", sign=True)
    with another_process(lab) as door:

        def edit(title: str, version: int) -> Change:
            return Change("edit", "image_set", made, 0, {"title": title}, "A better name.", version)

        door.submit(edit("One", 1), lab.alan.context)
        door.submit(edit("Two", 2), lab.alan.context)
        lab.quinn.do(number, "approve", sign=True)
        withdrawing.append(number)
        with pytest.raises(Invalid, match="At least 25"):
            door.submit(edit("Three", 3), lab.alan.context)


def test_two_approvals_at_once_both_come_into_force_one_upon_the_other(
    lab: Lab, withdrawing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = proposed(lab, LONGER), proposed(lab, ROOM)
    for number in (first, second):
        lab.aurel.do(number, "submit", sign=True)
    withdrawing += [first, second]
    with another_process(lab) as door:
        between(monkeypatch, door, lambda: lab.quinn.do(first, "approve", sign=True))
        row = lab.row(second)
        approve = Change("approve", row.type, second, 0, {}, "", row.version, SHOWN)
        door.submit(approve, lab.vera.context, lab.vera.credential)
    refined = lab.door.catalogue["image_set"].type
    assert "site_room" in refined.fields and refined.edit is not None and refined.edit.reason.minimum == 25
    assert [e["sections"]["detail"]["before"] for e in defined_by(lab, second)] == [
        defined_by(lab, first)[0]["sections"]["detail"]["hash"]
    ]
    assert lab.replay() == []


# --- records of before, and after --------------------------------------------------------------


def test_a_record_made_before_is_shown_as_it_was_and_finished_as_it_is_asked_now(
    lab: Lab, withdrawing: list[str]
) -> None:
    made, before = new_set(lab), lab.door.catalogue["image_set"]
    withdrawing.append(in_force(lab, ROOM))
    row = lab.row(made)
    assert lab.door.catalogue.under(row.type, row.definition).hash == before.hash == row.definition
    assert "Room" not in render(lab.door.catalogue.under(row.type, row.definition), row)
    with pytest.raises(Invalid, match="site_room is required"):
        lab.alan.do(made, "freeze", sign=True)
    lab.alan.do(made, "edit", site_room="Room 12", why="The room is asked for now.")
    lab.alan.do(made, "freeze", sign=True)
    row = lab.row(made)
    assert printed(render(lab.door.catalogue.under(row.type, row.definition), row))["Room"] == ("Room 12",)
    assert lab.replay() == []


def test_a_field_asked_in_a_locked_state_can_be_given_with_the_act(lab: Lab, withdrawing: list[str]) -> None:
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    lab.rita.do(sop, "review", sign=True)
    step = {**ROOM, "name": "site_shelf", "required_at": ["approved"]}
    withdrawing.append(in_force(lab, step, kind="document_sop"))
    with pytest.raises(Invalid, match="site_shelf is required"):
        lab.quinn.do(sop, "approve", sign=True)
    lab.quinn.do(sop, "approve", sign=True, site_shelf="B 4")
    assert lab.row(sop).fields["site_shelf"] == "B 4"


def test_an_act_that_only_may_take_a_field_of_the_site_touches_nothing_unless_it_is_given(
    lab: Lab, withdrawing: list[str]
) -> None:
    step = {**ROOM, "name": "site_shelf", "required_at": ["approved"]}
    withdrawing.append(in_force(lab, step, kind="document_sop"))
    sop = lab.new_sop(site_shelf="B 4")
    lab.approve_sop(sop)
    assert lab.quinn.uid not in lab.row(sop).people["touched"]


# --- withdrawal --------------------------------------------------------------------------------


def test_a_withdrawn_refinement_asks_nothing_any_more_and_never_comes_back_as_if_nothing_had_been(
    lab: Lab,
) -> None:
    before = lab.door.catalogue["image_set"]
    number = in_force(lab, ROOM, LONGER)
    during = lab.door.catalogue["image_set"]
    made = new_set(lab, site_room="Room 12")
    lab.quinn.do(number, "withdraw", sign=True, why="One room is left, so it need not be said.")
    after = lab.door.catalogue["image_set"]
    assert len({before.hash, during.hash, after.hash}) == 3
    assert before.type.version < during.type.version < after.type.version
    assert msgspec.structs.replace(
        after.type, version=before.type.version, migration_note=before.type.migration_note
    ) == before.type  # fmt: skip
    lab.alan.do(made, "edit", title="Other wells", why="A better name.")
    row = lab.row(made)
    assert printed(render(after, row))["Site room (of an earlier definition)"] == ("Room 12",)
    assert [e["sections"]["detail"]["hash"] for e in defined_by(lab, number)] == [during.hash, after.hash]
    with pytest.raises(Refused):
        lab.quinn.do(number, "approve", sign=True)
    assert lab.replay() == []


def test_one_that_another_rests_on_cannot_be_withdrawn(lab: Lab, withdrawing: list[str]) -> None:
    first = in_force(lab, ROOM)
    withdrawing.append(first)
    second = in_force(lab, NO_ATTIC)
    withdrawing.append(second)
    with pytest.raises(Invalid, match="site_room' leads to no field"):
        lab.quinn.do(first, "withdraw", sign=True, why="One room is left, so it need not be said.")
    assert lab.row(first).state == "in_force"


# --- refused rather than guessed ---------------------------------------------------------------


def test_refinements_that_fit_no_shipped_type_stop_every_change(lab: Lab) -> None:
    row = {"type": "image_set", "patch": {"steps": [{"word": "mark_critical", "field": "gone"}]}}
    facts = replace(Attempt(lab.door._parts, freeze(lab, new_set(lab)), lab.alan.context)._facts(),
                    authority=(Authority("", "refines", "RFN-9999", "", "", "", "", row),))  # fmt: skip
    with pytest.raises(EnvironmentFault, match=r"RFN-9999: step 1 \(mark_critical\): there is no field"):
        Refinery(wiring.catalogue(), lab.store).told(facts)
