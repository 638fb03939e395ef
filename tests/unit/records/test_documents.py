"""Documents, training and delegation in a whole laboratory: what opens, follows and ends by itself."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.kernel.change import Change
from coverslip.kernel.checks import MEANINGS
from coverslip.kernel.rows import Row
from coverslip.records.founding import meanings_fields
from coverslip.training import Assignments, Matrix
from fix_lab import TODAY, Lab, refused


def day(days: int) -> str:
    return (TODAY + dt.timedelta(days=days)).isoformat()


@pytest.fixture(autouse=True)
def _projections_are_what_the_ledger_says(lab: Lab) -> Iterator[None]:
    yield
    assert lab.replay() == []


def duty(lab: Lab) -> None:
    Assignments(lab.door, lab.reading, lab.service, lab.accounts.now).do()


def training_on(lab: Lab, number: str, revision: int = 1) -> dict[str, Row]:
    """Return training on a version by the trainee's number."""
    rows = [r for r in lab.reading.linked(lab.row(number, revision).uid) if r.type == "training_record"]
    return {str(r.fields["person"]["number"]): r for r in rows}


def in_force(lab: Lab, **more: Any) -> str:
    sop = lab.new_sop(**({"training_depth": "none"} | more))
    lab.approve_sop(sop)
    lab.work().due()
    assert lab.row(sop, 1).state == "effective"
    return sop


def next_version(lab: Lab, sop: str, **more: Any) -> None:
    """Bring the second version of a procedure to ``approved``."""
    fields = {
        "title": "Next",
        "criticality": "gxp",
        "body": "New.",
        "change_summary": "Second.",
        "training_depth": "none",
        "audience": [],
        "change_control": lab.approved_change(),
        "effective_date": TODAY.isoformat(),
    }
    lab.aurel.create("document_sop", next_of=sop, **(fields | more))
    lab.approve_sop(sop, 2)


# --- versions ----------------------------------------------------------------------------------


def test_approval_opens_training_of_the_whole_audience_before_the_version_is_in_force(lab: Lab) -> None:
    sop = lab.new_sop(audience=["ROLE-REV", "ROLE-ANL"], training_depth="assessed", effective_date=day(20))
    lab.aurel.do(sop, "submit", sign=True)
    lab.rita.do(sop, "review", sign=True)
    assert training_on(lab, sop) == {}
    made = lab.quinn.do(sop, "approve", sign=True)
    found = training_on(lab, sop)
    # Rex is reviewer and analyst, and is asked once.
    assert set(found) == {lab.number_of(n) for n in ("alan", "olga", "rita", "rex")}
    assert len([e for e in made.entries if e.type == "training_record"]) == 4
    assert {r.state for r in found.values()} == {"assigned"}
    assert {(r.fields["depth"], r.fields["due"]) for r in found.values()} == {("assessed", day(20))}
    assert lab.row(sop).state == "approved"
    link = next(iter(found.values())).fields["document"]
    approved = lab.history(sop)[-1]
    assert (link["version"], link["hash"]) == (approved["version"], approved["leaf_hash"])


def test_a_version_without_training_opens_none(lab: Lab) -> None:
    sop = lab.new_sop(audience=["ROLE-MET"], training_depth="none")
    lab.approve_sop(sop)
    assert training_on(lab, sop) == {}


def test_withdrawing_a_version_closes_what_its_approval_opened_and_approving_opens_anew(lab: Lab) -> None:
    sop = lab.new_sop(audience=["ROLE-SDR"], effective_date=day(20))
    lab.approve_sop(sop)
    sam = lab.number_of("sam")
    lab.sam.do(training_on(lab, sop)[sam].number, "complete", sign=True)
    lab.quinn.do(sop, "withdraw", why="A paragraph is missing after all.")
    assert [r.state for r in training_on(lab, sop).values()] == ["cancelled"]
    lab.approve_sop(sop)
    rows = [r for r in lab.reading.linked(lab.row(sop).uid) if r.type == "training_record"]
    assert sorted(r.state for r in rows) == ["assigned", "cancelled"], "what was read is not what is approved"


