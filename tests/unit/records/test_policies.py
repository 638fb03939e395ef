"""What the declarations permit and refuse, read off the words: who, whose independence, what order."""

from __future__ import annotations

import pytest

from coverslip.kernel import words as w
from coverslip.records import all_types

TYPES = {t.name: t for t in all_types()}


def act(kind: str, name: str) -> w.Transition:
    return next(tr for tr in TYPES[kind].transitions if tr.name == name)


def independent(kind: str, name: str) -> set[w.Person]:
    found = act(kind, name)
    names = {*found.independent_of, *(found.signature.independent_of if found.signature else ())}
    return {TYPES[kind].persons[n] for n in names}


@pytest.mark.parametrize("kind", ["document_policy", "document_sop"])
def test_author_reviewer_and_approver_of_a_document_are_three_people(kind: str) -> None:
    assert {w.Signer("authored"), w.Touched()} <= independent(kind, "review")
    assert {w.Signer("authored"), w.Signer("reviewed"), w.Touched()} <= independent(kind, "approve")
    assert act(kind, "approve").who == ("QA",)


@pytest.mark.parametrize("kind", ["algorithm", "parameter_set", "analysis_method"])
def test_nobody_approves_a_master_they_wrote(kind: str) -> None:
    assert {w.Signer("authored"), w.Touched()} <= independent(kind, "approve")
    assert TYPES[kind].revisions


def test_a_key_is_enrolled_only_by_its_holder_and_verified_by_somebody_else() -> None:
    enrol, activate = act("user", "enrol"), act("user", "activate")
    assert enrol.who == () and enrol.persons == ("holder",)
    assert TYPES["user"].persons["holder"] == w.PersonAt(())
    assert enrol.signature is not None and enrol.signature.stage == "before_verification"
    assert activate.signature is not None and activate.signature.meaning == "verified"
    assert {w.PersonAt(()), w.Actor("create")} <= independent("user", "activate")
    assert {w.PersonAt(()), w.Actor("lock")} <= independent("user", "unlock")


def test_an_account_never_acts_while_its_key_waits_for_verification_or_it_is_locked() -> None:
    account = next(p for p in TYPES["user"].provides if isinstance(p, w.Account))
    assert not {"enrolled", "locked", "disabled"} & set(account.states)


def test_a_grant_is_approved_by_neither_holder_nor_requester() -> None:
    assert {w.PersonAt(("person",)), w.Actor("create")} <= independent("role_grant", "approve")


def test_a_review_is_independent_of_everybody_who_made_the_work_or_its_inputs() -> None:
    wanted = {
        w.Signer("executed", ("subject",)),
        w.Actor("create", ("subject",)),
        w.Touched(("subject",)),
        w.Touched(("subject", "image_set")),
        w.Touched(("subject", "image_set", "members")),
    }
    for name in ("start", "answer", "technical", "return", "reject"):
        assert wanted <= independent("review_case", name), name
    assert wanted | {w.Signer("reviewed")} <= independent("review_case", "qa_decide")


def test_release_is_independent_of_executor_and_both_reviewers() -> None:
    wanted = {
        w.Signer("executed", ("subject",)),
        w.Signer("reviewed", ("review_case",)),
        w.Signer("qa_reviewed", ("review_case",)),
    }
    assert wanted <= independent("release_decision", "release")


def test_quality_states_that_the_audit_trail_was_reviewed() -> None:
    signature = act("review_case", "qa_decide").signature
    assert signature is not None and "audit trail reviewed" in signature.text


def test_nobody_accepts_a_run_or_finalises_results_directly() -> None:
    accepting = [tr for tr in TYPES["analysis_run"].transitions if tr.to == "accepted"]
    final = [tr for tr in TYPES["result_set"].transitions if tr.to == "final"]
    assert [tr.consequence for tr in (*accepting, *final)] == [True, True]
    assert w.Do(("subject",), "accept") in act("review_case", "technical").effects
    assert w.Do(("results",), "finalise") in accepting[0].effects


def test_typed_people_cannot_fill_what_a_run_computes() -> None:
    fields = TYPES["analysis_run"].fields
    for name in ("env_digest", "results", "suitability", "log", "run_index"):
        assert fields[name].source != "typed", name
    assert all(f.source == "import" for f in TYPES["result_set"].fields.values())


def test_only_interpretation_and_notes_of_a_completed_run_are_open_to_its_analyst() -> None:
    run = TYPES["analysis_run"]
    assert run.edit is not None and run.edit.states == ("completed",)
    is_open = {n for n, f in run.fields.items() if f.source == "typed" and "completed" not in f.immutable_at}
    assert is_open == {"interpretation", "notes"}
    assert run.fields["interpretation"].critical


def test_nobody_edits_an_image_and_quarantine_does_not_take_a_root() -> None:
    image = TYPES["image"]
    assert image.edit is None
    assert image.fields["root"].unique == "" and image.fields["registered_root"].unique == "type"
    filled = {
        tr.name
        for tr in image.transitions
        for e in tr.effects
        if getattr(e, "field", "") == "registered_root"
    }
    assert filled == {"accept"}


def test_a_manual_import_waits_for_a_second_person() -> None:
    assert w.Actor("create") in independent("image", "verify_import")
    asked = [g for g in act("image", "accept").requires if isinstance(g, w.When)]
    assert any(isinstance(inner, w.Signed) and inner.meaning == "verified" for g in asked for inner in g.then)


def test_the_kind_of_a_study_is_fixed_in_every_state() -> None:
    study = TYPES["study"]
    assert set(study.fields["kind"].immutable_at) == {s.name for s in study.states}


def test_a_letter_is_not_sent_without_the_scan_and_not_signed_electronically_before() -> None:
    letter = TYPES["certification_letter"]
    assert "sent" in letter.fields["handwritten_scan"].required_at
    before = [tr for tr in letter.transitions if tr.to in ("signed_on_paper", "sent")]
    assert len(before) == 2 and all(tr.signature is None for tr in before)


def test_acquisition_asks_for_study_instrument_calibration_training_and_no_hold() -> None:
    asked = act("acquisition_session", "start").requires
    kinds = {(type(g).__name__, getattr(g, "path", getattr(g, "name", ""))) for g in asked}
    assert {
        ("InState", ("study",)),
        ("InState", ("instrument",)),
        ("Rule", "calibrated"),
        ("Trained", ("method",)),
        ("NotOnHold", ("instrument",)),
    } <= kinds


def test_an_executed_set_is_frozen_with_images_that_are_available() -> None:
    guard = next(g for g in act("image_set", "freeze").requires if isinstance(g, w.InState))
    assert guard.states == ("available",) and not guard.empty_ok


def test_sandbox_work_is_never_released_or_held() -> None:
    assert TYPES["release_decision"].sandbox is None
    assert TYPES["hold"].sandbox is None


def test_a_hold_blocks_while_active_and_only_quality_lifts_it() -> None:
    hold = TYPES["hold"]
    assert [s.name for s in hold.states if s.blocking] == ["active"]
    assert hold.create.who == ("QA",) and act("hold", "lift").who == ("QA",)
    assert act("hold", "lift").reason is not None
