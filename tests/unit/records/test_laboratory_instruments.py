"""Checks of instruments in a whole laboratory: what they gate, hold, list and open."""

from __future__ import annotations

from fix_bench import (
    OFF,
    WHY,
    accepted,
    calibration,
    commands,
    day,
    instrument,
    linked,
    qc,
)
from fix_lab import TODAY, Lab, refused

# --- instruments -----------------------------------------------------------------------------------


def test_overdue_qc_keeps_anything_from_being_acquired_and_says_when_it_was_due(lab: Lab) -> None:
    number = instrument(lab, "QC-1", qc_frequency="daily")
    session = lab.new_session(instrument=number)
    with refused("SEQ_PRE") as caught:
        lab.start_session(session)
    assert f"{number} has no microscope QC that passed" in str(caught[0])
    old = qc(lab, number, done=-3, due=-1)
    lab.olga.do(old, "accept", sign=True)
    with refused("SEQ_PRE") as caught:
        lab.start_session(session)
    assert f"{number} microscope QC was due {day(-1)}" in str(caught[0])
    new = qc(lab, number)
    with refused("SEQ_PRE") as caught:
        lab.start_session(session)  # one that is not decided yet is not good enough
    lab.olga.do(new, "accept", sign=True)
    lab.start_session(session)


def test_values_outside_their_limits_do_not_pass(lab: Lab) -> None:
    number = instrument(lab, "QC-2", qc_frequency="daily")
    check = qc(lab, number, "0.7")
    with refused("SEQ_PRE") as caught:
        lab.olga.do(check, "accept", sign=True)
    assert "field illumination: 0.7 is outside 0.4–0.6" in str(caught[0])


def test_a_failed_qc_holds_the_instrument_in_one_command_and_gates_acquisition(lab: Lab) -> None:
    number = instrument(lab, "QC-3", qc_frequency="daily")
    good = qc(lab, number, done=-1, due=0)
    lab.olga.do(good, "accept", sign=True)
    measured = lab.new_session(instrument=number)
    lab.start_session(measured)
    waiting = lab.new_session(instrument=number)
    bad = qc(lab, number, "0.7")
    done = lab.olga.do(bad, "fail", sign=True, why="The lamp flickers; the field is uneven.")
    kinds = sorted(e.type for e in done.entries)
    assert kinds == ["deviation", "hold", "instrument", "microscope_qc"]
    assert len(commands(lab, *(e.number for e in done.entries))) == 1
    assert {link["number"] for link in lab.row(bad).fields["affected"]} == {measured, good}
    row = lab.row(number)
    assert (row.state, len(row.blockers)) == ("out_of_service", 1)
    with refused("HOLD"):
        lab.start_session(waiting)


def test_a_failed_calibration_lists_holds_and_opens_in_one_command(lab: Lab) -> None:
    number = instrument(lab, "CAL-1")
    sessions = [lab.new_session(instrument=number) for _ in range(3)]
    for session in sessions[:2]:
        lab.start_session(session)
    lab.alan.do(sessions[0], "complete")
    check = qc(lab, number)
    bad = calibration(lab, number, as_found=[OFF])
    with refused("AUTH_ROLE"):
        lab.mia.do(bad, "fail", sign=True, why=WHY)
    assert lab.row(number).state == "in_service"
    assert lab.row(number).blockers == ()
    assert linked(lab, bad, "hold") == []
    done = lab.rita.do(bad, "fail", sign=True, why="10 um reads 10.4 um as found.")
    assert sorted(e.type for e in done.entries) == ["calibration", "deviation", "hold", "instrument"]
    numbers = {e.type: e.number for e in done.entries}
    assert len(commands(lab, *numbers.values())) == 1
    listed = {link["number"] for link in lab.row(bad).fields["affected"]}
    assert listed == {*sessions[:2], check}
    deviation = lab.row(numbers["deviation"])
    assert {link["number"] for link in deviation.fields["affected"]} == listed | {bad}
    assert deviation.fields["severity"] == "major"
    assert deviation.title == f"{number} failed its calibration on {TODAY}"
    hold = lab.row(numbers["hold"])
    assert (hold.fields["subject"]["number"], hold.fields["cause"]["number"]) == (number, bad)
    row = lab.row(number)
    assert (row.state, row.blockers[0].number) == ("out_of_service", hold.number)
    with refused("HOLD"):
        lab.quinn.do(number, "put_in_service", sign=True)


def test_the_list_begins_at_the_last_good_calibration(lab: Lab) -> None:
    number = instrument(lab, "CAL-2")
    session = lab.new_session(instrument=number)
    lab.start_session(session)
    lab.alan.do(session, "complete")
    old = qc(lab, number, done=-20, due=-10)
    lab.olga.do(old, "accept", sign=True)
    first = calibration(lab, number, -25, as_found=[OFF])
    lab.rita.do(first, "fail", sign=True, why="10 um reads 10.4 um as found.")
    assert {link["number"] for link in lab.row(first).fields["affected"]} == {session, old}
    accepted(lab, number, -5)
    last = calibration(lab, number, as_found=[OFF])
    lab.rita.do(last, "fail", sign=True, why="10 um reads 10.4 um as found.")
    assert {link["number"] for link in lab.row(last).fields["affected"]} == {session}