def test_a_second_version_rests_on_an_approved_change(lab: Lab) -> None:
    sop = in_force(lab)
    draft = lab.aurel.create("change", **_change())
    with refused("LINK_VER"):
        next_version(lab, sop, change_control=draft)
    fields = {"title": "Next", "criticality": "gxp", "body": "New.", "change_summary": "Second."}
    more: dict[str, Any] = {"training_depth": "none", "audience": [], "effective_date": TODAY.isoformat()}
    lab.aurel.create("document_sop", next_of=sop, **fields, **more)
    with refused("SEQ_PRE") as said:
        lab.aurel.do(sop, "submit", sign=True, revision=2)
    assert "A change control is linked: version 2 and later need one" in said[0].message
    lab.aurel.do(
        sop, "edit", revision=2, why="The change was approved.", change_control=lab.approved_change()
    )
    lab.aurel.do(sop, "submit", sign=True, revision=2)


def _change() -> dict[str, Any]:
    return {
        "title": "Not approved yet",
        "kind": "document",
        "description": "Something.",
        "reason": "Something asked for it.",
        "change_class": "minor",
    }


def test_quality_moves_the_date_of_an_approved_version_and_never_into_the_past(lab: Lab) -> None:
    sop = lab.new_sop(effective_date=day(5))
    lab.approve_sop(sop)
    with refused("AUTH_ROLE"):
        lab.aurel.do(sop, "extend_effective", sign=True, why="More time for training.", effective_date=day(9))
    with refused("VAL_RANGE"):
        lab.quinn.do(
            sop, "extend_effective", sign=True, why="More time for training.", effective_date=day(-1)
        )
    lab.quinn.do(sop, "extend_effective", sign=True, why="More time for training.", effective_date=day(9))
    row = lab.row(sop)
    assert (row.state, row.fields["effective_date"]) == ("approved", day(9))


def test_superseding_closes_training_and_review_of_the_version_before_and_starts_the_next_clock(
    lab: Lab,
) -> None:
    sop = in_force(lab, training_depth="read_understood", audience=[])
    done = lab.train("mia", f"{sop} v1")
    left = lab.aurel.create(
        "training_record",
        person=lab.number_of("sam"),
        document=f"{sop} v1",
        depth="read_understood",
        due=day(3),
    )
    first = _reviews(lab, sop, 1)
    assert [(r.state, r.fields["due"][:4]) for r in first] == [("scheduled", str(TODAY.year + 2))]
    next_version(lab, sop, review_months=12)
    lab.work().due()
    assert (lab.row(sop, 1).state, lab.row(sop, 2).state) == ("superseded", "effective")
    assert lab.row(sop, 1).fields["out_of_force_on"] == lab.accounts.now()[:10]
    assert (lab.row(done).state, lab.row(left).state) == ("superseded", "cancelled")
    assert lab.row(first[0].number).state == "superseded"
    assert [(r.state, r.fields["due"][:4]) for r in _reviews(lab, sop, 2)] == [
        ("scheduled", str(TODAY.year + 1))
    ]
    assert len({lab.history(n)[-1]["at"] for n in (done, left, first[0].number)}) == 1, "one command"


def _reviews(lab: Lab, number: str, revision: int) -> list[Row]:
    return [r for r in lab.reading.linked(lab.row(number, revision).uid) if r.type == "periodic_review"]


