"""The laboratory the tests use is a whole installation, and whole work can be done in it."""

from __future__ import annotations

from fix_lab import Lab


def test_work_goes_from_an_image_to_a_release(lab: Lab) -> None:
    run, decision = lab.new_release()
    lab.quinn.do(decision, "release", sign=True)
    assert lab.row(decision).state == "released"
    assert lab.row(run).state == "accepted"
    assert lab.row(lab.row(run).fields["results"]["number"]).state == "final"


def test_every_projection_is_what_the_ledger_says(lab: Lab) -> None:
    assert lab.replay() == []


def test_every_entry_counts_for_the_person_who_acted(lab: Lab) -> None:
    entry = lab.history(lab.n["sop"])[0]
    assert entry["actor"] == lab.aurel.uid
    assert entry["actor_name"] == "Aurel Author"
