"""Runs beyond the plan, OOS investigations, projects and reports in a whole laboratory."""

from __future__ import annotations

from coverslip.errors import CoverslipError
from fix_bench import WHY, commands, linked, specimen
from fix_lab import Lab, Person, refused
from fix_together import together

# --- runs beyond the plan --------------------------------------------------------------------------

REASON = "The segmentation merged touching nuclei in six of the control wells."


def request(lab: Lab, run: str) -> str:
    return lab.alan.create(
        "reprocessing_request",
        run=run,
        reason=REASON,
        category="segmentation_error",
        change=[{"what": "sigma", "old": "1", "new": "2"}],
        expected_effect="Touching nuclei are counted apart.",
    )


def failed_run(lab: Lab) -> str:
    run = lab.new_run()
    lab.machine(run, "start")
    lab.machine(run, "fail", reason="The disk was full.", error="The disk was full.")
    return run


def test_a_request_permits_exactly_one_more_run(lab: Lab) -> None:
    run = failed_run(lab)
    images = str(lab.row(run).fields["image_set"]["number"])
    with refused("SEQ_PRE") as caught:
        lab.new_run(image_set=images)
    assert "Request reprocessing with a reason" in str(caught[0])
    asked = request(lab, run)
    with refused("SEQ_PRE"):
        lab.new_run(image_set=images, reason="reprocess", request=asked)
    with refused("AUTH_ROLE"):
        lab.alan.do(asked, "approve", sign=True)
    lab.rita.do(asked, "approve", sign=True)
    second = lab.new_run(image_set=images, reason="reprocess", request=asked)
    assert lab.row(asked).state == "executed"
    assert len(commands(lab, asked, second)) == 1
    with refused("SEQ_PRE") as caught:
        lab.new_run(image_set=images, reason="reprocess", request=asked)
    assert f"{asked} permits one run, which is {second}" in str(caught[0])
    with refused("SEQ_PRE"):
        lab.new_run(image_set=images)
    lab.machine(second, "start")
    assert lab.row(second).state == "running"
    assert lab.row(run).state == "failed"


def test_of_two_runs_asked_for_at_once_a_request_permits_one(lab: Lab) -> None:
    run = failed_run(lab)
    images = str(lab.row(run).fields["image_set"]["number"])
    asked = request(lab, run)
    lab.rita.do(asked, "approve", sign=True)

    def make(who: Person) -> str:
        return lab.new_run(who, image_set=images, reason="reprocess", request=asked)

    outcomes = together(lambda: make(lab.alan), lambda: make(lab.olga))
    lost = [o for o in outcomes if isinstance(o, CoverslipError)]
    assert [error.code for error in lost] in (["SEQ_PRE"], ["SIG_STALE"])
    assert len([n for n in linked(lab, asked, "analysis_run") if n != run]) == 1


def test_a_request_serves_the_images_it_was_approved_for_and_no_others(lab: Lab) -> None:
    asked = request(lab, failed_run(lab))
    lab.rita.do(asked, "approve", sign=True)
    with refused("SEQ_PRE") as caught:
        lab.new_run(reason="reprocess", request=asked)
    assert "whose repetition was permitted" in str(caught[0])


def test_nobody_approves_a_request_of_their_own(lab: Lab) -> None:
    run = failed_run(lab)
    asked = lab.rex.create(
        "reprocessing_request",
        run=run,
        reason=REASON,
        category="segmentation_error",
        change=[{"what": "sigma", "new": "2"}],
        expected_effect="Touching nuclei are counted apart.",
    )
    with refused("AUTH_SELF"):
        lab.rex.do(asked, "approve", sign=True)


def test_final_results_are_repeated_only_with_quality(lab: Lab) -> None:
    run, case = lab.new_review()
    lab.review(case)
    asked = request(lab, run)
    with refused("SEQ_PRE") as caught:
        lab.rita.do(asked, "approve", sign=True)
    assert "Quality approves after the review" in str(caught[0])
    lab.rita.do(asked, "endorse", sign=True)
    lab.vera.do(asked, "approve_for_quality", sign=True)
    assert lab.row(asked).state == "approved"


# --- OOS -------------------------------------------------------------------------------------------

CHECKS = (
    "sample_id",
    "layout",
    "focus_exposure",
    "artefact",
    "calibration",
    "suitability",
    "algorithm_parameters",
    "exclusion_list",
    "calculation",
)
FOUND = [{"check": check, "finding": "As it must be."} for check in CHECKS]
ROW = {"position": "A01", "quantity_name": "count", "value": "12"}
LONG = "The laboratory phase is complete, and every point was looked at twice."


def oos(lab: Lab) -> tuple[str, str, str]:
    """Return an OOS just opened, the results and the review case of their run."""
    run, case = lab.new_review()
    results = str(lab.row(run).fields["results"]["number"])
    number = lab.rita.create(
        "oos", results=results, kind="out_of_specification", rows=[ROW], what="Count below the limit."
    )
    return number, results, case


def test_results_are_held_from_the_first_moment_of_their_oos(lab: Lab) -> None:
    number, results, case = oos(lab)
    assert [b.number for b in lab.row(results).blockers] == [number]
    with refused("HOLD"):
        lab.review(case)
    assert lab.row(results).state == "provisional"