def test_copies_are_recalled_where_their_version_goes_and_hold_it_back_until_quality_waives(lab: Lab) -> None:
    sop = in_force(lab)
    held = {"holder": lab.number_of("alan"), "medium": "paper", "purpose": "Read at the bench."}
    copies = [lab.aurel.create("controlled_copy", document=f"{sop} v1", **held) for _ in range(2)]
    assert [lab.row(c).fields["copy_no"] for c in copies] == [1, 2]
    next_version(lab, sop)
    lab.work().due()
    assert (lab.row(sop, 1).state, lab.row(sop, 2).state) == ("effective", "approved")
    with refused("SEQ_PRE") as said:
        _into_force(lab, sop)
    assert "2 controlled copies" in said[0].message
    lab.alan.do(copies[0], "hand_back", sign=True)
    with refused("AUTH_ROLE"):
        lab.alan.do(copies[0], "take_back", sign=True)
    lab.rita.do(copies[0], "take_back", sign=True)
    why = "The second copy is at the other site and comes back with the courier."
    lab.quinn.do(sop, "waive_copies", sign=True, why=why, revision=1)
    _into_force(lab, sop)
    assert lab.row(sop, 1).state == "superseded"
    assert [lab.row(c).state for c in copies] == ["returned", "recalled"]
    lab.alan.do(
        copies[1], "lose", sign=True, why="The courier's parcel did not arrive.", fate="Lost in transit."
    )
    assert lab.row(copies[1]).state == "lost"
    (incident,) = [r for r in lab.reading.linked(lab.row(copies[1]).uid) if r.type == "incident"]
    assert (incident.state, incident.fields["what"]) == ("open", "Lost in transit.")
    assert lab.history(incident.number)[0]["at"] == lab.history(copies[1])[-1]["at"], "one command"
    left = lab.reading.linked(lab.row(copies[0]).uid)
    assert not [r for r in left if r.type == "incident"], "a returned copy opens none"


def _change_under_way(lab: Lab) -> str:
    number = lab.approved_change()
    lab.quinn.do(number, "implement")
    return number


def _verified(lab: Lab, number: str) -> None:
    done = {"action": "Write the versions.", "done_on": TODAY.isoformat(), "evidence": "Read by Rita."}
    lab.aurel.do(number, "edit", why="Every action is done.", plan=[done])
    lab.vera.do(number, "verify", sign=True)


def test_versions_made_under_a_change_come_into_force_with_it_in_one_command(lab: Lab) -> None:
    first, second = in_force(lab), in_force(lab)
    held = {"holder": lab.number_of("alan"), "medium": "paper", "purpose": "Read at the bench."}
    change = _change_under_way(lab)
    next_version(lab, first, change_control=change)
    next_version(lab, second, change_control=change)
    lab.work().due()
    assert [lab.row(n, 2).state for n in (first, second)] == ["approved"] * 2, "neither comes alone"
    with refused("SEQ_PRE") as said:
        _into_force(lab, first)
    assert f"comes into force together with {change} (it is implementing)" in said[0].message
    _verified(lab, change)
    lab.work().due()
    assert lab.row(change).state == "effective"
    assert [lab.row(n, 1).state for n in (first, second)] == ["superseded"] * 2
    assert [lab.row(n, 2).state for n in (first, second)] == ["effective"] * 2
    rows = [(n, r) for n in (first, second) for r in (1, 2)]
    ats = {lab.history(n, r)[-1]["at"] for n, r in rows} | {lab.history(change)[-1]["at"]}
    assert len(ats) == 1, "one command"
    for number in (first, second):
        assert [r.state for r in _reviews(lab, number, 1)] == ["superseded"]
        assert [r.state for r in _reviews(lab, number, 2)] == ["scheduled"]
    with refused("LINK_VER"):
        lab.aurel.create("controlled_copy", document=f"{first} v1", **held)


def test_a_change_whose_versions_are_not_all_ready_says_which_and_brings_none_into_force(lab: Lab) -> None:
    ready, early, draft = in_force(lab), in_force(lab), in_force(lab)
    change = _change_under_way(lab)
    next_version(lab, ready, change_control=change)
    next_version(lab, early, change_control=change, effective_date=day(9))
    fields = {"title": "Next", "criticality": "gxp", "body": "New.", "change_summary": "Second."}
    more: dict[str, Any] = {"training_depth": "none", "audience": [], "change_control": change}
    lab.aurel.create("document_sop", next_of=draft, **fields, **more)
    _verified(lab, change)
    lab.work().due()
    with refused("SEQ_PRE") as said:
        lab.door.submit(Change("make_effective", number=change), lab.service())
    assert f"({early} v2 is for {day(9)}; {draft} v2 is draft)" in said[0].message
    assert lab.row(change).state == "verified"
    assert [lab.row(n, 2).state for n in (ready, early, draft)] == ["approved", "approved", "draft"]
    assert lab.row(ready, 1).state == "effective"


