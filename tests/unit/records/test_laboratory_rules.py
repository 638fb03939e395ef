"""Every named rule of the laboratory, both ways: what it lets pass and the sentence with which it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from coverslip.kernel.rows import Blocker, Row
from coverslip.records import all_types
from coverslip.records.imaging._affected import READ_AT_MOST
from coverslip.records.imaging._layout import PLATES, on_plate
from coverslip.records.imaging.oos import CHECKS
from fix_rules import ANN, NOW, Rows, ask

all_types()  # a rule is registered where its type is declared


def row(
    number: str, fields: dict[str, Any] | None = None, state: str = "active", kind: str = "x", **more: Any
) -> Row:
    content = {"fields": fields or {}, "people": more.pop("people", {})}
    revision = more.pop("revision", 0)
    return Row(kind, number, number, revision, 1, 1, state, "", "gmp", "ab", "", content, **more)


def link(number: str, kind: str = "x") -> dict[str, Any]:
    return {"type": kind, "uid": number, "number": number}


# --- specimens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scanned", ["SMP-2026-00001", "TS/SMP-2026-00001?v=3", "TUBE-77"])
def test_a_label_is_the_number_alone_or_printed_or_the_one_it_came_with(scanned: str) -> None:
    own = row("SMP-2026-00001")
    assert ask("label_matches", {"external_id": "TUBE-77", "scanned_label": scanned}, record=own) is None


@pytest.mark.parametrize("scanned", ["SMP-2026-00002", "TS/SMP-2026-00002?v=3", "TUBE-7", "", "tube-77"])
def test_another_label_says_what_was_scanned_and_what_was_expected(scanned: str) -> None:
    given = {"scanned_label": scanned} if scanned else {}
    said = ask("label_matches", {"external_id": "TUBE-77"} | given, record=row("SMP-2026-00001"))
    told = f"You scanned {scanned or 'nothing'}; step expects TUBE-77. Nothing was recorded as done."
    assert said == told


@pytest.mark.parametrize("taken", ["0.1", "1.0", "1"])
def test_what_is_there_can_be_taken(taken: str) -> None:
    assert ask("quantity_suffices", {"quantity": "1.0", "taken": taken}) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"quantity": "1.0", "taken": "1.01", "unit": "mL"}, "1.01 is outside 0–1.0 mL"),
        ({"quantity": "1.0", "taken": "0"}, "Say how much is taken"),
        ({"quantity": "1.0"}, "Say how much is taken"),
        ({"taken": "1"}, "The quantity of the specimen is recorded"),
    ],
)
def test_more_than_there_is_cannot_be_taken(fields: dict[str, Any], said: str) -> None:
    assert said in ask("quantity_suffices", fields)


def test_what_is_left_keeps_its_digits() -> None:
    assert ask("quantity_left", {"quantity": "1.000000001", "taken": "0.3"}) == "0.700000001"
    assert ask("quantity_left", {"quantity": "0.0000001", "taken": "0"}) == "0.0000001"


def test_a_hand_over_goes_to_somebody_else() -> None:
    assert ask("receiver_is_another", {"receiver": link("bob"), "custodian": link("ann")}) is None
    assert "does not hold it" in ask(
        "receiver_is_another", {"receiver": link("ann"), "custodian": link("ann")}
    )
    assert "is named" in ask("receiver_is_another", {"custodian": link("ann")})


# --- layouts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plate", "last", "beyond"),
    [
        ("6", "B03", "C01"),
        ("24", "D06", "D07"),
        ("96", "H12", "H13"),
        ("384", "P24", "Q01"),
        ("1536", "AF48", "AG01"),
    ],
)
def test_the_last_well_lies_on_its_plate_and_the_next_does_not(plate: str, last: str, beyond: str) -> None:
    assert on_plate("A01", plate)
    assert on_plate(last, plate)
    assert not on_plate(beyond, plate)
    assert not on_plate("A1", plate)
    assert not on_plate("A00", plate)
    assert plate in PLATES


def test_positions_of_a_slide_are_free_and_those_of_a_plate_are_wells() -> None:
    rows = [{"position": "left"}]
    assert ask("positions_valid", {"format": "slide_1x3", "layout": rows}) is None
    assert "left are not" in ask("positions_valid", {"format": "96", "layout": rows})


def test_a_position_is_given_once_unless_everything_in_it_is_pooled() -> None:
    once = [{"position": "A01"}, {"position": "A02"}]
    pooled = [{"position": "A01", "pooled": True}, {"position": "A01", "pooled": True}]
    half = [{"position": "A01", "pooled": True}, {"position": "A01"}]
    assert ask("positions_once", {"layout": once}) is None
    assert ask("positions_once", {"layout": pooled}) is None
    assert ask("positions_once", {"layout": half}) == "Position A01 is given once, unless pooled."


def test_a_sample_names_its_specimen_and_an_empty_position_none() -> None:
    sample, empty = {"position": "A01", "role": "sample"}, {"position": "A02", "role": "empty"}
    held = {"specimen": link("SMP-1")}
    assert ask("layout_filled", {"layout": [sample | held, empty]}) is None
    assert "missing: A01" in ask("layout_filled", {"layout": [sample, empty]})
    assert "A02 does" in ask("layout_filled", {"layout": [sample | held, empty | held]})


def test_a_critical_container_has_a_control_of_each_kind_and_as_many_as_are_asked_for() -> None:
    both = [{"role": "pos_control"}, {"role": "neg_control"}]
    assert ask("controls_present", {"layout": []}) is None
    assert ask("controls_present", {"critical": True, "layout": both}) is None
    said = ask("controls_present", {"critical": True, "negative_controls": 2, "layout": both[1:]})
    assert said == ("The layout has 1 pos control (there are 0) and 2 neg control (there are 1).")


def test_specimens_are_at_hand_in_date_and_not_on_hold() -> None:
    good = row("SMP-1", {"expires": "2026-11-21"}, "in_storage")
    assert ask("specimens_usable", reads={"specimens": (good,)}) is None
    for bad, said in (
        (row("SMP-2", {}, "quarantined"), "at hand (it is quarantined)"),
        (row("SMP-3", {"expires": "2026-11-20"}, "in_use"), "Specimen expired 2026-11-20 (SMP-3)"),
        (row("SMP-4", {}, "received", blockers=(Blocker("HLD-1", "", ""),)), "not on hold (HLD-1)"),
    ):
        assert said in ask("specimens_usable", reads={"specimens": (good, bad)})


def test_a_layout_is_counted_from_one() -> None:
    assert ask("next_layout_version", {}) == 1
    assert ask("next_layout_version", {"layout_version": 4}) == 5


# --- microscope QC ---------------------------------------------------------------------------------


def check(value: str, **limits: str) -> dict[str, Any]:
    return {"checks": [{"check": "flatness", "value": value} | limits]}


@pytest.mark.parametrize("value", ["0.4", "0.5", "0.6"])
def test_values_at_their_limits_are_within_them(value: str) -> None:
    assert ask("qc_within_limits", check(value, low="0.4", high="0.6")) is None


@pytest.mark.parametrize("value", ["0.39", "0.61", "-1"])
def test_values_beyond_their_limits_are_named(value: str) -> None:
    said = ask("qc_within_limits", check(value, low="0.4", high="0.6"))
    assert said == f"Every value is within its limits (flatness: {value} is outside 0.4–0.6)."


def test_every_check_has_limits_in_order() -> None:
    assert ask("qc_limits_stated", check("1", low="0")) is None
    assert "has a limit" in ask("qc_limits_stated", check("1"))
    assert "in order" in ask("qc_limits_stated", check("1", low="2", high="1"))


def test_a_check_was_done_and_the_next_is_due_after_it() -> None:
    dates = {"performed_on": "2026-11-21", "next_due": "2026-11-22"}
    assert ask("qc_dates_in_order", dates) is None
    assert "not past" in ask("qc_dates_in_order", dates | {"performed_on": "2026-11-22"})
    assert "due after" in ask("qc_dates_in_order", dates | {"next_due": "2026-11-21"})


def qc(number: str, on: str, state: str, due: str = "2026-11-21") -> Row:
    return row(number, {"instrument": link("INS-1"), "performed_on": on, "next_due": due}, state)


def current(*checks: Row, frequency: str = "daily") -> Any:
    instrument = row("INS-1", {"qc_frequency": frequency})
    return ask("qc_current", reads={"instrument": (instrument,)}, children={"checks": checks})


def test_an_instrument_without_qc_is_not_asked_for_it() -> None:
    assert current(frequency="none") is None
    assert ask("qc_current", reads={"instrument": (row("INS-1"),)}, children={"checks": ()}) is None
    assert current() == "INS-1 has no microscope QC that passed."


@pytest.mark.parametrize("state", ["passed", "reviewed"])
def test_qc_that_passed_holds_until_its_due_day(state: str) -> None:
    assert current(qc("MQC-1", "2026-11-20", state)) is None
    late = qc("MQC-1", "2026-11-19", state, "2026-11-20")
    assert current(late, frequency="none") == "INS-1 microscope QC was due 2026-11-20."


def test_what_came_after_the_last_good_check_counts_and_what_came_before_does_not() -> None:
    good = qc("MQC-2", "2026-11-20", "passed")
    assert current(good, qc("MQC-1", "2026-11-19", "failed")) is None
    assert current(good, qc("MQC-3", "2026-11-21", "failed")) == (
        "INS-1 failed its microscope QC on 2026-11-21."
    )
    assert current(good, qc("MQC-3", "2026-11-20", "performed")) == "MQC-3 of 2026-11-20 is decided."
    assert current(good, qc("MQC-3", "2026-11-20", "voided")) is None


# --- what a failed check measured ------------------------------------------------------------------

AT = {"instrument": link("INS-1")}


def session(number: str, ended: str = "", state: str = "completed") -> Row:
    fields = (
        AT | {"started_at": "2026-11-01T08:00:00Z"} | ({"ended_at": f"{ended}T09:00:00Z"} if ended else {})
    )
    return row(number, fields, state, "acquisition_session")


def affected(name: str, checks: Rows, sessions: Rows, controls: Rows = ()) -> list[str]:
    own = row("CAL-9", AT | {"performed_on": "2026-11-20"}, "reviewed")
    found = ask(
        name,
        own.fields,
        record=own,
        children={"checks": (*checks, own), "sessions": sessions, "controls": controls},
    )
    return [item["number"] for item in found]


def calibration(number: str, on: str, state: str, of: str = "INS-1") -> Row:
    return row(number, {"instrument": link(of), "performed_on": on}, state)


def test_everything_since_the_last_good_calibration_is_listed_that_day_included() -> None:
    sessions = (
        session("ACQ-1", "2026-11-09"),
        session("ACQ-2", "2026-11-10"),
        session("ACQ-3"),
        row("ACQ-4", AT, "prepared"),
    )
    good = calibration("CAL-1", "2026-11-10", "accepted")
    assert affected("affected_since_calibration", (good,), sessions) == ["ACQ-2", "ACQ-3"]


def test_without_a_good_calibration_before_everything_is_listed() -> None:
    sessions = (session("ACQ-1", "2020-01-01"),)
    others = (
        calibration("CAL-1", "2026-11-10", "failed"),
        calibration("CAL-2", "2026-11-21", "accepted"),  # later than the one that failed
        calibration("CAL-3", "2026-11-10", "accepted", "INS-2"),
    )
    assert affected("affected_since_calibration", others, sessions) == ["ACQ-1"]


def test_checks_since_then_are_listed_too_and_voided_ones_are_not() -> None:
    checks = (
        qc("MQC-1", "2026-11-09", "passed"),
        qc("MQC-2", "2026-11-10", "passed"),
        qc("MQC-3", "2026-11-12", "voided"),
    )
    good = calibration("CAL-1", "2026-11-10", "accepted")
    assert affected("affected_since_calibration", (good,), (), checks) == ["MQC-2"]
    passed = (qc("MQC-1", "2026-11-15", "reviewed"),)
    assert affected("affected_since_qc", passed, (session("ACQ-1", "2026-11-14"), session("ACQ-2"))) == [
        "ACQ-2"
    ]


def test_a_failed_calibration_always_opens_a_deviation_and_says_how_much_was_measured() -> None:
    own = row("CAL-9", {}, "reviewed", "calibration")
    fields = AT | {"performed_on": "2026-11-20"}
    places: dict[str, Rows] = {"instrument": (row("INS-1", {"location": "Room 9"}),)}
    (bare,) = ask("deviation_of_calibration", fields, record=own, reads=places)
    assert (bare["extent"], bare["place"], [i["number"] for i in bare["affected"]]) == (
        1,
        "Room 9",
        ["CAL-9"],
    )
    measured = fields | {"affected": [link("ACQ-1", "acquisition_session")]}
    (full,) = ask("deviation_of_calibration", measured, record=own, reads={"instrument": ()})
    assert full["title"] == "INS-1 failed its calibration on 2026-11-20"
    assert (full["extent"], full["place"], len(full["affected"])) == (3, "INS-1", 2)


def test_a_list_cut_short_is_never_passed_off_as_complete() -> None:
    fields = AT | {"performed_on": "2026-11-20"}
    few, many = (session("ACQ-1"),), (session("ACQ-1"),) * READ_AT_MOST
    for name in ("deviation_of_calibration", "deviation_of_qc"):
        (found,) = ask(name, fields, reads={"instrument": ()}, children={"sessions": many})
        assert found["what"].endswith(
            "The list is not complete: complete it from the sessions of the instrument."
        )
    (whole,) = ask("deviation_of_calibration", fields, reads={"instrument": ()}, children={"sessions": few})
    assert "not complete" not in whole["what"]


def test_a_failed_qc_opens_one_only_where_something_was_acquired() -> None:
    fields = AT | {"performed_on": "2026-11-20", "affected": [link("MQC-1", "microscope_qc")]}
    assert ask("deviation_of_qc", fields, reads={"instrument": ()}) == []
    fields["affected"].append(link("ACQ-1", "acquisition_session"))
    assert len(ask("deviation_of_qc", fields, reads={"instrument": ()})) == 1


# --- qualification ---------------------------------------------------------------------------------


def qualified(kind: str, state: str = "approved", of: str = "INS-1", on: str = "2026-11-10") -> Row:
    return row(f"QLF-{kind}", {"kind": kind, "subject": link(of), "approved_on": on}, state)


@pytest.mark.parametrize(
    ("kind", "before", "passes"),
    [
        ("IQ", (), True),
        ("MSA", (), True),
        ("OQ", (qualified("IQ"),), True),
        ("PQ", (qualified("IQ"), qualified("OQ")), True),
        ("OQ", (), False),
        ("OQ", (qualified("IQ", "reviewed"),), False),
        ("OQ", (qualified("IQ", of="INS-2"),), False),
        ("PQ", (qualified("IQ"),), False),
    ],
)
def test_installation_comes_before_operation_before_performance(
    kind: str, before: Rows, passes: bool
) -> None:
    fields = {"kind": kind, "subject": link("INS-1")}
    said = ask("qualified_in_order", fields, children={"qualifications": before})
    assert (said is None) is passes


CASE = {"case": "1", "step": "On.", "expected": "On."}
FAILED = CASE | {"actual": "Off.", "outcome": "fail"}
PASSED = CASE | {"actual": "On.", "outcome": "pass", "evidence_note": "Photograph"}


def kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Any:
    return ask("executed_cases_kept", {"test_cases": after}, record=row("QLF-1", {"test_cases": before}))


def test_a_case_is_recorded_once_and_executed_again_as_another_row() -> None:
    assert kept([CASE], [FAILED]) is None
    assert kept([FAILED], [FAILED, PASSED]) is None
    assert "was recorded and is locked" in kept([FAILED], [PASSED])
    assert "Test cases stay" in kept([CASE, CASE], [CASE])
    assert "stays as planned" in kept([CASE], [CASE | {"expected": "Off."}])
    assert "not in the plan" in kept([CASE], [CASE, CASE | {"case": "2"}])


def test_a_pass_says_what_was_seen_and_shows_it() -> None:
    assert ask("passes_have_evidence", {"test_cases": [PASSED, FAILED, CASE]}) is None
    for missing in ("actual", "evidence_note"):
        bare = {k: v for k, v in PASSED.items() if k != missing}
        assert "before a case passes (1)" in ask("passes_have_evidence", {"test_cases": [bare]})


def test_who_recorded_and_when_is_stamped_and_never_sent() -> None:
    forged = PASSED | {"executed_by": link("bob"), "executed_at": "2020-01-01T00:00:00Z"}
    (stamped,) = ask("cases_stamped", {"test_cases": [forged], "recorder": link(ANN)}, record=row("QLF-1"))
    assert (stamped["executed_by"]["number"], stamped["executed_at"]) == (ANN, NOW)
    old = FAILED | {"executed_by": link("bob"), "executed_at": "2026-11-20T00:00:00Z"}
    before = row("QLF-1", {"test_cases": [old]})
    both = ask("cases_stamped", {"test_cases": [old, PASSED], "recorder": link(ANN)}, record=before)
    assert [c["executed_by"]["number"] for c in both] == ["bob", ANN]


def test_every_case_is_executed_and_passes_in_the_end() -> None:
    assert ask("cases_executed", {"test_cases": [PASSED, FAILED]}) is None
    assert "open: 1" in ask("cases_executed", {"test_cases": [PASSED, CASE]})
    assert ask("cases_pass", {"test_cases": [FAILED, PASSED]}) is None
    assert "failed: 1" in ask("cases_pass", {"test_cases": [PASSED, FAILED]})


def test_a_plan_carries_no_results() -> None:
    assert ask("nothing_recorded_yet", {"test_cases": [CASE]}) is None
    assert "carries no results (1)" in ask("nothing_recorded_yet", {"test_cases": [PASSED]})


def service(*qualifications: Row, criticality: str = "", work: Rows = ()) -> Any:
    own = row("INS-1", {"criticality": criticality} if criticality else {})
    children = {"qualifications": qualifications, "maintenance": work}
    return ask("instrument_qualified", own.fields, record=own, children=children)


def test_a_critical_instrument_is_qualified_and_another_need_not_be() -> None:
    full = tuple(qualified(kind) for kind in ("IQ", "OQ", "PQ"))
    assert service() is None
    assert service(criticality="gxp_supporting") is None
    assert service(*full, criticality="gxp_critical") is None
    assert service(*full[:2], criticality="gxp_critical") == "PQ of INS-1 is approved."
    assert service(criticality="gxp_critical") == "IQ, OQ, PQ of INS-1 are approved."


def test_what_maintenance_asks_for_is_qualified_again_after_it() -> None:
    work = row("MNT-1", {"requalification": "needed", "finished_on": "2026-11-11"}, "verified")
    assert service(work=(work,)) == "INS-1 is qualified again after MNT-1."
    assert service(qualified("requal"), work=(work,)) is not None  # approved before the work
    assert service(qualified("requal", on="2026-11-11"), work=(work,)) is None
    spared = row("MNT-1", {"requalification": "not_needed", "finished_on": "2026-11-11"}, "verified")
    assert service(work=(spared, replace(work, state="done"))) is None


# --- annotations -----------------------------------------------------------------------------------

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], ["1.5", 1], [0, 0]]]}


@pytest.mark.parametrize(
    "drawn",
    [
        SQUARE,
        {"type": "Point", "coordinates": [1, "2.25"]},
        {"type": "Feature", "geometry": SQUARE},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": SQUARE}]},
        {"type": "GeometryCollection", "geometries": [SQUARE]},
    ],
)
def test_geojson_is_a_geometry(drawn: dict[str, Any]) -> None:
    assert ask("geometry_drawn", {"geometry": drawn}) is None


@pytest.mark.parametrize(
    "drawn",
    [
        {},
        {"type": "Circle", "coordinates": [1, 2]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["one", "two"]},
        {"type": "Point", "coordinates": [True, False]},
        {"type": "Point"},
        {"type": "FeatureCollection", "features": []},
        {"type": "FeatureCollection", "features": [1]},
    ],
)
def test_what_is_no_geojson_is_no_geometry(drawn: dict[str, Any]) -> None:
    assert "GeoJSON" in ask("geometry_drawn", {"geometry": drawn})


def test_a_mask_stands_for_a_geometry_and_one_of_them_is_given() -> None:
    assert ask("geometry_drawn", {"mask": {"name": "m.png"}}) is None
    assert ask("geometry_drawn", {}) == "A geometry or a mask is given."


def test_a_derived_image_is_annotated_with_the_raw_image_it_was_made_from() -> None:
    raw, other = row("IMG-1", {"kind": "raw"}), row("IMG-3", {"kind": "raw"})
    derived = row("IMG-2", {"kind": "derived", "parents": [link("IMG-1")]})

    def pinned(image: Row, *raws: Row) -> Any:
        return ask("raw_referenced", reads={"image": (image,), "raw": raws})

    assert pinned(raw) is None
    assert pinned(derived, raw) is None
    assert pinned(derived) == "Raw image is required: IMG-2 is derived."
    assert "IMG-3 is a raw image" in pinned(derived, other)
    assert pinned(derived, derived) is not None


# --- runs beyond the plan --------------------------------------------------------------------------

SET, MTH = link("SET-1"), link("MTH-1")


def more_run(n: int, **fields: Any) -> Row:
    return row(f"RUN-{n}", {"image_set": SET, "method": MTH} | fields, "queued")


def permitted(own: Row, *others: Row, **reads: Row) -> Any:
    known: dict[str, Rows] = {
        "method": (row("MTH-1", {"permitted_runs": 1}),),
        "image_set": (row("SET-1"),),
        "request": (),
        "original": (),
        "oos": (),
    }
    children = {"runs": (own, *others), "requested": (own, *others), "retests": (own, *others)}
    given = known | {name: (found,) for name, found in reads.items()}
    return ask("run_permitted", own.fields, record=own, reads=given, children=children)


def test_a_request_is_good_for_one_run_on_the_images_it_names() -> None:
    asked, original = row("RPR-1", {}, "executed"), row("RUN-0", {"image_set": SET}, "failed")
    own = more_run(2, request=link("RPR-1"))
    assert permitted(own, request=asked, original=original) is None
    assert (
        permitted(own, more_run(3), request=asked, original=original)
        == "RPR-1 permits one run, which is RUN-3."
    )
    elsewhere = row("RUN-0", {"image_set": link("SET-2")}, "failed")
    assert "on the image set of RUN-0" in permitted(own, request=asked, original=elsewhere)


def test_retests_are_as_many_as_the_plan_fixed() -> None:
    plan = row("OOS-1", {"retest_number": 2}, "phase2")
    own = more_run(3, oos=link("OOS-1"))
    assert permitted(own, more_run(2), oos=plan) is None
    assert permitted(own, more_run(1), more_run(2), oos=plan) == ("Plan allows 2; this is number 3 (OOS-1).")


def test_runs_permitted_beside_the_plan_do_not_use_it_up() -> None:
    own = more_run(2)
    assert permitted(own, more_run(1, request=link("RPR-1")), more_run(0, oos=link("OOS-1"))) is None
    assert permitted(own, more_run(1)) is not None


def test_retests_are_made_by_the_analyst_the_plan_names() -> None:
    plan = row("OOS-1", {"other_analyst": link(ANN)})
    assert ask("retest_by_analyst_named", reads={"oos": (plan,)}) is None
    assert ask("retest_by_analyst_named", reads={"oos": (plan,)}, actor="bob") == (
        f"Retests of OOS-1 are made by {ANN}."
    )
    assert ask("retest_by_analyst_named", reads={"oos": ()}, actor="bob") is None


def test_a_reviewer_is_enough_unless_results_are_final_or_out_of_limits() -> None:
    def alone(*results: Row) -> Any:
        return ask("reviewer_is_enough", reads={"results": results})

    assert alone() is None
    assert alone(row("RES-1", {"rows": [{"status": "within"}]}, "provisional")) is None
    assert "because RES-1 is final" in alone(row("RES-1", {}, "final"))
    out = row("RES-1", {"rows": [{"status": "out_of_limits"}]}, "provisional")
    assert "because RES-1 is out of limits" in alone(out)


# --- OOS and reports -------------------------------------------------------------------------------


def test_phase_1_looks_at_every_point() -> None:
    full = [{"check": name} for name in CHECKS]
    assert ask("phase1_complete", {"phase1": full}) is None
    assert "open: sample id)" in ask("phase1_complete", {"phase1": full[1:]})


def test_retests_are_planned_for_somebody_else() -> None:
    run = row("RUN-1", people={"create": ["bob"], "signed_executed": ["eve"]})
    assert ask("other_analyst_named", {"other_analyst": link(ANN)}, reads={"run": (run,)}) is None
    for same in ("bob", "eve"):
        said = ask("other_analyst_named", {"other_analyst": link(same)}, reads={"run": (run,)})
        assert said == "Retests are done by somebody other than who executed RUN-1."
    assert "is named" in ask("other_analyst_named", reads={"run": (run,)})


def test_results_are_reported_one_by_one() -> None:
    single = {"individual_results": [{"kind": "retest"}]}
    assert ask("results_individual", single) is None
    mixed = {"individual_results": [{"kind": "retest"}, {"kind": "average"}]}
    said = ask("results_individual", mixed, record=row("OOS-1"))
    assert said == "Averaging hides an OOS; report individual values (see OOS-1)."


def test_as_many_retests_are_done_decided_and_reported_as_were_planned() -> None:
    def done(*runs: Row, reported: int = 1) -> Any:
        fields = {"retest_number": 1, "individual_results": [{"kind": "retest"}] * reported}
        return ask("retests_as_planned", fields, children={"runs": runs})

    assert done(row("RUN-1", {}, "accepted")) is None
    assert done(row("RUN-1", {}, "rejected"), row("RUN-2", {}, "failed")) is None
    assert "open: RUN-1" in done(row("RUN-1", {}, "running"))
    assert "(0 were done)" in done()
    assert "(2 were done)" in done(row("RUN-1", {}, "accepted"), row("RUN-2", {}, "accepted"))
    assert "0 of 1 are" in done(row("RUN-1", {}, "accepted"), reported=0)


def test_a_laboratory_error_has_an_assignable_cause() -> None:
    error = {"conclusion": "lab_error_invalidated"}
    assert ask("cause_for_invalidation", {"conclusion": "confirmed_oos"}) is None
    assert ask("cause_for_invalidation", error | {"assignable_cause": "yes", "cause": "Swapped."}) is None
    for lacking in ({"assignable_cause": "no", "cause": "Swapped."}, {"assignable_cause": "yes"}):
        assert "only with an assignable cause" in ask("cause_for_invalidation", error | lacking)


def test_a_later_version_of_a_report_names_the_one_it_replaces() -> None:
    first, second = row("REP-1", revision=1), row("REP-1", revision=2)

    def named(own: Row, *replaced: Row) -> Any:
        return ask("replaced_version_named", record=own, reads={"replaces": replaced})

    assert named(first) is None
    assert named(second, first) is None
    assert named(second) == "The earlier version of REP-1 that this one replaces is named."
    assert named(second, row("REP-2", revision=1)) is not None
    assert named(first, second) is not None
