"""A new version of the signature policy: who is told, who may sign, what becomes of the one before."""

from __future__ import annotations

import datetime as dt

from coverslip.kernel.change import Change
from coverslip.kernel.rows import Row
from coverslip.training import Assignments
from fix_lab import TODAY, Lab, refused


def duty(lab: Lab) -> None:
    Assignments(lab.door, lab.reading, lab.service, lab.accounts.now).do()


def linked(lab: Lab, revision: int, kind: str) -> list[Row]:
    return [r for r in lab.reading.linked(lab.row("POL-0001", revision).uid) if r.type == kind]


def acknowledge(lab: Lab, username: str) -> None:
    person, policy = lab.number_of(username), "POL-0001 v2"
    said = "I have read this version."
    lab.person(username).create(
        "esign_acknowledgement", sign=True, person=person, policy=policy, statement=said
    )


def test_a_new_version_is_told_to_everybody_and_signing_waits_for_its_acknowledgement(lab: Lab) -> None:
    duty(lab)
    assert linked(lab, 1, "policy_notice") == [], "everybody has acknowledged the version in force"
    day = (TODAY + dt.timedelta(days=20)).isoformat()
    fields = {
        "title": "Electronic signatures",
        "criticality": "gxp_critical",
        "body": "Longer.",
        "change_summary": "Clearer.",
        "training_depth": "none",
        "audience": [],
        "governs_signatures": True,
        "change_control": lab.approved_change(),
        "effective_date": day,
    }
    lab.aurel.create("document_policy", next_of="POL-0001", **fields)
    duty(lab)
    assert linked(lab, 2, "policy_notice") == [], "a draft is told to nobody"
    lab.approve_sop("POL-0001", 2)
    duty(lab)
    told = linked(lab, 2, "policy_notice")
    active = [r for r in lab.reading.page("user", "active", "", "", 100)[0] if r.fields["kind"] == "person"]
    assert {r.fields["person"]["uid"] for r in told} == {r.uid for r in active}
    assert {(r.state, r.fields["due"]) for r in told} == {("open", day)}
    before = lab.entries()
    duty(lab)
    assert lab.entries() == before, "nobody is told twice"
    for username in ("quinn", "aurel", "rita"):
        acknowledge(lab, username)
    states = {r.fields["person"]["number"]: r.state for r in linked(lab, 2, "policy_notice")}
    assert states[lab.number_of("quinn")] == "answered"
    assert states[lab.number_of("vera")] == "open"
    sop = lab.new_sop()
    lab.aurel.do(sop, "submit", sign=True)
    # Moved to today, it comes into force at once.
    why = "Everybody needed here has acknowledged it."
    lab.quinn.do(
        "POL-0001", "extend_effective", sign=True, revision=2, why=why, effective_date=TODAY.isoformat()
    )
    lab.door.submit(Change("make_effective", number="POL-0001", revision=2), lab.service())
    assert {r.state for r in linked(lab, 1, "esign_acknowledgement")} == {"superseded"}
    with refused("AUTH_ESIGN") as said:
        lab.rex.do(sop, "review", sign=True)
    assert "POL-0001 v2" in said[0].message
    lab.rita.do(sop, "review", sign=True)
    acknowledge(lab, "rex")
    with refused("SEQ_STATE"):
        lab.rex.do(sop, "review", sign=True)  # may sign again, and comes too late
    assert lab.replay() == []
