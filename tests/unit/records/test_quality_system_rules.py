"""Rules of risk, complaints, audits, suppliers, scope and periodic reviews, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.records.quality._gap_template import ALCOA, ANNEX_11, CLAUSES
from coverslip.records.quality.risk_assessment import action_priority
from coverslip.records.quality.system_review import INPUTS
from fix_rules import ANN, BOB, NOW, Rows, ask, link, row

TODAY = NOW[:10]

# --- risk assessment -------------------------------------------------------------------------------

_S_BANDS = {(9, 10): 0, (7, 8): 1, (4, 5, 6): 2, (2, 3): 3, (1,): 4}
_O_BANDS = ((8, 9, 10), (6, 7), (4, 5), (2, 3), (1,))
_D_BANDS = ((7, 8, 9, 10), (5, 6), (2, 3, 4), (1,))
_TABLE = (
    "HHHH HHHH HHHM HMLL LLLL",
    "HHHH HHHM HMMM MMLL LLLL",
    "HHMM MMML MLLL LLLL LLLL",
    "MMLL LLLL LLLL LLLL LLLL",
    "LLLL LLLL LLLL LLLL LLLL",
)
"""The table as it is printed: severity downwards, then occurrence, then detection from 7-10 to 1."""
_CELLS = [
    (s, o, d, _TABLE[line].split()[column][letter])
    for severities, line in _S_BANDS.items()
    for s in severities
    for column, occurrences in enumerate(_O_BANDS)
    for o in occurrences
    for letter, detections in enumerate(_D_BANDS)
    for d in detections
]


def test_the_action_priority_of_every_one_of_the_thousand_cells_is_that_of_the_table() -> None:
    assert len(_CELLS) == len({cell[:3] for cell in _CELLS}) == 1000
    assert [cell for cell in _CELLS if action_priority(*cell[:3]) != cell[3]] == []


def _item(s: int = 5, o: int = 3, d: int = 3, **more: Any) -> dict[str, Any]:
    return {"failure_mode": "Blur", "s": s, "o": o, "d": d, **more}


def test_ratings_before_and_after_actions_are_computed() -> None:
    (found,) = ask("rated_items", {"items": [_item(8, 8, 5, s_after=8, o_after=2, d_after=5)]})
    assert (found["rpn"], found["ap"], found["rpn_after"], found["ap_after"]) == (320, "H", 80, "M")
    assert "rpn_after" not in ask("rated_items", {"items": [_item()]})[0]


def test_a_computed_priority_may_be_left_out_or_right_but_not_wrong() -> None:
    for item in (_item(), _item(rpn=45, ap="L")):
        assert ask("ratings_computed", {"items": [item]}) is None
    for wrong, said in (({"rpn": 44}, "RPN is 45 (it says 44)"), ({"ap": "H"}, "AP is L (it says H)")):
        assert said in ask("ratings_computed", {"items": [_item(**wrong)]})


def test_a_rating_drops_with_proof_only() -> None:
    better = {"s_after": 5, "o_after": 2, "d_after": 3}
    assert ask("drops_proven", {"items": [_item()]}) is None
    assert ask("drops_proven", {"items": [_item(s_after=5, o_after=3, d_after=3)]}) is None
    assert ask("drops_proven", {"items": [_item(**better, evidence=link("r"))]}) is None
    assert "names the evidence by which O or D dropped" in ask("drops_proven", {"items": [_item(**better)]})
    assert "in all of S, O and D" in ask("drops_proven", {"items": [_item(o_after=2)]})


def test_severity_drops_by_a_change_of_design_only() -> None:
    milder = {"s_after": 4, "o_after": 3, "d_after": 3}
    assert "names the design change" in ask("drops_proven", {"items": [_item(**milder, evidence=link("r"))]})
    assert ask("drops_proven", {"items": [_item(**milder, design_change=link("c"))]}) is None


_ACTION = {"action": "Check focus.", "action_owner": link("u"), "action_due": "2027-01-01"}


@pytest.mark.parametrize(
    "item",
    [_item(8, 8, 5), _item(5, 5, 4), _item(9, 1, 1)],
    ids=["action priority H", "risk priority number 100", "severity 9"],
)
def test_a_high_risk_needs_an_action_or_an_acceptance(item: dict[str, Any]) -> None:
    assert "Every high risk has an action" in ask("high_risks_acted_on", {"items": [item]})
    assert "Every high risk" in ask("high_risks_acted_on", {"items": [item | {"action": "Check focus."}]})
    assert ask("high_risks_acted_on", {"items": [item | _ACTION]}) is None
    accepted = row("FMEA-0001", people={"signed_accepted_responsibility": [ANN]})
    assert ask("high_risks_acted_on", {"items": [item]}, record=accepted) is None


def test_a_low_risk_needs_nothing_unless_the_thresholds_are_stricter() -> None:
    fields = {"items": [_item(8, 4, 3)]}  # RPN 96, AP M
    assert ask("high_risks_acted_on", fields) is None
    assert "RPN 96" in ask("high_risks_acted_on", fields | {"rpn_threshold": 90})
    assert "S 8" in ask("high_risks_acted_on", fields | {"severity_threshold": 8})


# --- complaint -------------------------------------------------------------------------------------

RECEIVED = {"received_at": "2026-11-20T10:00:00Z"}


def test_what_is_next_on_a_complaint_falls_due_step_by_step() -> None:
    known = row("CMP-2026-0001", RECEIVED)
    reportable = RECEIVED | {"reportable": "yes", "report_rule": "21 CFR 803.53 (5 work days)"}
    assert ask("reportability_due", RECEIVED) == "2026-11-22"
    assert ask("complaint_due", RECEIVED) == "2026-11-21"
    assert ask("complaint_due", RECEIVED, record=known) == "2026-11-22"
    assert ask("complaint_due", reportable, record=known) == "2026-11-27"
    assert ask("complaint_due", reportable | {"reported_on": "2026-11-23"}, record=known) == "2026-12-20"
    assert ask("complaint_due", RECEIVED | {"reportable": "no"}, record=known) == "2026-12-20"


def test_only_a_reportable_complaint_has_a_day_by_which_it_is_reported() -> None:
    rule = {"report_rule": "21 CFR 803.50 (30 days)"}
    assert ask("report_due", RECEIVED | rule | {"reportable": "yes"}) == "2026-12-20"
    assert ask("report_due", RECEIVED | rule | {"reportable": "no"}) is None
    assert ask("report_due", RECEIVED | {"reportable": "yes"}) is None


def test_reportability_is_decided_in_two_days_or_the_delay_is_explained() -> None:
    late = RECEIVED | {"decide_by": "2026-11-20"}
    assert ask("reportability_in_time", RECEIVED | {"decide_by": TODAY}) is None
    assert "was to be decided by 2026-11-20" in ask("reportability_in_time", late)
    assert ask("reportability_in_time", late | {"late_because": "Nobody was here."}) is None


def test_a_complaint_was_received_by_now() -> None:
    assert ask("received_not_future", RECEIVED) is None
    assert "was received by now" in ask("received_not_future", {"received_at": "2026-11-21T04:00:01Z"})


# --- audit and finding -----------------------------------------------------------------------------


def test_nobody_audits_the_area_they_work_in_and_somebody_audits() -> None:
    apart = {"auditors": [link("a", "USR-0001")], "auditees": [link("b", "USR-0002")]}
    assert ask("auditors_outside_area", apart) is None
    assert ask("auditors_outside_area", {"external_auditors": ["An inspector"]}) is None
    own = apart | {"auditees": [link("a", "USR-0001")]}
    assert ask("auditors_outside_area", own) == "Nobody audits their own area (USR-0001)."
    assert "Somebody audits" in ask("auditors_outside_area", {"auditees": [link("b")]})


@pytest.mark.parametrize(
    ("capa", "passes"),
    [
        (row("CAPA-2026-0001", {"due": "2026-11-20"}, state="d4"), False),
        (row("CAPA-2026-0001", {"due": TODAY}, state="d4"), True),
        (row("CAPA-2026-0001", {"due": "2026-11-20"}, state="closed"), True),
        (row("CAPA-2026-0001", {}, state="d4"), True),
    ],
)
def test_a_finding_with_an_overdue_corrective_action_is_not_closed(capa: Row, passes: bool) -> None:
    said = ask("actions_in_time", {}, reads={"capa": (capa,)})
    assert (said is None) == passes
    assert passes or "CAPA-2026-0001 is overdue since 2026-11-20" in said


@pytest.mark.parametrize("class_", ["critical", "major"])
def test_a_serious_finding_names_a_corrective_action_or_why_none(class_: str) -> None:
    assert "names a corrective action" in ask("serious_finding_has_capa", {"class": class_})
    assert ask("serious_finding_has_capa", {"class": class_, "capa": [link("c")]}) is None
    assert ask("serious_finding_has_capa", {"class": class_, "no_capa_because": "Once only."}) is None
    assert ask("serious_finding_has_capa", {"class": "minor"}) is None


# --- suppliers -------------------------------------------------------------------------------------


def _certificate(kind: str, until: str) -> dict[str, str]:
    return {"kind": kind, "certificate_number": "Q-1", "valid_to": until}


def test_a_certificate_holds_through_its_last_day() -> None:
    fields = {"certificates": [_certificate("iso_9001", TODAY), _certificate("gmp", "2027-02-28")]}
    assert ask("certificates_in_date", fields) is None
    assert ask("first_certificate_lapse", fields) == "2026-11-22"
    assert ask("first_certificate_lapse", {}) is None
    out = {"certificates": [_certificate("iso_9001", "2026-11-20")]}
    assert ask("certificates_in_date", out) == "Every certificate is in date (iso_9001 Q-1 until 2026-11-20)."


_HOSTING = {
    "hosting_location": "Frankfurt",
    "encryption_in_transit": "TLS 1.3",
    "encryption_at_rest": "AES-256",
    "backup": "Daily.",
    "exit_plan": "Dump.",
    "breach_notice_hours": 24,
    "right_to_audit": True,
}


@pytest.mark.parametrize(
    ("kind", "enough", "lacking", "missing"),
    [
        ("material", {"criticality": "low"}, {"criticality": "high"}, "quality agreement, audit"),
        ("cloud_it", _HOSTING, {**_HOSTING, "exit_plan": ""}, "exit plan"),
        (
            "calibration",
            {"certificates": [_certificate("iso_17025", "2027-01-01")]},
            {"certificates": [_certificate("iso_9001", "2027-01-01")]},
            "an ISO/IEC 17025 certificate",
        ),
    ],
)
def test_the_file_of_a_supplier_holds_what_its_kind_and_criticality_need(
    kind: str, enough: dict[str, Any], lacking: dict[str, Any], missing: str
) -> None:
    reads: dict[str, Rows] = {"supplier": (row("SUP-0001", {"kind": kind}),)}
    assert ask("facts_fit_supplier", enough, reads=reads) is None
    assert f"missing: {missing}" in ask("facts_fit_supplier", lacking, reads=reads)


# --- scope -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "more", "decision", "why"),
    [
        (["21 CFR 211.68"], {}, "applies", "21 CFR 211.68"),
        (["21 CFR 111.605(c)"], {}, "applies", "21 CFR 111.605"),
        (["21 CFR 117.305"], {}, "exempt", "11.1(i)"),
        (["21 CFR 117.305", "21 CFR 211.68"], {}, "applies", "21 CFR 211.68"),
        (["21 CFR 1.337"], {}, "exempt", "11.1(f)"),
        (["21 CFR 1.1455"], {}, "applies", "21 CFR 1.1455"),
        (["21 CFR 101.11"], {}, "exempt", "11.1(g)"),
        (["21 CFR 101.9"], {}, "applies", "21 CFR 101.9"),
        ([], {}, "not_required", "not a required record; it gets the same trail"),
        (["ISO 13485 7.6"], {}, "not_required", "No FDA rule"),
        ([], {"submitted_to_fda": True}, "applies", "11.1(b)"),
        (["21 CFR 211.68"], {"predominant_copy": "paper", "used_electronically": False}, "paper", "paper"),
        (["21 CFR 211.68"], {"predominant_copy": "paper", "used_electronically": True}, "applies", "211.68"),
        (["21 CFR 11.10(e)"], {}, "applies", "itself asks for"),
    ],
)
def test_whether_part_11_applies_follows_from_the_rules_named(
    rules: list[str], more: dict[str, Any], decision: str, why: str
) -> None:
    fields = {"predicate_rules": rules, "used_electronically": True, "predominant_copy": "electronic"} | more
    assert ask("part11_decision", fields) == decision
    assert why in ask("part11_reason", fields)


@pytest.mark.parametrize(
    ("fields", "decision", "why"),
    [
        ({"predicate_rules": ["EU GMP Annex 11 §9"]}, "applies", "Annex 11 §9"),
        ({"kind": "system", "eu_gmp": True}, "applies", "activities under EU GMP"),
        ({"kind": "record_type", "eu_gmp": True}, "does_not_apply", "No EU GMP rule"),
        ({"predicate_rules": ["21 CFR 211.68"]}, "does_not_apply", "No EU GMP rule"),
    ],
)
def test_whether_annex_11_applies_follows_from_the_rules_named(
    fields: dict[str, Any], decision: str, why: str
) -> None:
    assert ask("annex11_decision", fields) == decision
    assert why in ask("annex11_reason", fields)


@pytest.mark.parametrize(
    ("rules", "required", "passes"),
    [([], False, True), (["21 CFR 58.35"], True, True), ([], True, False), (["21 CFR 58.35"], False, False)],
)
def test_required_by_a_rule_and_the_rules_named_say_the_same(
    rules: list[str], required: bool, passes: bool
) -> None:
    said = ask("rule_named_if_required", {"predicate_rules": rules, "required_by_rule": required})
    assert (said is None) == passes


# --- periodic review -------------------------------------------------------------------------------


def test_a_review_lists_every_required_input_and_keeps_those_recorded() -> None:
    own = {"input": "backup", "looked_at": "All.", "finding": "Good."}
    found = ask("required_inputs", {"inputs": [own]})
    assert found[0] == own
    assert sorted(r["input"] for r in found) == sorted(INPUTS)


def test_a_review_with_an_input_missing_or_not_looked_at_is_not_complete() -> None:
    whole = [{"input": name, "looked_at": "All.", "finding": "Good."} for name in INPUTS]
    assert ask("inputs_complete", {"inputs": whole}) is None
    assert "missing: changes" in ask("inputs_complete", {"inputs": whole[1:]})
    without = [{"input": INPUTS[0], "looked_at": "All."}, *whole[1:]]
    assert "missing: changes)" in ask("inputs_complete", {"inputs": without})


# --- gap assessment --------------------------------------------------------------------------------


def test_a_gap_assessment_lists_every_clause_once_after_those_given() -> None:
    own = {"clause": "11.10(a)", "requirement": "Validation.", "rating": "met"}
    found = ask("gap_template", {"clauses": [own]})
    assert found[0] == own
    assert len(found) == len(CLAUSES) == len({r["clause"] for r in found})
    assert [c for c, _ in CLAUSES[:11]] == [f"11.10({letter})" for letter in "abcdefghijk"]
    assert len(ANNEX_11) == 17
    assert len(ALCOA) == 9
    for clause in ("11.30", "11.50(a)", "11.70", "11.100(a)", "11.200(a)(1)", "11.300(e)"):
        assert clause in {r["clause"] for r in found}


def _clause(clause: str = "11.10(a)", rating: str = "gap", **more: Any) -> dict[str, Any]:
    return {"clause": clause, "requirement": "x", "rating": rating, **more}


def test_every_clause_is_rated() -> None:
    whole = [_clause(c, "met") for c, _ in CLAUSES]
    assert ask("every_clause_rated", {"clauses": whole}) is None
    assert "missing: 11.10(a)" in ask("every_clause_rated", {"clauses": whole[1:]})
    unrated = [{"clause": "Own clause", "requirement": "x"}]
    assert "missing: Own clause" in ask("every_clause_rated", {"clauses": whole + unrated})


def test_a_clause_is_met_by_evidence_and_one_left_out_says_why() -> None:
    assert ask("met_has_evidence", {"clauses": [_clause(rating="met", evidence=link("d"))]}) is None
    assert ask("met_has_evidence", {"clauses": [_clause(rating="met", file={"name": "x"})]}) is None
    bare = ask("met_has_evidence", {"clauses": [_clause(rating="met")]})
    assert bare == "Evidence is required before a clause is met: 11.10(a)."
    assert "says why" in ask("met_has_evidence", {"clauses": [_clause(rating="n_a")]})
    explained = _clause(rating="n_a", current_control="No open system.")
    assert ask("met_has_evidence", {"clauses": [explained]}) is None


def test_a_gap_has_risk_action_owner_and_date_unless_gaps_are_accepted() -> None:
    whole = _clause(risk="H", action="Do.", owner=link("u"), due="2027-01-01")
    assert ask("gaps_owned", {"clauses": [whole]}) is None
    for name in ("risk", "action", "owner", "due"):
        lacking = {k: v for k, v in whole.items() if k != name}
        assert "missing at: 11.10(a)" in ask("gaps_owned", {"clauses": [lacking]})
    assert ask("gaps_owned", {"option": "accept", "clauses": [_clause(risk="L")]}) is None
    assert "risk" in ask("gaps_owned", {"option": "accept", "clauses": [_clause()]})


def _progress(*clauses: str) -> list[dict[str, str]]:
    return [{"clause": c, "done_on": TODAY, "result": "Done."} for c in clauses]


def test_high_risks_are_put_right_first() -> None:
    clauses = [_clause("a", risk="H"), _clause("b", risk="M"), _clause("c", risk="L")]
    before = row("GAP-0001", {"clauses": clauses})
    ok = ask("high_risks_first", {"clauses": clauses, "progress": _progress("a")}, record=before)
    assert ok is None
    both = ask("high_risks_first", {"clauses": clauses, "progress": _progress("a", "b")}, record=before)
    assert both is None
    early = ask("high_risks_first", {"clauses": clauses, "progress": _progress("b")}, record=before)
    assert early == "Risk H comes first: a is still open."
    low = ask("high_risks_first", {"clauses": clauses, "progress": _progress("a", "c")}, record=before)
    assert low == "Risk M comes first: b is still open."
    other = ask("high_risks_first", {"clauses": clauses, "progress": _progress("z")}, record=before)
    assert other == "Only gaps are put right (z)."


def test_an_assessment_closes_when_every_gap_is_put_right_or_accepted() -> None:
    clauses = [_clause("a", risk="H"), _clause("b", rating="partial", risk="L"), _clause("c", rating="met")]
    assert ask("gaps_closed", {"clauses": clauses, "progress": _progress("a", "b")}) is None
    open_ = ask("gaps_closed", {"clauses": clauses, "progress": _progress("a")})
    assert open_ == "Every gap is put right (open: b)."
    assert ask("gaps_closed", {"clauses": clauses, "option": "accept"}) is None


# --- audit trail review ----------------------------------------------------------------------------


def _review(number: str, first: str, last: str, state: str = "closed") -> Row:
    return row(number, {"period_from": first, "period_to": last}, state=state)


@pytest.mark.parametrize(
    ("first", "others", "said"),
    [
        ("2027-04-01", (_review("A", "2027-01-01", "2027-03-31"),), None),
        ("2027-04-01", (), None),
        (
            "2027-04-04",
            (_review("A", "2027-01-01", "2027-03-31"),),
            "2027-04-01…03 is not covered by any review.",
        ),
        (
            "2027-04-02",
            (_review("A", "2027-01-01", "2027-03-31"),),
            "2027-04-01 is not covered by any review.",
        ),
        (
            "2027-05-02",
            (_review("A", "2027-01-01", "2027-03-31"),),
            "2027-04-01…2027-05-01 is not covered by any review.",
        ),
        (
            "2027-04-04",
            (_review("A", "2027-01-01", "2027-03-31"), _review("B", "2027-04-01", "2027-04-03", "voided")),
            "2027-04-01…03 is not covered by any review.",
        ),
        ("2027-04-04", (_review("B", "2027-07-01", "2027-09-30"),), None),
    ],
)
def test_no_day_lies_between_two_reviews_of_a_system(first: str, others: Rows, said: str | None) -> None:
    fields = {"period_from": first, "period_to": "2027-06-30"}
    assert ask("periods_join", fields, children={"reviews": others}) == said


def test_a_review_does_not_cover_itself_and_its_period_is_in_order() -> None:
    own = _review("A", "2027-01-01", "2027-03-31")
    moved = {"period_from": "2027-04-04", "period_to": "2027-06-30"}
    assert ask("periods_join", moved, record=own, children={"reviews": (own,)}) is None
    backward = {"period_from": "2027-04-04", "period_to": "2027-04-03"}
    assert "ends after it begins" in ask("periods_join", backward, children={"reviews": ()})


def _entry(event: str, *, critical: bool = True, person: str = BOB, **more: Any) -> dict[str, Any]:
    return {"event": event, "critical": critical, "person": link(person), "question": "Why?", **more}


def test_every_entry_of_the_sample_is_answered_critical_ones_named_first() -> None:
    answered = _entry("E1", answer="So.")
    assert ask("critical_answered", {"items": [answered]}) is None
    said = ask("critical_answered", {"items": [answered, _entry("E2"), _entry("E3", critical=False)]})
    assert said == "Every critical entry is answered (open: E2)."
    assert "open: E3" in ask("critical_answered", {"items": [_entry("E3", critical=False)]})


def test_what_was_drawn_is_said_in_words_with_its_hash_and_stays_in_the_sample() -> None:
    fields = {
        "period_from": "2027-01-01",
        "period_to": "2027-03-31",
        "event_classes": ["voids", "late_entries"],
        "drawn": {"size": 900, "matched": 7, "critical": 7, "sha256": "a" * 64},
    }
    assert ask("drawn_query", fields) == (
        "Entries of 2027-01-01 to 2027-03-31 among the first 900 of the ledger: voids, late entries."
        " 7 found, 7 of them critical."
    )
    assert ask("drawn_hash", fields) == "a" * 64
    assert ask("drawn_once", fields, record=row("ATR-2027-001", {"items": []})) is None
    for known in ({"drawn": fields["drawn"]}, {"items": [_entry("E1")]}):
        assert "drawn once" in ask("drawn_once", fields, record=row("ATR-2027-001", known))
    drawn = row("ATR-2027-001", {"items": [_entry("E1", entry="x"), _entry("E2")]})
    answered = {"items": [_entry("E1", entry="x", answer="So.")]}
    assert ask("drawn_entries_kept", answered, record=drawn) is None, "what was typed may go"
    gone = ask("drawn_entries_kept", {"items": [_entry("E2")]}, record=drawn)
    assert gone == "What was drawn stays in the sample (E1)."


def test_people_in_the_sample_are_listed_once_and_none_of_them_records_it() -> None:
    items = [_entry("E1"), _entry("E2"), {"event": "E3", "critical": False, "question": "Why?"}]
    assert ask("people_in_sample", {"items": items}) == [link(BOB)]
    assert ask("reviewer_outside_sample", {"items": items}, actor=ANN) is None
    said = ask("reviewer_outside_sample", {"items": items}, actor=BOB)
    assert said == "Nobody reviews what they did (E1, E2)."


def test_expired_certificates_are_told_once_a_day_with_their_numbers() -> None:
    certificates = [
        {"kind": "iso_9001", "certificate_number": "Q-1", "valid_to": "2026-11-20"},
        {"kind": "iso_9001", "certificate_number": "Q-2", "valid_to": "2026-11-21"},
    ]
    (said,) = ask("certificate_alert", {"title": "Glass", "certificates": certificates}, record=row("SQL-1"))
    assert "Q-1" in said["what"] and "Q-2" not in said["what"]
    assert said["bucket"] == "certificate_expired/SQL-1/2026-11-21"
    assert said["recipients"] == ["PUR", "QA"] and said["escalate_at"] > NOW