def test_a_copy_still_out_of_one_version_holds_back_the_whole_change(lab: Lab) -> None:
    free, copied = in_force(lab), in_force(lab)
    held = {"holder": lab.number_of("alan"), "medium": "paper", "purpose": "Read at the bench."}
    lab.aurel.create("controlled_copy", document=f"{copied} v1", **held)
    change = _change_under_way(lab)
    for number in (free, copied):
        next_version(lab, number, change_control=change)
    _verified(lab, change)
    with refused("SEQ_PRE") as said:
        lab.door.submit(Change("make_effective", number=change), lab.service())
    assert f"1 controlled copies of {copied} v1" in said[0].message
    assert [lab.row(n, 1).state for n in (free, copied)] == ["effective"] * 2


def _looked_at(lab: Lab, sop: str, outcome: str) -> str:
    """Take the periodic review of version 1 as far as QA's approval; return its number."""
    number = _reviews(lab, sop, 1)[0].number
    lab.aurel.do(number, "start")
    topics = ("regulation_change", "deviations_and_capa", "training_issues", "system_change")
    checked = [{"topic": topic, "found": "Nothing."} for topic in topics]
    lab.aurel.do(number, "review", sign=True, checked=checked, findings="Read as it stands.", outcome=outcome)
    return number


def test_a_review_that_asks_for_a_new_version_opens_its_draft_in_the_same_command(lab: Lab) -> None:
    sop = in_force(lab, body="The text in force.")
    review = _looked_at(lab, sop, "revise")
    made = lab.quinn.do(review, "ask_for_revision", sign=True)
    assert [(e.type, e.number) for e in made.entries] == [("periodic_review", review), ("document_sop", sop)]
    first, second = lab.row(sop, 1), lab.row(sop, 2)
    assert (first.state, second.state, second.version) == ("effective", "draft", 1)
    assert second.fields["body"] == "The text in force."
    left = {"change_control", "change_summary", "effective_date", "out_of_force_on"}
    assert left & second.fields.keys() == set()
    assert set(first.fields) - left == set(second.fields)
    signed = {name for name in second.people if name.startswith("signed_")}
    assert not signed, "no signature goes over to the draft"
    assert set(second.people) <= {"create", "touched"}
    assert lab.history(sop, 2)[0]["at"] == lab.history(review)[-1]["at"] == made.at


def test_a_review_does_not_open_a_second_draft_of_the_number(lab: Lab) -> None:
    sop = in_force(lab)
    review = _looked_at(lab, sop, "revise")
    fields = {"title": "Next", "criticality": "gxp", "body": "New.", "change_summary": "Second."}
    lab.aurel.create("document_sop", next_of=sop, **fields, training_depth="none", audience=[])
    before = lab.row(review).version
    with refused("SEQ_STATE") as said:
        lab.quinn.do(review, "ask_for_revision", sign=True)
    assert f"{sop} v2 is draft" in said[0].message
    assert lab.row(review).version == before
    assert lab.reading.find(sop, 3) is None


def test_after_a_voided_draft_the_review_opens_the_version_after_it(lab: Lab) -> None:
    sop = in_force(lab)
    review = _looked_at(lab, sop, "revise")
    fields = {"title": "Next", "criticality": "gxp", "body": "Wrong.", "change_summary": "Second."}
    lab.aurel.create("document_sop", next_of=sop, **fields, training_depth="none", audience=[])
    lab.quinn.do(sop, "void", sign=True, revision=2, why="Opened by mistake, nothing in it.")
    lab.quinn.do(review, "ask_for_revision", sign=True)
    assert (lab.row(sop, 1).state, lab.row(sop, 3).state) == ("effective", "draft")


