"""Risk, complaints, audits, suppliers and periodic reviews, in a whole installation."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from coverslip.bootstrap.founding import sequencer_of
from coverslip.records.quality._gap_template import CLAUSES
from fix_lab import refused
from fix_world import World


def _months_after(day: str, months: int) -> str:
    """Return the same day so many months later; only for days every month has."""
    date = dt.date.fromisoformat(day)
    years, month = divmod(date.month - 1 + months, 12)
    return date.replace(year=date.year + years, month=month + 1).isoformat()


def _after(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()


def _integrate(world: World) -> None:
    """Let every entry take its place in the tree."""
    sequencer = sequencer_of(world.lab.home, world.lab.signer)
    while not (done := sequencer.step()).leader or done.integrated:
        time.sleep(0.01)
    sequencer.close()


# --- complaint -------------------------------------------------------------------------------------


def test_who_complained_is_kept_in_the_erasable_section_and_nowhere_else(world: World) -> None:
    number = world.new("complaint", "closed", complainant_phone="+1 555 0100")
    personal = {"complainant_name", "complainant_address", "complainant_phone"}
    for entry in world.lab.history(number):
        if entry["type"] == "record":
            assert not personal & set(entry["sections"]["content"]["fields"])
    first = world.lab.history(number)[0]["sections"]["personal"]
    assert first["complainant_phone"] == "+1 555 0100"
    assert personal <= set(first)
    stored = world.lab.ask(
        "select count(*) from ledger.body where position(convert_to('+1 555 0100', 'UTF8') in fixed) > 0"
    )
    assert stored == [(0,)]


def test_a_complaint_is_not_closed_while_reportability_is_open(world: World) -> None:
    number = world.new("complaint", "resolved")
    with refused("SEQ_PRE") as caught:
        world.do(number, "close")
    assert "Reportability is decided by quality" in str(caught[0])
    world.do(number, "reopen")
    world.do(
        number,
        "decide_reportability",
        reportable="yes",
        report_rule="21 CFR 803.50 (30 days)",
        reportable_because="Somebody could have been harmed.",
    )
    world.step(number, "resolve")
    assert world.row(number).fields["report_by"] == world.row(number).fields["due_on"] == world.day(30)
    with refused("SEQ_PRE") as caught:
        world.do(number, "close")
    assert "The authority was told" in str(caught[0])
    world.do(number, "record_report", reported_on=world.day(), report_reference="MDR-1")
    world.do(number, "close")


def test_a_decision_on_a_complaint_is_not_changed_by_a_correction(world: World) -> None:
    number = world.new("complaint", "triaged")
    with refused("VAL_FORM"):
        world.do(number, "correct", investigation_needed="no")
    with refused("VAL_FORM"):
        world.do(number, "correct", reportable="no")
    world.do(number, "correct", lot="24A18")
    assert world.row(number).fields["lot"] == "24A18"


def test_no_investigation_needs_a_justification(world: World) -> None:
    number = world.new("complaint")
    with refused("VAL_REQ") as caught:
        world.do(number, "triage", investigation_needed="no")
    assert "Justification is required before no investigation is made" in str(caught[0])


# --- risk ------------------------------------------------------------------------------------------


def test_a_high_risk_without_action_is_approved_only_after_somebody_accepted_it(world: World) -> None:
    item = {
        "function": "Labelling",
        "failure_mode": "Slides mixed up",
        "effect": "Wrong patient",
        "s": 9,
        "cause": "Handwriting",
        "o": 3,
        "d": 5,
    }
    number = world.new("risk_assessment", "submitted", items=[item])
    assert world.row(number).fields["items"][0]["ap"] == "M"
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve")
    assert "Slides mixed up" in str(caught[0])
    world.do(number, "accept_risk")
    world.do(number, "reject")
    world.do(number, "submit")
    with refused("SEQ_PRE"):
        world.do(number, "approve")
    world.do(number, "accept_risk")
    world.do(number, "approve")
    assert world.row(number).state == "effective"


def test_a_priority_typed_wrong_is_refused_at_the_start_and_at_every_edit(world: World) -> None:
    number = world.new("risk_assessment")
    (item,) = world.row(number).fields["items"]
    assert (item["rpn"], item["ap"]) == (45, "L")
    with refused("SEQ_PRE") as caught:
        world.do(number, "edit", items=[item | {"s": 10}])
    assert "RPN is 90 (it says 45)" in str(caught[0])
    with refused("SEQ_PRE"):
        world.new("risk_assessment", items=[item | {"ap": "H"}])


# --- audits ----------------------------------------------------------------------------------------


def test_an_auditor_does_not_audit_their_own_area(world: World) -> None:
    number = world.new("audit", auditees=[world.number_of("quality2")])
    with refused("AUTH_SELF"):
        world.do(number, "execute", by="quality2")
    with refused("AUTH_SELF") as caught:
        world.do(number, "edit", auditors=[world.number_of("quality2")])
    assert "Nobody audits their own area" in str(caught[0])
    world.do(number, "execute")


def test_an_audit_with_an_open_finding_is_not_closed(world: World) -> None:
    audit = world.new("audit", "reported")
    finding = world.new("audit_finding", audit=audit)
    with refused("SEQ_PRE") as caught:
        world.do(audit, "close")
    assert f"Finding {finding} is closed (it is raised)" in str(caught[0])
    world.to(finding, "closed")
    world.do(audit, "close")


def test_a_finding_is_not_verified_by_its_owner(world: World) -> None:
    number = world.new("audit_finding", "actions", owner=world.number_of("quality3"))
    world.do(number, "record_actions")
    with refused("AUTH_SELF"):
        world.do(number, "verify", by="quality3")
    world.do(number, "verify")


# --- suppliers -------------------------------------------------------------------------------------


def _supplier(world: World, qualification: str) -> str:
    return world.row(str(world.row(qualification).fields["supplier"]["number"])).state


def test_a_supplier_is_approved_by_its_qualification_and_by_nothing_else(world: World) -> None:
    supplier = world.new("supplier")
    with refused("SEQ_STATE"):
        world.do(supplier, "approve", by="bench1")
    qualification = world.new("supplier_qualification", "reviewed", supplier=supplier)
    assert world.row(supplier).state == "proposed"
    world.do(qualification, "approve")
    assert world.row(supplier).state == "approved"


def test_who_prepared_a_qualification_neither_reviews_nor_approves_it(world: World) -> None:
    number = world.create("supplier_qualification", by="otto")
    with refused("AUTH_SELF"):
        world.do(number, "review", by="otto")
    world.do(number, "review", by="olive")
    for username in ("otto", "olive"):
        with refused("AUTH_SELF"):
            world.do(number, "approve", by=username)
    world.do(number, "approve")


def test_a_certificate_that_runs_out_restricts_the_supplier_and_a_condition_that_does_suspends_it(
    world: World,
) -> None:
    number = world.new("supplier_qualification", "approved", requal_months=36)
    until = world.row(number).fields["certificates"][0]["valid_to"]
    assert world.row(number).fields["certificates_lapse_on"] == _after(until, 1)
    world.pass_days(20)
    world.lab.work().due()
    assert (world.row(number).state, _supplier(world, number)) == ("approved", "approved")
    world.pass_days(1)
    world.lab.work().due()
    assert (world.row(number).state, _supplier(world, number)) == ("conditional", "conditional")
    assert world.row(number).fields["conditional_until"] == world.day(90)
    (alert,) = world.linked(number, "alert")
    assert (alert.state, alert.fields["kind"]) == ("open", "certificate_expired")
    assert f"until {until}" in alert.fields["what"]
    assert set(alert.fields["recipients"]) == {"PUR", "QA"}
    world.pass_days(90)
    world.lab.work().due()
    assert (world.row(number).state, _supplier(world, number)) == ("expired", "suspended")


def test_a_calibration_names_as_provider_only_a_supplier_that_may_be_used(world: World) -> None:
    supplier = world.new("supplier")
    with refused("HOLD") as said:
        world.new("calibration", provider=supplier)
    assert f"{supplier} is an approved supplier (it is proposed)" in said[0].message
    world.new("supplier_qualification", "approved", supplier=supplier)
    number = world.new("calibration", "accepted", provider=supplier)
    assert world.row(number).fields["provider"]["number"] == supplier


def test_the_next_qualification_starts_itself_and_takes_the_place_of_the_one_before(world: World) -> None:
    certificate = {"kind": "iso_9001", "certificate_number": "Q-2", "valid_to": world.day(400)}
    number = world.new("supplier_qualification", "approved", certificates=[certificate])
    world.pass_days(32)
    world.lab.work().due()
    assert world.row(number).state == "requalifying"
    (following,) = world.linked(number, "supplier_qualification")
    assert following.state == "draft"
    assert following.fields["previous"]["number"] == number
    assert following.fields["scope"] == world.row(number).fields["scope"]
    answers = [{"question": "Anything new?", "answer": "No.", "acceptable": True}]
    world.do(following.number, "edit", questionnaire=answers, rating="A", certificates=[certificate])
    world.do(following.number, "review")
    world.do(following.number, "approve")
    assert world.row(number).state == "superseded"
    assert _supplier(world, number) == "approved"


# --- periodic reviews ------------------------------------------------------------------------------


def test_the_next_system_review_starts_itself_after_the_months_of_this_one(world: World) -> None:
    first = world.new("system_review", period_from="2026-07-01", period_to="2026-10-15", every_months=6)
    world.to(first, "approved")
    (following,) = world.linked(first, "system_review")
    fields = following.fields
    assert following.state == "due"
    assert fields["period_from"] == "2026-10-16"
    assert fields["period_to"] == _months_after("2026-10-15", 6)
    assert fields["due_on"] == _after(fields["period_to"], 30)
    assert fields["system"] == world.row(first).fields["system"]
    assert world.lab.replay() == []


def test_a_system_review_with_an_input_missing_is_not_approved(world: World) -> None:
    number = world.new("system_review", "in_review")
    assert len(world.row(number).fields["inputs"]) == 11
    with refused("SEQ_PRE") as caught:
        world.do(number, "sign")
    assert "missing: changes, deviations" in str(caught[0])
    world.do(number, "record")
    world.do(number, "sign")
    world.do(number, "record")
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve")
    assert "The owner of the system has signed" in str(caught[0]), "what is signed is what was recorded last"


def test_an_audit_trail_review_leaves_no_day_out_and_starts_the_next(world: World) -> None:
    system = world.new("scope_item")
    first = world.new(
        "audit_trail_review", "closed", system=system, period_from="2026-07-01", period_to="2026-09-30"
    )
    (following,) = [
        r for r in world.linked(first, "audit_trail_review") if r.fields["previous"]["number"] == first
    ]
    assert following.fields["period_from"] == "2026-10-01"
    world.do(following.number, "edit", period_from="2026-10-03")
    with refused("SEQ_PRE") as caught:
        world.do(following.number, "start")
    assert "2026-10-01…02 is not covered by any review" in str(caught[0])
    world.do(following.number, "edit", period_from="2026-10-01")
    world.do(following.number, "start")


def test_a_sample_is_drawn_from_the_ledger_once_and_stays(world: World) -> None:
    for _ in range(3):
        world.new("document_sop", "in_review")  # signed when it was submitted
    voided = world.new("complaint", "voided")
    with refused("AUTH_ROLE"):
        world.do(voided, "close", by="nora")
    _integrate(world)
    world.pass_days(1)
    number = world.new(
        "audit_trail_review",
        "in_review",
        period_from=world.day(-3),
        period_to=world.day(-1),
        event_classes=["voids", "refusals", "signatures"],
        sample_rule="critical_and_random",
        sample_size=2,
        sample_seed="dice",
    )
    world.do(number, "draw")
    fields = world.row(number).fields
    events = [item["event"] for item in fields["items"]]
    assert any(f"{voided} void" in event for event in events)
    assert any("AUTH_ROLE" in event for event in events)
    assert sum(not item["critical"] for item in fields["items"]) == 2
    assert fields["result_hash"] == fields["drawn"]["sha256"]
    assert f"{fields['drawn']['matched']} found" in fields["query"]
    assert {p["uid"] for p in fields["people_sampled"]} == {
        item["person"]["uid"] for item in fields["items"] if "person" in item
    }
    with refused("SEQ_PRE") as caught:
        world.do(number, "draw")
    assert "drawn once" in str(caught[0])
    with refused("SEQ_PRE") as caught:
        world.do(number, "record", items=fields["items"][1:])
    assert "What was drawn stays in the sample" in str(caught[0])


def test_nobody_reviews_a_trail_in_which_they_are(world: World) -> None:
    number = world.new("audit_trail_review", "in_review")
    entry = {
        "event": "IMG-1 voided",
        "person": world.number_of("quality2"),
        "critical": True,
        "question": "Why?",
        "answer": "Twice.",
    }
    with refused("SEQ_PRE") as caught:
        world.do(number, "record", by="quality2", items=[entry])
    assert "Nobody reviews what they did" in str(caught[0])
    world.do(number, "record", by="quality1", items=[entry | {"answer": None}])
    with refused("AUTH_SELF"):
        world.do(number, "review", by="quality2")
    with refused("SEQ_PRE") as caught:
        world.do(number, "review", by="quality1")
    assert "Every critical entry is answered" in str(caught[0])


# --- gap assessment and scope ----------------------------------------------------------------------


def test_a_gap_assessment_begins_with_every_clause(world: World) -> None:
    number = world.new("gap_assessment")
    assert [r["clause"] for r in world.row(number).fields["clauses"]] == [c for c, _ in CLAUSES]
    met = [r | {"rating": "met"} for r in world.row(number).fields["clauses"]]
    world.do(number, "edit", clauses=met)
    with refused("VAL_REQ") as caught:
        world.do(number, "assess")
    assert "Evidence is required before a clause is met" in str(caught[0])


def test_what_a_rule_names_is_left_out_of_scope_only_for_a_reason_that_stays(world: World) -> None:
    number = world.new("scope_item", "assessed")
    assert world.row(number).fields["part11"] == "applies"
    with refused("REASON") as caught:
        world.do(number, "exclude", out_of_scope_because=None)
    assert "Say why. A rule is named" in str(caught[0])
    with refused("REASON"):
        world.do(number, "exclude", reason="")
    world.do(number, "exclude")


@pytest.mark.parametrize("username", ["bench1", "admin1"])
def test_only_quality_changes_a_scope_with_a_reason(world: World, username: str) -> None:
    number = world.new("scope_item", "in_scope")
    with refused("AUTH_ROLE"):
        world.do(number, "change_scope", by=username)
    with refused("REASON"):
        world.do(number, "change_scope", reason="")
    world.do(number, "change_scope")
    assert world.row(number).state == "identified"