def test_a_result_is_set_aside_only_for_a_cause_and_by_quality(lab: Lab) -> None:
    number, _, _ = oos(lab)
    with refused("SEQ_PRE") as caught:
        lab.rita.do(number, "finish_phase1", sign=True, phase1=FOUND[:-1], assignable_cause="no")
    assert "open: calculation" in str(caught[0])
    lab.rita.do(number, "finish_phase1", sign=True, phase1=FOUND, assignable_cause="no")
    with refused("VAL_REQ") as caught:
        lab.vera.do(number, "invalidate", sign=True, why=LONG, impact="None beyond this plate.")
    assert "only with an assignable cause" in str(caught[0])
    other, held, _ = oos(lab)
    lab.rita.do(
        other, "finish_phase1", sign=True, phase1=FOUND, assignable_cause="yes", cause="Wells were swapped."
    )
    with refused("AUTH_ROLE"):
        lab.rita.do(other, "invalidate", sign=True, why=LONG, impact="None beyond this plate.")
    lab.vera.do(other, "invalidate", sign=True, why=LONG, impact="None beyond this plate.")
    assert lab.row(other).state == "invalidated"
    assert [b.number for b in lab.row(held).blockers] == [other]  # set aside for good


def test_retests_are_as_many_as_were_fixed_in_advance_and_none_is_averaged(lab: Lab) -> None:
    number, results, _ = oos(lab)
    lab.rita.do(number, "finish_phase1", sign=True, phase1=FOUND, assignable_cause="no")
    plan = {"plan": "Repeat once.", "retest_number": 1}
    with refused("SEQ_PRE") as caught:
        lab.rita.do(number, "plan_retests", sign=True, other_analyst=lab.number_of("alan"), **plan)
    assert "somebody other than who executed" in str(caught[0])
    lab.rita.do(number, "plan_retests", sign=True, other_analyst=lab.number_of("olga"), **plan)
    run = str(lab.row(results).fields["run"]["number"])
    images = str(lab.row(run).fields["image_set"]["number"])
    retest = {"image_set": images, "reason": "investigation", "oos": number}
    with refused("SEQ_STATE"):
        lab.new_run(lab.olga, **retest)  # the plan is not approved yet
    lab.vera.do(number, "approve_plan", sign=True)
    with refused("SEQ_PRE"):
        lab.new_run(lab.alan, **retest)
    made = lab.new_run(lab.olga, **retest)
    with refused("SEQ_PRE") as caught:
        lab.new_run(lab.olga, **retest)
    assert "Plan allows 1; this is number 2" in str(caught[0])
    single = ROW | {"kind": "retest", "unit": "1", "run": made}
    conclusion = {"conclusion": "inconclusive", "individual_results": [single]}
    with refused("SEQ_PRE") as caught:
        lab.rita.do(number, "conclude", sign=True, **conclusion)
    assert f"Every retest is decided (open: {made})" in str(caught[0])
    with refused("SEQ_PRE") as caught:
        mixed = [single, ROW | {"kind": "average", "unit": "1"}]
        lab.rita.do(number, "edit", why=WHY, individual_results=mixed)
    assert f"Averaging hides an OOS; report individual values (see {number})" in str(caught[0])


# --- projects and reports --------------------------------------------------------------------------


def test_a_project_does_not_close_while_a_study_of_it_is_open(lab: Lab) -> None:
    project = lab.sam.create("project", name="Nuclei", sponsor="Own", confidentiality="open")
    lab.sam.do(project, "activate", members=[{"person": lab.number_of("alan"), "role": "analyst"}])
    study = lab.new_study(project=project)
    with refused("SEQ_PRE") as caught:
        lab.sam.do(project, "close", sign=True)
    assert f"Study {study} is reported or ended (it is draft)" in str(caught[0])
    lab.sam.do(study, "terminate", sign=True, why="The sponsor withdrew the order.")
    lab.sam.do(project, "close", sign=True)


def test_a_report_pins_its_results_and_waits_for_open_investigations(lab: Lab) -> None:
    run, case = lab.new_review()
    lab.review(case)
    results = str(lab.row(run).fields["results"]["number"])
    fields = {
        "title": "Count of nuclei",
        "kind": "image_report",
        "subject": run,
        "results": [results],
        "conclusion": "Twelve nuclei in A01.",
    }
    number = lab.aurel.create("report", **fields)
    assert lab.row(number).fields["results"][0]["version"] == lab.row(results).version
    lab.aurel.do(number, "submit", sign=True)
    lab.rita.do(number, "review", sign=True)
    lab.vera.do(number, "approve", sign=True)
    now = lab.accounts.now()
    deviation = lab.olga.create(
        "deviation",
        title="The room was warm",
        kind="unplanned",
        found_at=now,
        occurred_at=now,
        place="Room 9",
        what="27 degrees Celsius for an hour.",
        immediate_action="Windows were opened.",
        consequence=1,
        extent=1,
        affected=[results],
    )
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(number, "issue", sign=True)
    assert f"Deviation {deviation} is closed (it is open)" in str(caught[0])
    lab.quinn.do(deviation, "cancel", sign=True, why="Raised in error: the thermometer was broken.")
    lab.quinn.do(number, "issue", sign=True)
    with refused("LOCKED"):
        lab.aurel.do(number, "edit", why=WHY, conclusion="Thirteen.")


def test_replay_agrees_with_what_stands(lab: Lab) -> None:
    number = specimen(lab, quantity="2")
    lab.alan.do(number, "take_aliquot", taken="1", aliquot_title="Half")
    assert lab.replay() == []