def test_no_document_is_found_still_valid_while_an_open_change_touches_it(lab: Lab) -> None:
    sop = in_force(lab)
    review = _looked_at(lab, sop, "still_valid")
    touching = lab.aurel.create("change", **_change() | {"affected": [sop]})
    assert lab.row(touching).fields["affected"][0]["revision"] == 1
    with refused("SEQ_PRE") as said:
        lab.quinn.do(review, "confirm", sign=True)
    assert f"{touching}, a change that touches the document, is settled (it is draft)" in said[0].message
    lab.quinn.do(touching, "void", sign=True, why="Opened for the wrong document.")
    lab.quinn.do(review, "confirm", sign=True)
    assert lab.row(review).state == "done"


def _into_force(lab: Lab, sop: str) -> None:
    lab.door.submit(Change("make_effective", number=sop, revision=2), lab.service())


# --- training ----------------------------------------------------------------------------------


def test_who_is_not_trained_on_what_the_role_asks_is_assigned_it_and_refused_until_then(lab: Lab) -> None:
    sop = in_force(lab, criticality="gxp_critical")
    number = lab.aurel.create(
        "curriculum",
        title="What custodians read",
        role="ROLE-MET",
        items=[{"document": sop, "depth": "read_understood", "grace_days": 0, "refresh_months": 12}],
    )
    lab.aurel.do(number, "submit", sign=True)
    lab.rita.do(number, "review", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    with refused("AUTH_TRAIN") as said:
        lab.mia.create("instrument", name="N", make="M", model="O", serial="T-1", interval_months=12)
    assert f"{sop} v1" in said[0].message
    shown = Matrix(lab.reading, lab.accounts.now).show("MET")
    mine = [c for c in shown["cells"] if c["document"] == f"{sop} v1"]
    assert [(c["person"], c["state"], c["why"]) for c in mine] == [
        (lab.number_of("mia"), "red", "not trained, not assigned")
    ]
    duty(lab)
    mia = training_on(lab, sop)[lab.number_of("mia")]
    assert (mia.state, mia.fields["refresh_months"], lab.history(mia.number)[0]["auth"]) == (
        "assigned", 12, "service",
    )  # fmt: skip
    before = lab.entries()
    duty(lab)
    assert lab.entries() == before, "nothing is opened twice"
    lab.mia.do(mia.number, "complete", sign=True)
    expires = str(lab.row(mia.number).fields["expires"])
    assert expires[:4] == str(TODAY.year + 1)
    lab.mia.create("instrument", name="N", make="M", model="O", serial="T-1", interval_months=12)
    after = [
        c for c in Matrix(lab.reading, lab.accounts.now).show("MET")["cells"] if c["document"] == f"{sop} v1"
    ]
    assert [c["state"] for c in after] == ["green"]
    whole = Matrix(lab.reading, lab.accounts.now).show()["cells"]
    alone = Matrix(lab.reading, lab.accounts.now).of_document([lab.row(sop)])
    assert alone == [c for c in whole if c["document"] == f"{sop} v1"] != [], "asked of one document"
    lab.grant(lab.number_of("nora"), "MET")
    duty(lab)
    assert training_on(lab, sop)[lab.number_of("nora")].state == "assigned", "a new grant is enough"


def test_after_three_failures_a_trainee_is_blocked_until_taught_anew(lab: Lab) -> None:
    sop = in_force(lab)
    number = lab.aurel.create(
        "training_record", person=lab.number_of("sam"), document=f"{sop} v1", depth="assessed", due=day(9)
    )
    for _ in range(2):
        lab.sam.do(number, "acknowledge", sign=True)
        lab.rita.do(number, "not_passed", why="Did not know the limits.")
    lab.sam.do(number, "acknowledge", sign=True)
    with refused("SEQ_PRE"):
        lab.rita.do(number, "not_passed", why="Did not know the limits.")
    lab.rita.do(number, "block", why="Did not know the limits, three times.")
    assert lab.row(number).state == "blocked"
    with refused("SEQ_STATE"):
        lab.sam.do(number, "acknowledge", sign=True)
    lab.aurel.do(number, "teach_anew", why="Went through it at the bench.")
    lab.sam.do(number, "acknowledge", sign=True)
    lab.rita.do(number, "assess", sign=True, score=95)
    assert lab.row(number).state == "completed"


def test_an_exemption_takes_training_and_quality_and_never_the_trainee(lab: Lab) -> None:
    sop = in_force(lab)
    number = lab.aurel.create(
        "training_record", person=lab.number_of("vera"), document=f"{sop} v1", depth="assessed", due=day(9)
    )
    why = "She wrote the procedure it was taken from."
    with refused("VAL_REQ"):
        lab.quinn.do(number, "exempt", sign=True, why=why)
    lab.aurel.do(number, "ask_exemption", exemption="Wrote its source.", why=why)
    with refused("AUTH_SELF"):
        lab.vera.do(number, "exempt", sign=True, why=why)
    lab.quinn.do(number, "exempt", sign=True, why=why)
    assert lab.row(number).state == "exempted"


# --- reviews, forms, lists ---------------------------------------------------------------------


def test_a_review_still_valid_makes_the_next_and_one_that_says_obsolete_ends_the_document(lab: Lab) -> None:
    sop = in_force(lab, review_months=6)
    first = _reviews(lab, sop, 1)[0].number
    topics = ("regulation_change", "deviations_and_capa", "training_issues", "system_change")
    seen = {"checked": [{"topic": t, "found": "Nothing."} for t in topics], "findings": "As it stands."}
    lab.aurel.do(first, "start")
    with refused("SEQ_PRE"):
        lab.aurel.do(
            first, "review", sign=True, checked=seen["checked"][:1], findings="Short.", outcome="still_valid"
        )
    with refused("AUTH_SELF"):
        lab.quinn.do(first, "review", sign=True, **seen, outcome="still_valid")  # approved the version
    lab.aurel.do(first, "review", sign=True, **seen, outcome="still_valid")
    with refused("SEQ_PRE"):
        lab.quinn.do(first, "make_obsolete", sign=True)
    lab.quinn.do(first, "confirm", sign=True)
    second = next(r for r in _reviews(lab, sop, 1) if r.number != first)
    assert (second.state, second.fields["document"]["uid"]) == ("scheduled", lab.row(sop).uid)
    assert day(150) < second.fields["due"] < day(200)
    lab.aurel.do(second.number, "start")
    lab.aurel.do(second.number, "review", sign=True, **seen, outcome="obsolete")
    lab.quinn.do(second.number, "make_obsolete", sign=True)
    assert (lab.row(sop).state, lab.row(second.number).state) == ("obsolete", "done")


def test_a_document_without_a_review_to_come_gets_one(lab: Lab) -> None:
    duty(lab)
    assert [r.state for r in _reviews(lab, "POL-0001", 1)] == ["scheduled"]
    duty(lab)
    assert len(_reviews(lab, "POL-0001", 1)) == 1


def test_a_form_is_filled_in_by_its_template_and_verified_by_somebody_else(lab: Lab) -> None:
    columns = [
        {"name": "ph", "label": "pH", "kind": "decimal", "needed": True, "low": "6.8", "high": "7.4"},
        {"name": "note", "label": "Note", "kind": "text", "needed": False},
    ]
    form = lab.aurel.create(
        "document_form",
        title="Buffer",
        criticality="gxp",
        body="Fill in.",
        change_summary="First.",
        training_depth="none",
        audience=[],
        effective_date=TODAY.isoformat(),
        columns=columns,
    )
    lab.approve_sop(form)
    lab.work().due()
    outside = [{"name": "ph", "value": "9", "source": "typed"}]
    with refused("SEQ_PRE"):
        lab.alan.create("form_record", title="Today", template=f"{form} v1", values=outside)
    sheet = [{"name": "ph", "value": "7.0", "source": "spreadsheet"}]
    with refused("VAL_REQ") as said:
        lab.alan.create("form_record", title="Today", template=f"{form} v1", values=sheet)
    assert "Attach the original file; its hash is kept" in said[0].message
    sheet[0]["original"] = lab.attach("ph.csv", b"ph\n7.0\n")  # type: ignore[assignment]
    number = lab.alan.create("form_record", title="Today", template=f"{form} v1", values=sheet)
    lab.alan.do(number, "complete", sign=True)
    snapshot = lab.history(number)[-1]["sections"]["snapshot"]["template"]
    assert snapshot["content"]["fields"]["columns"] == columns
    with refused("AUTH_ROLE"):
        lab.alan.do(number, "verify", sign=True)
    lab.rita.do(number, "verify", sign=True)
    assert lab.row(number).state == "verified"
    own = lab.rex.create("form_record", title="Mine", template=f"{form} v1", values=sheet)
    lab.rex.do(own, "complete", sign=True)
    with refused("AUTH_SELF"):
        lab.rex.do(own, "verify", sign=True)


def _entries(*values: str, retired: str = "") -> list[dict[str, Any]]:
    return [{"value": v, "meaning": f"What {v} means.", "retired": v == retired} for v in values]


def test_a_list_keeps_its_code_for_ever_and_its_values_in_every_version(lab: Lab) -> None:
    number = lab.aurel.create("vocabulary", code="SMEAR", title="Smears", entries=_entries("streak", "halo"))
    assert number == "VOC-SMEAR"
    with refused("DUP"):
        lab.aurel.create("vocabulary", code="SMEAR", title="Again", entries=_entries("streak"))
    _through(lab, number, 1)
    second = {"code": "SMEAR", "title": "Smears", "previous": f"{number} v1"}
    lab.aurel.create("vocabulary", next_of=number, **second, entries=_entries("streak"))
    with refused("SEQ_PRE") as said:
        lab.aurel.do(number, "submit", sign=True, revision=2)
    assert "'halo' is retired, not removed" in said[0].message
    entries = _entries("streak", "halo", retired="halo")
    lab.aurel.do(number, "edit", revision=2, why="The value is retired.", entries=entries)
    _through(lab, number, 2)
    assert (lab.row(number, 1).state, lab.row(number, 2).state) == ("superseded", "effective")


def test_what_signatures_may_mean_is_a_record_in_force_from_the_founding_on(lab: Lab) -> None:
    row = lab.row("VOC-SIGNATURE-MEANING")
    assert (row.state, row.revision) == ("effective", 1)
    assert {entry["value"] for entry in row.fields["entries"]} == MEANINGS
    assert not any(entry["retired"] for entry in row.fields["entries"])
    uid = {name: lab.row(lab.number_of(name)).uid for name in ("aurel", "quinn")}
    assert row.people["signed_authored"] == [uid["aurel"]]
    assert row.people["signed_approved"] == [uid["quinn"]]
    assert {entry["type"] for entry in lab.history(row.number)} == {"genesis"}


def test_a_meaning_that_types_sign_with_is_not_retired_from_the_list(lab: Lab) -> None:
    number = "VOC-SIGNATURE-MEANING"
    before = lab.row(number, 1).fields["entries"]
    entries = [entry | {"retired": entry["value"] == "approved"} for entry in before]
    given = {"code": "SIGNATURE-MEANING", "title": "Meanings", "previous": f"{number} v1", "entries": entries}
    lab.aurel.create("vocabulary", next_of=number, **given)
    with refused("SEQ_PRE") as said:
        lab.aurel.do(number, "submit", sign=True, revision=2)
    assert "Record types sign with approved" in said[0].message


def test_the_guide_gives_homes_founded_earlier_the_same_list() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "upgrade.md").read_text("utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", page, re.S)
    assert json.loads(block) == meanings_fields()


