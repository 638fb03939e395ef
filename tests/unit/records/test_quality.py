"""Deviations, nonconformities, inspections, CAPA, changes and incidents, in a whole installation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest

from fix_lab import refused
from fix_world import World

OTTO, OLIVE = "otto", "olive"


def _says(caught: Sequence[Any], *parts: str) -> None:
    for part in parts:
        assert part in str(caught[0]), str(caught[0])


# --- inspection ------------------------------------------------------------------------------------


def _inspected(world: World, bad: int, subject: str = "", **fields: Any) -> str:
    """Return a reviewed inspection of 20 pieces in which ``bad`` of five samples failed."""
    more = {"subject": subject} if subject else {}
    number = world.new("inspection", "testing", **more, **fields)
    readings = [
        {"sample": s["unit"], "characteristic": "scratch", "passed": i >= bad}
        for i, s in enumerate(world.row(number).fields["samples"])
    ]
    world.do(number, "record", readings=readings)
    world.do(number, "complete")
    world.do(number, "review")
    return number


def test_a_rejected_inspection_holds_its_subject_and_opens_the_ncr_in_one_command(world: World) -> None:
    number = _inspected(world, bad=2)
    made = world.do(number, "reject")
    assert [(e.type, e.act, e.state) for e in made.entries] == [
        ("inspection", "reject", "rejected"),
        ("hold", "create", "active"),
        ("ncr", "create", "open"),
    ]
    commands = world.lab.ask(
        "select count(distinct command_id), count(distinct xid::text), count(*) from ledger.entry"
        " where convert_from(leaf, 'UTF8')::jsonb ->> 'entry' = any(%s)",
        [e.entry for e in made.entries],
    )
    assert commands == [(1, 1, 3)]
    subject = world.row(world.row(number).fields["subject"]["number"])
    hold, ncr = (world.row(e.number) for e in made.entries[1:])
    assert [b.number for b in subject.blockers] == [hold.number]
    assert hold.fields["cause"]["uid"] == world.row(number).uid
    assert ncr.fields["inspection"]["uid"] == world.row(number).uid
    assert ncr.fields["subject"]["uid"] == hold.fields["subject"]["uid"] == subject.uid
    assert "major: 2 of 5" in ncr.fields["actual"]
    assert ncr.fields["quantities"] == [{"item": subject.number, "quantity": 20, "unit": "pieces"}]
    assert (ncr.fields["severity"], ncr.fields["source"]) == ("major", "in_process")
    with refused("HOLD"):
        world.do(subject.number, "edit", reason="It is corrected here.", title="Something else")


def test_a_hold_stands_until_it_is_decided_what_becomes_of_the_nonconformity(world: World) -> None:
    _, hold, ncr = world.do(_inspected(world, bad=2), "reject").entries
    with refused("SEQ_PRE") as caught:
        world.do(hold.number, "lift")
    _says(caught, f"It is decided what becomes of {ncr.number}.")
    assert world.row(hold.number).state == "active"


def test_a_hold_that_no_nonconformity_set_is_lifted_with_a_reason(world: World) -> None:
    hold = world.create_only("hold", subject=world.new("change"), reason="The label is smudged.")
    world.do(hold, "lift")
    assert world.row(hold).state == "lifted"


def test_a_rejection_that_is_refused_writes_neither_hold_nor_ncr(world: World) -> None:
    number = _inspected(world, bad=2)
    subject = world.row(number).fields["subject"]["number"]
    before = {
        t: world.lab.ask("select count(*) from projection.record where type = %s", t) for t in ("hold", "ncr")
    }
    inspector = world.someone(world.row(number).people["record"][0])
    with refused("AUTH_ROLE"):
        world.do(number, "reject", by=inspector)
    with refused("SEQ_PRE") as caught:
        world.do(number, "accept")
    _says(caught, "The readings decide, not the reader: they say reject")
    good = _inspected(world, bad=0)
    with refused("SEQ_PRE") as caught:
        world.do(good, "reject")
    _says(caught, "they say accept")
    after = {
        t: world.lab.ask("select count(*) from projection.record where type = %s", t) for t in ("hold", "ncr")
    }
    assert before == after
    assert world.row(subject).blockers == ()
    assert world.row(number).state == world.row(good).state == "reviewed"


def test_who_inspected_neither_reviews_nor_decides(world: World) -> None:
    number = world.new("inspection", "testing")
    readings = [
        {"sample": s["unit"], "characteristic": "scratch", "passed": True}
        for s in world.row(number).fields["samples"]
    ]
    world.do(number, "record", by=OTTO, readings=readings)
    world.do(number, "complete", by=OTTO)
    with refused("AUTH_SELF"):
        world.do(number, "review", by=OTTO)
    world.do(number, "review", by=OLIVE)
    for username in (OTTO, OLIVE):
        with refused("AUTH_SELF"):
            world.do(number, "accept", by=username)
    world.do(number, "accept")


def test_a_decided_lot_is_inspected_again_only_by_a_disposition(world: World) -> None:
    number = _inspected(world, bad=0)
    world.do(number, "accept")
    subject = world.row(number).fields["subject"]["number"]
    with refused("SEQ_PRE") as caught:
        world.new("inspection", subject=subject)
    _says(caught, "Re-inspection needs a disposition")
    world.new("inspection", subject=subject, disposition=world.new("disposition", "decided"))


def test_an_inspection_is_complete_with_every_sample_and_not_one_less(world: World) -> None:
    number = world.new("inspection", "testing", lot_size=500, sample_size=80)
    readings = [
        {"sample": s["unit"], "characteristic": "scratch", "passed": True}
        for s in world.row(number).fields["samples"]
    ]
    world.do(number, "record", readings=readings[:79])
    with refused("SEQ_PRE") as caught:
        world.do(number, "complete")
    _says(caught, "80 needed, 79 recorded")
    world.do(number, "record", readings=readings)
    world.do(number, "complete")


# --- nonconformity and its board -------------------------------------------------------------------


def _ncr(world: World, consequence: int, extent: int, **fields: Any) -> str:
    return world.new("ncr", "under_review", consequence=consequence, extent=extent, **fields)


def _board(world: World, ncr: str, **fields: Any) -> str:
    number = world.create("disposition", ncr=ncr, **fields)
    world.do(number, "open_vote")
    return number


def test_containment_holds_every_record_concerned(world: World) -> None:
    one, two, three = (world.new("change") for _ in range(3))
    number = world.new("ncr", subject=one, also_affected=[two, three])
    made = world.do(number, "contain")
    assert [e.type for e in made.entries] == ["ncr", "hold", "hold", "hold"]
    for subject in (one, two, three):
        (blocker,) = world.row(subject).blockers
        assert world.row(blocker.number).fields["cause"]["uid"] == world.row(number).uid


def test_an_inspection_that_holds_already_is_not_held_twice(world: World) -> None:
    inspection = _inspected(world, bad=1)
    ncr = world.do(inspection, "reject").entries[2].number
    made = world.do(ncr, "contain")
    assert [e.type for e in made.entries] == ["ncr"]


def test_a_minor_disposition_needs_quality_alone(world: World) -> None:
    number = _board(world, _ncr(world, 2, 2))
    with refused("SEQ_PRE") as caught:
        world.do(number, "decide")
    _says(caught, "The seat of quality agreed")
    world.do(number, "vote_qa")
    made = world.do(number, "decide")
    assert [(e.type, e.state) for e in made.entries] == [("disposition", "decided"), ("ncr", "dispositioned")]


def test_a_major_disposition_needs_three_different_people(world: World) -> None:
    number = _board(world, _ncr(world, 3, 3))
    world.do(number, "vote_qa", by=OTTO)
    for act in ("vote_eng", "vote_opr", "vote_qal"):
        with refused("AUTH_SELF"):
            world.do(number, act, by=OTTO)
    world.do(number, "vote_eng", by=OLIVE)
    with refused("AUTH_SELF"):
        world.do(number, "vote_opr", by=OLIVE)
    with refused("SEQ_PRE") as caught:
        world.do(number, "decide")
    _says(caught, "The seat of operations agreed")
    assert "quality lead" not in str(caught[0])
    world.do(number, "vote_opr", by="maker3")
    world.do(number, "decide")
    seats = [world.row(number).people[f"vote_{seat}"] for seat in ("qa", "eng", "opr")]
    assert len({uid for seat in seats for uid in seat}) == 3


def test_a_critical_disposition_needs_the_quality_lead_too(world: World) -> None:
    number = _board(world, _ncr(world, 5, 1))
    for act in ("vote_qa", "vote_eng", "vote_opr"):
        world.do(number, act)
    with refused("SEQ_PRE") as caught:
        world.do(number, "decide")
    _says(caught, "The seat of the quality lead agreed")
    world.do(number, "vote_qal")
    world.do(number, "decide")


def test_who_worked_on_what_is_judged_takes_no_seat(world: World) -> None:
    subject = world.create("change", by=OTTO)
    number = _board(world, _ncr(world, 3, 3, subject=subject))
    for act in ("vote_qa", "vote_eng", "vote_opr", "vote_qal"):
        with refused("AUTH_SELF"):
            world.do(number, act, by=OTTO)
    world.do(number, "vote_qa", by=OLIVE)


def test_lines_that_do_not_add_up_are_not_proposed(world: World) -> None:
    ncr = _ncr(world, 2, 2)
    with refused("VAL_RANGE") as caught:
        world.create("disposition", ncr=ncr, lines=[{"item": "Box 7", "quantity": 38, "action": "scrap"}])
    _says(caught, f"The lines cover 38 of 50 pieces of {ncr}")
    assert world.row(ncr).state == "under_review"


def test_use_as_is_waits_for_an_engineers_signature(world: World) -> None:
    lines = [{"item": "Box 7", "quantity": 50, "action": "use_as_is"}]
    number = _board(world, _ncr(world, 2, 2), lines=lines)
    world.do(number, "vote_qa")
    with refused("SEQ_PRE") as caught:
        world.do(number, "decide")
    _says(caught, "An engineer justified the use as it is")
    world.do(number, "justify")
    world.do(number, "decide")


def test_use_as_is_is_not_decided_on_a_safety_characteristic(world: World) -> None:
    lines = [{"item": "Box 7", "quantity": 50, "action": "use_as_is"}]
    number = _board(world, _ncr(world, 2, 2, safety_characteristic=True), lines=lines)
    world.do(number, "vote_qa")
    world.do(number, "justify")
    with refused("SEQ_PRE") as caught:
        world.do(number, "decide")
    _says(caught, "never decided on a safety characteristic")


def test_an_ncr_is_not_closed_while_pieces_have_no_disposition(world: World) -> None:
    ncr = _ncr(world, 2, 2)
    number = _board(world, ncr)
    for act in ("vote_qa", "decide", "witness"):
        world.do(number, act)
    world.do(ncr, "edit", quantities=[{"item": "Box 7", "quantity": 62, "unit": "pieces"}])
    world.do(number, "execute")
    with refused("SEQ_PRE") as caught:
        world.do(ncr, "close")
    _says(caught, "12 of 62 pieces have no disposition")
    world.do(ncr, "review_more")
    more = _board(world, ncr, lines=[{"item": "Box 8", "quantity": 12, "action": "regrade"}])
    for act in ("vote_qa", "decide", "execute"):
        world.do(more, act)
    world.do(ncr, "close")


def test_who_raised_an_ncr_does_not_close_it(world: World) -> None:
    ncr = world.create("ncr", by=OTTO)
    world.to(ncr, "under_review")
    number = _board(world, ncr)
    for act in ("vote_qa", "decide", "witness", "execute"):
        world.do(number, act)
    with refused("AUTH_SELF"):
        world.do(ncr, "close", by=OTTO)
    world.do(ncr, "close")


# --- CAPA ------------------------------------------------------------------------------------------


def test_a_capa_walks_its_eight_disciplines_twice_when_it_did_not_help(world: World) -> None:
    owner = world.number_of(OTTO)
    number = world.new("capa", "effectiveness_check", owner=owner, window_days=2)
    assert world.row(number).fields["times_ineffective"] == 0
    ends = world.row(number).fields["window_ends"]
    result = [{"metric": "Wrong filters", "result": "2 of 214", "met": False}]
    with refused("SEQ_PRE") as caught:
        world.do(number, "judge_ineffective", result=result)
    _says(caught, f"Effectiveness window ends {ends}")
    with refused("LOCKED"):
        criterion = [{"metric": "Other", "baseline": "1", "target": "1", "sample_size": "1"}]
        world.do(number, "edit", criterion=criterion)
    world.pass_days(2)
    with refused("AUTH_SELF"):
        world.do(number, "judge_ineffective", by=OTTO, result=result)
    world.do(number, "judge_ineffective", result=result)
    row = world.row(number)
    assert (row.state, row.fields["times_ineffective"]) == ("d4_root_cause", 1)
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve_root_cause")
    _says(caught, f"The owner signed root cause of {number}")
    world.do(number, "sign_root_cause")
    world.do(number, "approve_root_cause")
    retrain = [{"action": "Train the night shift", "kind": "retraining", "verified_by": "Test"}]
    world.do(number, "edit", chosen_actions=retrain)
    with refused("SEQ_PRE") as caught:
        world.do(number, "sign_actions")
    _says(caught, "This cause recurred 1× after retraining")
    world.do(number, "edit", chosen_actions=[{**retrain[0], "kind": "design"}])
    world.to(number, "closed")
    assert world.row(number).fields["times_ineffective"] == 1


def test_an_owner_approves_none_of_their_own_disciplines(world: World) -> None:
    number = world.new("capa", "d3_containment", owner=world.number_of(OTTO))
    for sign, approve in (
        ("sign_containment", "approve_containment"),
        ("sign_root_cause", "approve_root_cause"),
        ("sign_actions", "approve_actions"),
    ):
        world.step(number, sign)
        with refused("AUTH_SELF"):
            world.do(number, approve, by=OTTO)
        world.do(number, approve)
    assert world.row(number).state == "d6_implementation"


def test_a_cause_that_came_back_after_retraining_is_found_on_the_records(world: World) -> None:
    retrain = [{"action": "Train again", "kind": "retraining", "verified_by": "Test"}]
    first = world.new("capa", "d4_root_cause")
    world.step(first, "sign_root_cause")
    world.do(first, "edit", cause_code="tired_eyes")
    world.do(first, "approve_root_cause")
    world.do(first, "edit", chosen_actions=retrain)
    again = world.new("capa", "d4_root_cause")
    world.step(again, "sign_root_cause")
    world.do(again, "edit", cause_code="tired_eyes")
    world.do(again, "approve_root_cause")
    assert [i["number"] for i in world.row(again).fields["recurrences"]["items"]] == [first]
    criterion = [{"metric": "Misread wells", "baseline": "1", "target": "0", "sample_size": "9"}]
    world.do(again, "edit", chosen_actions=retrain, criterion=criterion)
    with refused("SEQ_PRE") as caught:
        world.do(again, "sign_actions")
    _says(caught, "This cause recurred 1× after retraining")
    with refused("LOCKED"):
        world.do(again, "edit", cause_code="another_code")


def test_a_capa_waits_for_its_changes(world: World) -> None:
    change = world.new("change", "approved")
    number = world.new("capa", "d6_implementation", changes=[change])
    with refused("SEQ_PRE") as caught:
        world.step(number, "sign_implementation")
    _says(caught, f"{change} is effective or closed (it is approved)")
    world.to(change, "closed")
    world.do(number, "sign_implementation")


def test_due_days_of_a_capa_follow_its_disciplines(world: World) -> None:
    number = world.new("capa")
    opened = dt.date.fromisoformat(world.row(number).fields["opened_on"])
    for state, days in (("d0_screening", 3), ("d4_root_cause", 30), ("d6_implementation", 90)):
        world.to(number, state)
        assert world.row(number).fields["due"] == (opened + dt.timedelta(days=days)).isoformat()


# --- deviation and what it blocks ------------------------------------------------------------------


def test_anybody_raises_a_deviation_whose_class_is_computed(world: World) -> None:
    number = world.create("deviation", by="freda", consequence=4, extent=3)
    row = world.row(number)
    assert (row.state, row.fields["severity"]) == ("open", "critical")
    with refused("VAL_FORM"):
        world.create("deviation", severity="minor")
    with refused("SEQ_PRE") as caught:
        world.do(number, "edit", consequence=1)
    _says(caught, "changes by the act Classify")
    world.do(number, "classify", consequence=1, extent=1)
    assert world.row(number).fields["severity"] == "minor"


def test_a_discovery_is_not_dated_back(world: World) -> None:
    old = "2026-01-05T08:00:00Z"
    with refused("VAL_RANGE") as caught:
        world.create("deviation", found_at=old, occurred_at=old)
    _says(caught, "2026-01-05 is outside")


def test_a_planned_deviation_after_the_fact_is_refused(world: World) -> None:
    planned = {"kind": "planned", "found_at": None, "occurred_at": None, "ends_on": world.day(5)}
    with refused("SEQ_STATE") as caught:
        world.create("deviation", **planned, starts_on=world.day(-1))
    _says(caught, "comes before the fact")
    world.create("deviation", **planned, starts_on=world.day())


def test_a_root_cause_that_is_blank_or_only_a_person_is_refused(world: World) -> None:
    number = world.new("deviation", "investigating", affected=[])
    with refused("VAL_REQ"):
        world.do(number, "submit")
    human = [{"method": "five_why", "category": "human_error", "cause": "Forgot the filter."}]
    world.do(number, "edit", root_cause=human, other_batches="None else.")
    with refused("REASON") as caught:
        world.do(number, "submit")
    _says(caught, "Human error needs a contributing cause")


def test_a_critical_deviation_needs_the_quality_lead_and_a_capa(world: World) -> None:
    number = world.new("deviation", "in_review", consequence=5, extent=1)
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve")
    _says(caught, "A critical class needs a CAPA", f"A quality lead endorsed {number}")
    world.do(number, "send_back")
    world.do(number, "edit", capa=world.any("capa"))
    world.do(number, "submit")
    world.do(number, "endorse")
    world.do(number, "approve")


def test_what_quality_may_close_is_minor(world: World) -> None:
    number = world.new("deviation", "verification", consequence=3, extent=3, capa_decision="Single case.")
    with refused("SEQ_PRE") as caught:
        world.do(number, "close_minor")
    _says(caught, "A quality lead closes what is major")
    world.do(number, "close")


def test_a_deviation_that_held_something_is_not_cancelled(world: World) -> None:
    number = world.new("deviation")
    world.create("hold", cause=number)
    with refused("SEQ_PRE") as caught:
        world.do(number, "cancel")
    _says(caught, "Nothing was held because of it")
    world.do(world.new("deviation"), "cancel")


def test_an_extension_is_signed_and_kept(world: World) -> None:
    number = world.new("deviation")
    due = world.row(number).fields["due"]
    with refused("SEQ_PRE"):
        world.do(number, "extend", extended_to=world.day(1))
    world.do(number, "extend", extended_to=world.day(100))
    row = world.row(number)
    assert row.fields["due"] == world.day(100)
    assert [(e["from_day"], e["to_day"]) for e in row.fields["extensions"]] == [(due, world.day(100))]


@pytest.mark.parametrize("path", ["subject", "results"])
def test_a_release_waits_for_an_open_major_deviation(world: World, path: str) -> None:
    release = world.new("release_decision")
    (subject,) = world.along(world.row(release), ("subject",) if path == "subject" else ("subject", path))
    deviation = world.new(
        "deviation", consequence=3, extent=4, affected=[subject.number], capa_decision="A single run."
    )
    with refused("SEQ_PRE") as caught:
        world.do(release, "release")
    _says(caught, f"{deviation} (major) is open")
    world.to(deviation, "closed")
    world.do(release, "release")
    assert world.row(release).state == "released"


def test_a_release_waits_for_a_nonconformity_and_for_the_answer_to_a_flag(world: World) -> None:
    release = world.new("release_decision")
    subject = world.row(release).fields["subject"]["number"]
    ncr = world.new("ncr", subject=subject)
    anomaly = world.new("anomaly", subjects=[subject])
    note = world.new("anomaly", subjects=[subject], severity="info")
    minor = world.new("deviation", consequence=1, extent=1, affected=[subject])
    with refused("SEQ_PRE") as caught:
        world.do(release, "release")
    _says(caught, f"{ncr} (minor) is open", f"{anomaly} (warn) is raised")
    assert note not in str(caught[0])
    assert minor not in str(caught[0])
    world.step(anomaly, "answer")
    world.do(ncr, "void")
    world.do(release, "release")


def test_a_review_is_not_decided_over_an_open_deviation(world: World) -> None:
    case = world.new("review_case", "technical_done")
    subject = world.row(case).fields["subject"]["number"]
    deviation = world.new("deviation", consequence=4, extent=4, affected=[subject])
    with refused("SEQ_PRE") as caught:
        world.step(case, "qa_decide")
    _says(caught, f"{deviation} (critical) is open")
    world.do(deviation, "cancel")
    world.step(case, "qa_decide")


def test_a_report_is_not_issued_over_an_open_nonconformity(world: World) -> None:
    run = world.row(world.new("analysis_run", "accepted"))
    results = [run.fields["results"]["number"]]
    report = world.new("report", "approved", subject=run.number, results=results)
    ncr = world.new("ncr", subject=results[0])
    with refused("SEQ_PRE") as caught:
        world.do(report, "issue")
    _says(caught, f"{ncr} (minor) is open")
    world.do(ncr, "void")
    world.do(report, "issue")


# --- anomaly ---------------------------------------------------------------------------------------


def test_a_flag_is_answered_by_none_of_those_it_names_and_a_critical_one_by_quality(world: World) -> None:
    number = world.new("anomaly", severity="critical", actors=[world.number_of(OTTO)])
    with refused("AUTH_SELF"):
        world.do(number, "answer_critical", by=OTTO)
    with refused("SEQ_PRE") as caught:
        world.do(number, "answer")
    _says(caught, "A critical flag is answered by quality")
    world.do(number, "answer_critical")
    with refused("AUTH_SELF"):
        world.do(number, "close", by=OTTO)
    world.do(number, "close")


def test_an_answer_names_what_it_says_was_raised(world: World) -> None:
    number = world.new("anomaly")
    with refused("SEQ_PRE") as caught:
        world.do(number, "answer", answer="deviation")
    _says(caught, "names the deviation raised")
    world.do(number, "answer", answer="deviation", deviation=world.new("deviation"))


# --- change ----------------------------------------------------------------------------------------


def test_nothing_is_implemented_before_its_approval(world: World) -> None:
    for state in ("draft", "assessed"):
        with refused("SEQ_STATE"):
            world.do(world.new("change", state), "implement")
    with refused("SEQ_PRE") as caught:
        world.do(world.new("change"), "implement_emergency")
    _says(caught, "Only an emergency goes before its approval")


def test_a_change_waits_for_everybody_who_answers_for_an_area(world: World) -> None:
    number = world.to(world.create("change", by=OTTO), "assessed")
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve")
    _says(caught, "Everybody who answers for an area reviewed it", world.number_of("bench2"))
    with refused("SEQ_PRE"):
        world.do(number, "review_area", by=OLIVE)
    world.do(number, "review_area")
    with refused("AUTH_SELF"):
        world.do(number, "approve", by=OTTO)
    world.do(number, "approve")


def test_an_area_left_out_is_refused_when_the_change_is_submitted(world: World) -> None:
    number = world.new("change")
    impact = [r for r in world.row(number).fields["impact"] if r["area"] != "security"]
    world.do(
        number,
        "edit",
        impact=[{**r, **({"owner": r["owner"]["number"]} if "owner" in r else {})} for r in impact],
    )
    with refused("VAL_REQ") as caught:
        world.do(number, "submit")
    _says(caught, "Say 'none' and why. Not assessed: security")


def test_an_emergency_is_assessed_within_three_days_or_late_with_a_deviation(world: World) -> None:
    in_time, late = (world.new("change", "emergency_implemented") for _ in range(2))
    world.do(in_time, "assess_emergency")
    world.pass_days(4)
    with refused("SEQ_PRE") as caught:
        world.do(late, "assess_emergency")
    _says(caught, "An emergency is assessed within 3 days")
    with refused("SEQ_PRE") as caught:
        world.do(late, "assess_late")
    _says(caught, "A deviation was raised for the late assessment")
    world.step(late, "assess_late")
    assert world.row(late).state == "assessed"


# --- incident --------------------------------------------------------------------------------------


def test_an_incident_is_not_closed_while_the_account_is_active(world: World) -> None:
    person = world.number_of("maker4")
    number = world.new("incident", "verification", kind="credential", account=person)
    with refused("SEQ_PRE") as caught:
        world.do(number, "close")
    _says(caught, f"{person} can no longer act (the account is still active)")
    world.do(person, "disable")
    world.do(number, "close")


def test_a_data_integrity_incident_needs_a_deviation_and_the_quality_lead(world: World) -> None:
    number = world.new("incident", "investigating", kind="data_integrity")
    with refused("SEQ_PRE") as caught:
        world.step(number, "submit")
    _says(caught, "names the deviation raised for it")
    world.do(number, "edit", deviation=world.new("deviation"))
    world.do(number, "submit")
    with refused("SEQ_PRE") as caught:
        world.do(number, "approve")
    _says(caught, f"A quality lead endorsed {number}")
    world.do(number, "endorse")
    world.do(number, "approve")