def test_an_instrument_already_on_hold_still_fails_its_calibration(lab: Lab) -> None:
    number = instrument(lab, "CAL-3")
    lab.quinn.create("hold", subject=number, reason="Water came through the ceiling.")
    bad = calibration(lab, number, as_found=[OFF])
    lab.rita.do(bad, "fail", sign=True, why="10 um reads 10.4 um as found.")
    row = lab.row(number)
    assert (row.state, len(row.blockers)) == ("out_of_service", 2)


# --- qualification and maintenance -----------------------------------------------------------------


CASE = {"case": "1", "step": "Switch on.", "expected": "It is on."}
SEEN = {"actual": "It is on.", "outcome": "pass", "evidence_note": "Photograph 1"}


def qualification(lab: Lab, subject: str, kind: str) -> str:
    return lab.mia.create(
        "qualification", subject=subject, kind=kind, protocol=f"{lab.n['sop']} v1", test_cases=[CASE]
    )


def qualify(lab: Lab, subject: str, kind: str) -> str:
    number = qualification(lab, subject, kind)
    lab.mia.do(number, "start")
    lab.mia.do(number, "record", test_cases=[CASE | SEEN])
    lab.mia.do(number, "finish", sign=True, conclusion="It is as it must be.")
    lab.rita.do(number, "review", sign=True)
    lab.vera.do(number, "approve", sign=True)
    return number


def test_a_critical_instrument_is_qualified_in_order_before_service(lab: Lab) -> None:
    number = instrument(lab, "QLF-1", service=False, criticality="gxp_critical")
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "put_in_service", sign=True)
    assert f"IQ, OQ, PQ of {number} are approved" in str(caught[0])
    early = qualification(lab, number, "OQ")
    with refused("SEQ_PRE") as caught:
        lab.mia.do(early, "start")
    assert f"IQ of {number} is approved before OQ" in str(caught[0])
    for kind in ("IQ", "OQ"):
        qualify(lab, number, kind)
    with refused("SEQ_PRE"):
        lab.quinn.do(number, "put_in_service", sign=True)
    qualify(lab, number, "PQ")
    lab.quinn.do(number, "put_in_service", sign=True)


def test_a_failed_case_stays_and_a_pass_has_evidence(lab: Lab) -> None:
    number = qualification(lab, instrument(lab, "QLF-2"), "IQ")
    lab.mia.do(number, "start")
    bare = CASE | {"actual": "It is on.", "outcome": "pass"}
    with refused("VAL_REQ") as caught:
        lab.mia.do(number, "record", test_cases=[bare])
    assert "Evidence and result are required before a case passes (1)" in str(caught[0])
    failed = CASE | {"actual": "It smokes.", "outcome": "fail"}
    lab.mia.do(number, "record", test_cases=[failed])
    kept = lab.row(number).fields["test_cases"][0]
    assert kept["executed_by"]["number"] == lab.number_of("mia")
    with refused("LOCKED") as caught:
        lab.mia.do(number, "record", test_cases=[CASE | SEEN])
    assert "Case 1 was recorded and is locked" in str(caught[0])
    lab.mia.do(number, "record", test_cases=[kept, CASE | SEEN])
    assert [c["outcome"] for c in lab.row(number).fields["test_cases"]] == ["fail", "pass"]


def test_work_that_touches_what_was_qualified_stands_the_instrument_down_until_assessed(lab: Lab) -> None:
    number = instrument(lab, "MNT-1")
    order = lab.mia.create(
        "maintenance",
        instrument=number,
        kind="corrective",
        planned_on=day(2),
        description="Replace the camera.",
        tasks=[{"task": "Replace camera"}],
    )
    lab.mia.do(order, "start")
    done = {"tasks": [{"task": "Replace camera", "result": "done"}], "impact": "requalify"}
    with refused("SEQ_PRE"):
        lab.mia.do(order, "finish", sign=True, **done)
    lab.mia.do(order, "finish_for_requalification", sign=True, **done)
    assert lab.row(number).state == "out_of_service"
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(order, "verify", sign=True)
    assert "Quality assessed the effect of this work" in str(caught[0])
    with refused("SEQ_PRE"):
        lab.quinn.do(number, "put_in_service", sign=True)
    lab.vera.do(order, "assess", sign=True, assessment="The camera was qualified.", requalification="needed")
    lab.quinn.do(order, "verify", sign=True)
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "put_in_service", sign=True)
    assert f"{number} is qualified again after {order}" in str(caught[0])
    qualify(lab, number, "requal")
    lab.quinn.do(number, "put_in_service", sign=True)