def _through(lab: Lab, number: str, revision: int) -> None:
    lab.aurel.do(number, "submit", sign=True, revision=revision)
    lab.rita.do(number, "review", sign=True, revision=revision)
    lab.quinn.do(number, "approve", sign=True, revision=revision)


# --- people ------------------------------------------------------------------------------------


def _delegation(lab: Lab, giver: str, taker: str, role: str, **span: str) -> str:
    fields = {"start": TODAY.isoformat(), "end": day(30), "reason": "Away for some weeks."} | span
    who = {"giver": lab.number_of(giver), "taker": lab.number_of(taker), "role": f"ROLE-{role}"}
    return lab.person(giver).create("delegation", **who, **fields)


@pytest.mark.parametrize("role", ["ADM", "INS", "SVC"])
def test_administration_inspection_and_the_service_are_not_lent(lab: Lab, role: str) -> None:
    with refused("SEQ_PRE") as said:
        _delegation(lab, "ada", "nora", role)
    assert f"The role {role} is not delegated" in said[0].message


def test_a_duty_is_lent_for_ninety_days_at_most_and_only_by_who_holds_it(lab: Lab) -> None:
    with refused("VAL_RANGE"):
        _delegation(lab, "rita", "nora", "REV", end=day(90))
    with refused("AUTH_SELF"):
        _delegation(lab, "rita", "rita", "REV")
    with refused("SEQ_PRE"):
        _delegation(lab, "alan", "nora", "REV")


