"""Versions, dates and consequences: what the worker does when its day has come, and what it leaves alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from coverslip.kernel.change import Change
from fix_lab import TODAY, Lab, refused


@pytest.fixture(autouse=True)
def _projections_are_what_the_ledger_says(lab: Lab) -> Iterator[None]:
    yield
    assert lab.replay() == []


def in_force(lab: Lab, **more: str) -> str:
    sop = lab.new_sop(**more)
    lab.approve_sop(sop)
    lab.work().due()
    assert lab.row(sop, 1).state == "effective"
    return sop


def after_work(lab: Lab, sop: str, revision: int = 1) -> str:
    """Return the state of a version after the worker looked at everything that is due."""
    lab.work().due()
    return lab.row(sop, revision).state


def next_version(lab: Lab, sop: str, **more: str) -> None:
    lab.aurel.create(
        "document_sop", next_of=sop, title="Next", criticality="gxp_critical", body="New.",
        change_summary="Second.", training_depth="none", audience=[],
        change_control=lab.approved_change(), **({"effective_date": TODAY.isoformat()} | more),
    )  # fmt: skip


def test_a_new_version_leaves_the_one_in_force_untouched_until_its_day(lab: Lab) -> None:
    sop = in_force(lab)
    before = lab.row(sop, 1)
    next_version(lab, sop)
    assert lab.row(sop, 1) == before
    assert lab.row(sop).revision == 1, "the number alone means the version in force"
    lab.approve_sop(sop, 2)
    assert lab.row(sop, 1) == before
    assert lab.row(sop, 2).state == "approved"
    assert after_work(lab, sop, 2) == "effective"
    assert (lab.row(sop, 1).state, lab.row(sop, 2).state) == ("superseded", "effective")
    assert lab.row(sop).revision == 2
    last = [lab.history(sop, n)[-1] for n in (1, 2)]
    assert [e["act"] for e in last] == ["supersede", "make_effective"]
    assert last[0]["at"] == last[1]["at"], "one command, one time"


def test_a_version_whose_day_has_not_come_waits(lab: Lab) -> None:
    sop = lab.new_sop(effective_date=(TODAY + dt.timedelta(days=3)).isoformat())
    lab.approve_sop(sop)
    while lab.work().due():
        pass  # what other tests left due
    before = lab.entries()
    lab.work().due()
    assert lab.row(sop).state == "approved"
    assert not lab.refusals(sop), "what is not yet possible leaves no refusals behind"
    assert lab.entries() <= before + 1  # a session of the service at most
    with refused("SEQ_PRE"):
        lab.machine(sop, "make_effective")
    with refused("AUTH_ROLE"):
        lab.quinn.do(sop, "make_effective")


def test_a_version_whose_audience_is_not_trained_waits_for_training_or_a_waiver(lab: Lab) -> None:
    sop = lab.new_sop(audience=["ROLE-MET"])
    lab.approve_sop(sop)
    assert after_work(lab, sop, 1) == "approved"
    record = lab.train("mia", f"{sop} v1")
    assert lab.row(record).state == "completed"
    assert after_work(lab, sop, 1) == "effective"
    other = lab.new_sop(audience=["ROLE-MET"])
    lab.approve_sop(other)
    assert after_work(lab, other, 1) == "approved"
    lab.quinn.do(
        other, "waive_training", sign=True, why="Mia is away; nobody else works by it before she is back."
    )
    assert after_work(lab, other, 1) == "effective"


def test_approval_comes_before_the_effective_date_or_not_at_all(lab: Lab) -> None:
    sop = lab.new_sop(effective_date=(TODAY - dt.timedelta(days=1)).isoformat())
    lab.aurel.do(sop, "submit", sign=True)
    lab.rita.do(sop, "review", sign=True)
    with refused("VAL_RANGE"):
        lab.quinn.do(sop, "approve", sign=True)


def test_only_a_settled_version_is_followed_by_a_next_one(lab: Lab) -> None:
    sop = lab.new_sop()
    with refused("SEQ_STATE"):
        next_version(lab, sop)
    lab.approve_sop(sop)
    next_version(lab, sop)
    assert lab.row(sop, 2).content["revision"] == 2
    with refused("SEQ_STATE"):
        next_version(lab, sop)


def test_a_type_without_versions_has_none(lab: Lab) -> None:
    with refused("SEQ_STATE"):
        lab.mia.create("instrument", next_of=lab.n["instrument"], name="Two", make="A", model="B", serial="S-2",  # noqa: E501
                       interval_months=12)  # fmt: skip
    with refused("NOT_FOUND"):
        lab.aurel.create("document_sop", next_of=lab.n["instrument"], title="T", criticality="gxp")
    with refused("NOT_FOUND"):
        lab.aurel.create("document_sop", next_of="SOP-4711", title="T", criticality="gxp")


def test_what_is_locked_is_not_edited(lab: Lab) -> None:
    sop = in_force(lab)
    with refused("LOCKED"):
        lab.aurel.do(sop, "edit", why="One more thing to say.", title="Other")
    assert [d["code"] for d in lab.refusals(sop)] == ["LOCKED"]


def test_a_held_version_does_not_come_into_force_and_leaves_no_refusals(lab: Lab) -> None:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    hold = lab.vera.create("hold", subject=f"{sop} v1", reason="The text is in question.")
    assert after_work(lab, sop, 1) == "approved"
    assert not lab.refusals(sop)
    lab.vera.do(hold, "lift", sign=True, why="The text was confirmed.")
    assert after_work(lab, sop, 1) == "effective"


def test_a_version_in_force_that_is_held_is_not_superseded(lab: Lab) -> None:
    sop = in_force(lab)
    next_version(lab, sop)
    lab.approve_sop(sop, 2)
    hold = lab.vera.create("hold", subject=f"{sop} v1", reason="The text is in question.")
    assert after_work(lab, sop, 2) == "approved"
    assert (lab.row(sop, 1).state, lab.row(sop, 2).state) == ("effective", "approved")
    lab.vera.do(hold, "lift", sign=True, why="The text was confirmed.")
    assert after_work(lab, sop, 2) == "effective"


# --- consequences ------------------------------------------------------------------------------


def test_a_snapshot_keeps_what_was_true_when_the_act_was_done(lab: Lab) -> None:
    snapshot = next(e for e in lab.history(lab.n["session"]) if e["act"] == "start")["sections"]["snapshot"]
    instrument = lab.row(lab.n["instrument"])
    assert snapshot["instrument"]["content"]["fields"]["firmware"] == "6.1"
    assert snapshot["instrument"]["link"]["uid"] == instrument.uid
    assert snapshot["method"]["content"]["number"] == lab.n["sop"]


def test_submitting_a_run_makes_its_review_case_in_the_same_command(lab: Lab) -> None:
    run, case = lab.new_review()
    submitted, made = lab.history(run)[-1], lab.history(case)[0]
    assert submitted["at"] == made["at"]
    subject = lab.row(case).fields["subject"]
    assert (subject["number"], subject["version"], subject["hash"]) == (
        run, submitted["version"], submitted["leaf_hash"],
    )  # fmt: skip
    with refused("SEQ_STATE"):
        lab.rita.create("review_case", subject=run, title="Mine")


def test_accepting_a_review_accepts_the_run_and_finalises_its_results(lab: Lab) -> None:
    run, case = lab.new_review()
    results = lab.row(run).fields["results"]["number"]
    with refused("SEQ_STATE"):
        lab.rita.do(run, "accept")
    lab.review(case)
    assert [lab.row(n).state for n in (run, results, case)] == ["accepted", "final", "technical_done"]
    last = [lab.history(n)[-1] for n in (case, run, results)]
    assert len({e["at"] for e in last}) == 1
    assert all(e["actor"] == lab.rita.uid for e in last)


def test_a_hold_on_the_run_stops_its_review(lab: Lab) -> None:
    run, case = lab.new_review()
    lab.vera.create("hold", subject=run, reason="The incubator alarm went off.")
    with refused("HOLD"):
        lab.rita.do(case, "start")
    assert [lab.row(n).state for n in (run, case)] == ["in_review", "queued"]


def test_numbers_are_never_used_again(lab: Lab) -> None:
    first = lab.new_sop()
    with refused("VAL_REQ"):
        lab.aurel.create("document_sop", title="No criticality")
    second = lab.new_sop()
    assert first < second
    used = lab.ask("select count(*), count(distinct (number, revision)) from projection.record")
    assert used[0][0] == used[0][1]
    with refused("NOT_FOUND"):
        lab.door.submit(Change("edit", number="SOP-0000", fields={}), lab.aurel.context)
