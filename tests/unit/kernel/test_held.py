"""What is held saves reading; it never lets anything through that reading would have refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from coverslip.kernel import held
from coverslip.kernel.change import Change
from fix_lab import Lab, Person, refused


@pytest.fixture
def asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every question to the store from here on."""
    found: list[Any] = []
    facts = lab.store.facts
    monkeypatch.setattr(lab.store, "facts", lambda plan: (found.append(plan), facts(plan))[1])
    return found


def edit(person: Person, number: str, version: int, title: str, act: str = "edit") -> int:
    change = Change(
        act, number=number, fields={"title": title}, reason="Said more clearly.", expected_version=version
    )
    return person.submit(change).entries[0].version


@pytest.fixture
def study(lab: Lab) -> str:
    return lab.new_study()


def started(person: Person, study: str) -> int:
    """Make the change after which something is held."""
    return edit(person, study, 1, "The first change")


def test_a_series_of_changes_reads_once(lab: Lab, study: str, asked: list[Any]) -> None:
    version = started(lab.sam, study)
    del asked[:]
    for n in range(5):
        version = edit(lab.sam, study, version, f"Change number {n}")
    assert version == 7
    assert asked == []
    assert lab.row(study).fields["title"] == "Change number 4"
    assert lab.replay() == []


def test_a_person_is_asked_about_once_and_the_record_each_time(lab: Lab, asked: list[Any]) -> None:
    first, second = lab.new_study(), lab.new_study()
    started(lab.sam, first)
    del asked[:]
    started(lab.sam, second)
    assert len(asked) == 1
    assert "held" in asked[0] and "lean" in asked[0]


def test_a_revoked_role_is_missed_at_once(lab: Lab) -> None:
    number = lab.invite("heidi", "Heidi Held", ())
    grant = lab.grant(number, "AUT")
    heidi = lab.sign_in("heidi")
    sop = heidi.create("document_sop", title="While it lasts", criticality="gxp")
    version = started(heidi, sop)
    lab.vera.do(grant, "revoke", sign=True, why="Moved to another laboratory.")
    with refused("AUTH_ROLE"):
        edit(heidi, sop, version, "Too late for this")
    assert lab.row(sop).version == version


def test_an_ended_session_is_missed_at_once(lab: Lab, study: str) -> None:
    person = lab.sign_in("sam")
    version = started(person, study)
    lab.accounts.close_session(person.context.session, "signed_out")
    with refused("AUTH_REQUIRED"):
        edit(person, study, version, "Too late for this")


def test_a_hold_is_seen_at_once(lab: Lab, study: str) -> None:
    version = started(lab.sam, study)
    lab.vera.create("hold", subject=study, reason="The protocol is in question.")
    with refused("HOLD"):
        edit(lab.sam, study, version, "Not while it is held")


def test_anothers_change_is_seen_at_once(lab: Lab, study: str) -> None:
    version = started(lab.sam, study)
    other = lab.sign_in("sam", "ws-sam")
    assert edit(other, study, version, "From elsewhere") == version + 1
    with refused("SIG_STALE"):
        edit(lab.sam, study, version, "Over what was not seen")
    assert lab.row(study).fields["title"] == "From elsewhere"


def test_training_that_becomes_required_is_missed_at_once(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    lab.aurel.do(
        "ROLE-SDR",
        "propose_documents",
        why="Directors need this procedure.",
        proposed_documents=[f"{sop} v1"],
    )
    lab.quinn.do("ROLE-SDR", "approve_documents", sign=True)
    study = lab.new_study()
    version = started(lab.sam, study)
    lab.machine(sop, "make_effective")
    with refused("AUTH_TRAIN"):
        edit(lab.sam, study, version, "Not trained on it")
    assert lab.row(study).version == version
    lab.train("sam", f"{sop} v1")
    assert edit(lab.sam, study, version, "Trained on it now") == version + 1


def test_a_refusal_is_given_from_what_was_read(lab: Lab, study: str, asked: list[Any]) -> None:
    version = started(lab.sam, study)
    del asked[:]
    with refused("VAL_RANGE"):
        edit(lab.sam, study, version, "x" * 5000)
    assert len([q for q in asked if "record" in q]) == 1


def test_another_act_reads_what_it_needs(lab: Lab, study: str, asked: list[Any]) -> None:
    version = started(lab.sam, study)
    del asked[:]
    with refused("SIG_REQUIRED"):
        lab.sam.submit(Change("accept_responsibility", number=study, expected_version=version))
    assert any("record" in q for q in asked)


def test_what_was_read_long_ago_is_read_again(
    lab: Lab, study: str, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = started(lab.sam, study)
    monkeypatch.setattr(held, "RECORD_S", -1.0)
    del asked[:]
    edit(lab.sam, study, version, "Read anew for this")
    assert len(asked) == 1


def test_entries_of_a_series_are_dated_by_the_databases_clock(lab: Lab, study: str) -> None:
    version = started(lab.sam, study)
    for n in range(20):
        version = edit(lab.sam, study, version, f"Change number {n}")
    now = dt.datetime.fromisoformat(lab.accounts.now())
    times = [dt.datetime.fromisoformat(e["at"]) for e in lab.history(study) if not e["about"]]
    assert times == sorted(times)
    assert abs((now - times[-1]).total_seconds()) < 2


def test_memory_of_what_is_held_is_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST_RECORDS", 2)
    studies = [lab.new_study() for _ in range(4)]
    for study in studies:
        started(lab.sam, study)
    assert len(lab.door._parts.held._records) <= 2