def test_a_duty_is_lent_once_both_have_signed_and_nobody_signs_for_the_other(lab: Lab) -> None:
    number = _delegation(lab, "rita", "nora", "REV")
    with refused("SEQ_PRE"):
        lab.nora.do(number, "accept", sign=True)
    with refused("AUTH_ROLE"):
        lab.nora.do(number, "give", sign=True)
    lab.rita.do(number, "give", sign=True)
    with refused("AUTH_ROLE"):
        lab.rita.do(number, "accept", sign=True)
    lab.nora.do(number, "accept", sign=True)
    lab.work().due()
    assert lab.row(number).state == "active"
    lab.rita.do(number, "end_early", sign=True, why="Back from leave.")
    assert lab.row(number).state == "ended"


def test_a_duty_of_quality_begins_only_once_quality_approved_it(lab: Lab) -> None:
    number = _delegation(lab, "vera", "rita", "QA")
    lab.vera.do(number, "give", sign=True)
    lab.rita.do(number, "accept", sign=True)
    lab.work().due()
    assert lab.row(number).state == "accepted"
    with refused("AUTH_SELF"):
        lab.vera.do(number, "approve", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    lab.work().due()
    assert lab.row(number).state == "active"
    lab.vera.do(number, "end_early", sign=True, why="Only a trial.")


def test_an_inspector_has_a_last_day_and_writes_nothing(lab: Lab) -> None:
    fields = {"username": "ines", "printed_name": "Ines Inspector", "kind": "inspector"}
    with refused("VAL_REQ") as said:
        lab.ada.create("user", **fields, email="ines@fda.example")
    assert "Valid to is required for an inspector" in said[0].message
    number = lab.ada.create("user", **fields, email="ines@fda.example", valid_to=day(20))
    lab.enrol(number, "ines")
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    with refused("VAL_REQ"):
        lab.grant(number, "INS")
    with refused("VAL_RANGE"):
        lab.grant(number, "INS", end=day(91))
    lab.grant(number, "INS", end=day(20))
    ines = lab.sign_in("ines")
    with refused("AUTH_ROLE"):
        ines.create("tag", subject=lab.n["sop"], tag="seen")
    with refused("AUTH_ROLE"):
        _noted(lab, ines)
    duty(lab)
    notices = [r for r in lab.reading.linked(lab.row(number).uid) if r.type == "policy_notice"]
    assert notices == [], "who never signs is not asked to acknowledge"


def _noted(lab: Lab, ines: Any) -> None:
    ines.create(
        "esign_acknowledgement",
        sign=True,
        person=lab.number_of("ines"),
        policy="POL-0001",
        statement="I have read it.",
    )


def test_a_service_works_only_where_a_person_answers_for_it(lab: Lab) -> None:
    number = lab.ada.create("user", username="robot", printed_name="Robot", kind="service")
    with refused("SEQ_PRE") as said:
        lab.aurel.do(number, "activate_service", sign=True)
    assert "A person answers for this service" in said[0].message
    lab.ada.do(number, "edit", why="Mia keeps it.", responsible=lab.number_of("mia"))
    lab.aurel.do(number, "activate_service", sign=True)
    assert lab.row(number).state == "active"
