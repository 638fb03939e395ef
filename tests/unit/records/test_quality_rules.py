"""Rules of deviations, nonconformities, inspections, CAPA, changes and incidents, both ways."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.records import all_types
from coverslip.records.quality import _sampling
from coverslip.records.quality._severity import CLASSES, MATRIX, class_of
from coverslip.records.quality.change import AREAS
from coverslip.review.recurrence import recurrence_gatherer
from fix_rules import ANN, BOB, NOW, ask, link, row

TODAY = NOW[:10]
all_types()  # which registers their rules

# --- the severity matrix ---------------------------------------------------------------------------

_PRINTED = """
Minor Minor Minor Minor Major
Minor Minor Minor Major Major
Minor Major Major Major Critical
Major Major Critical Critical Critical
Critical Critical Critical Critical Critical
"""
"""DOMAIN 8.6 as printed: consequence downwards, extent to the right."""
_CELLS = [
    (consequence, extent, cell.lower())
    for consequence, line in enumerate(_PRINTED.split("\n")[1:6], 1)
    for extent, cell in enumerate(line.split(), 1)
]


@pytest.mark.parametrize(("consequence", "extent", "severity"), _CELLS)
def test_every_cell_gives_the_class_that_is_printed(consequence: int, extent: int, severity: str) -> None:
    fields = {"consequence": consequence, "extent": extent}
    assert ask("severity_class", fields) == severity
    assert ask("due_by_class", fields) == {"minor": "2027-01-20"}.get(severity, "2026-12-21")


def test_the_matrix_has_five_by_five_cells_and_never_falls() -> None:
    assert len(_CELLS) == 25
    assert [len(line) for line in MATRIX] == [5] * 5
    for line in (*MATRIX, *zip(*MATRIX, strict=True)):
        assert list(line) == sorted(line)


@pytest.mark.parametrize(("consequence", "extent", "severity"), _CELLS)
def test_facts_only_raise_a_class(consequence: int, extent: int, severity: str) -> None:
    fields = {"consequence": consequence, "extent": extent}
    level = CLASSES.index(severity)
    assert class_of(fields | {"identity_failure": True}) == "critical"
    assert CLASSES.index(class_of(fields | {"data_integrity": True})) == max(level, 1)
    assert CLASSES.index(class_of(fields | {"shipped": True})) == min(level + 1, 2)
    assert class_of(fields | {"shipped": True, "data_integrity": True}) == "critical"
    assert (
        class_of(fields | dict.fromkeys(("shipped", "data_integrity", "identity_failure"), False)) == severity
    )


def test_days_to_close_are_counted_from_the_first_day() -> None:
    old = Row("x", "u", "DEV-1", 0, 1, 1, "open", "", "gmp", "", "", {}, created_at="2026-11-01T00:00:00Z")
    assert ask("due_by_class", {"consequence": 3, "extent": 3}, record=old) == "2026-12-01"


# --- cases -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "act"),
    [("owner", "Assign"), ("extended_to", "Extend"), ("consequence", "Classify"), ("shipped", "Classify")],
)
def test_what_has_an_act_of_its_own_is_not_edited(name: str, act: str) -> None:
    before = row("DEV-1", {name: "a", "what": "x"})
    assert ask("changed_by_its_act", {name: "a", "what": "y"}, record=before) is None
    assert f"act {act}" in ask("changed_by_its_act", {name: "b", "what": "x"}, record=before)


def test_what_is_reported_was_detected_before() -> None:
    assert ask("detected_before_now", {"detected_at": "2026-11-21T03:59:00Z"}) is None
    assert "is not past" in ask("detected_before_now", {"detected_at": "2026-11-21T04:01:00Z"})


@pytest.mark.parametrize("found", ["2026-11-20T00:00:00Z", "2026-11-21T03:00:00Z"])
def test_a_deviation_found_on_the_last_working_day_or_since_is_raised(found: str) -> None:
    fields = {"found_at": found, "occurred_at": "2026-11-02T00:00:00Z"}
    assert ask("found_within_a_working_day", fields) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("2026-11-19T23:00:00Z", "2026-11-19 is outside 2026-11-20–2026-11-21"),
        ("2026-11-21T05:00:00Z", "is not past"),
    ],
)
def test_a_discovery_is_neither_dated_back_nor_ahead(found: str, said: str) -> None:
    assert said in ask(
        "found_within_a_working_day", {"found_at": found, "occurred_at": "2026-11-02T00:00:00Z"}
    )


def test_nothing_is_found_before_it_happened() -> None:
    fields = {"found_at": "2026-11-20T10:00:00Z", "occurred_at": "2026-11-20T11:00:00Z"}
    assert ask("found_within_a_working_day", fields) == "What was found happened before it was found."


def test_a_planned_deviation_comes_before_the_fact() -> None:
    planned = {"kind": "planned", "starts_on": TODAY, "ends_on": "2026-12-01"}
    assert ask("planned_beforehand", planned) is None
    assert ask("planned_beforehand", {"kind": "unplanned"}) is None
    assert "began 2026-11-20" in ask("planned_beforehand", planned | {"starts_on": "2026-11-20"})
    assert "from when to when" in ask("planned_beforehand", {"kind": "planned", "starts_on": TODAY})
    assert "on or after" in ask("planned_beforehand", planned | {"ends_on": "2026-11-20"})


def test_a_planned_deviation_opened_again_was_approved_before_the_fact_already() -> None:
    fields = {"kind": "planned", "starts_on": "2026-11-01", "ends_on": "2026-12-01"}
    assert ask("planned_beforehand", fields, record=row("DEV-1", people={"reopen": [ANN]})) is None


def test_human_error_alone_is_no_root_cause() -> None:
    human = {"method": "five_why", "category": "human_error", "cause": "Forgot"}
    said = ask("cause_beyond_human_error", {"root_cause": [human, human]})
    assert said == "Human error needs a contributing cause."
    assert ask("cause_beyond_human_error", {"root_cause": [human, human | {"category": "procedure"}]}) is None


def test_every_record_affected_is_assessed() -> None:
    fields = {"affected": [link("a", "RUN-1"), link("b", "RUN-2")], "impact": [{"record": link("a")}]}
    assert "RUN-2" in ask("affected_assessed", fields)
    assert "RUN-1" not in ask("affected_assessed", fields)
    assert (
        ask("affected_assessed", fields | {"impact": [{"record": link("a")}, {"record": link("b")}]}) is None
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"severity": "minor"}, None),
        ({"severity": "major"}, "or the reason why none"),
        ({"severity": "major", "capa_decision": "A single unit."}, None),
        ({"severity": "major", "capa": link("c")}, None),
        ({"severity": "critical", "capa_decision": "No."}, "A critical class needs a CAPA."),
        ({"severity": "critical", "capa": link("c")}, None),
    ],
)
def test_a_class_asks_for_a_capa_or_a_decision(fields: dict[str, Any], said: str | None) -> None:
    found = ask("capa_by_class", fields)
    assert found is None if said is None else said in found


def test_a_critical_class_says_whether_an_authority_is_told_and_when_management_was() -> None:
    told = {"regulatory_assessment": "No report: nothing left the site.", "management_told_on": TODAY}
    assert ask("authority_assessed", {"severity": "critical", **told}) is None
    assert ask("authority_assessed", {"severity": "major"}) is None
    for name in told:
        fields = {"severity": "critical"} | {k: v for k, v in told.items() if k != name}
        assert "authority must be told" in ask("authority_assessed", fields)


# --- what blocks a release -------------------------------------------------------------------------

_BLOCKERS = [
    ("deviation", "major", "investigating", True),
    ("deviation", "critical", "verification", True),
    ("deviation", "minor", "open", False),
    ("deviation", "critical", "closed", False),
    ("deviation", "major", "cancelled", False),
    ("ncr", "minor", "open", True),
    ("ncr", "major", "executed", True),
    ("ncr", "critical", "closed", False),
    ("anomaly", "warn", "raised", True),
    ("anomaly", "critical", "assigned", True),
    ("anomaly", "info", "raised", False),
    ("anomaly", "critical", "answered", False),
    ("anomaly", "warn", "voided", False),
]


@pytest.mark.parametrize(("kind", "severity", "state", "blocks"), _BLOCKERS)
def test_what_is_severe_and_open_blocks_a_release(kind: str, severity: str, state: str, blocks: bool) -> None:
    child = row("X-1", {"severity": severity}, state=state, kind=kind)
    said = ask("nothing_open", children={"any": (child,), "again": (child,)})
    assert said is None if not blocks else said.endswith(f"settled: X-1 ({severity}) is {state}.")


# --- nonconformities and dispositions --------------------------------------------------------------

FIFTY = {"quantities": [{"item": "Box", "quantity": 30}, {"item": "Rest", "quantity": 20}]}


def _disposition(n: int, state: str = "executed", number: str = "MRB-1") -> Row:
    return row(number, {"lines": [{"item": "Box", "quantity": n, "action": "scrap"}]}, state=state)


def test_an_ncr_closes_when_every_piece_has_a_disposition() -> None:
    some = (_disposition(38),)
    assert ask("nothing_left_over", FIFTY, children={"dispositions": some}) == (
        "12 of 50 pieces have no disposition."
    )
    assert ask("nothing_left_over", FIFTY, children={"dispositions": (*some, _disposition(12))}) is None


@pytest.mark.parametrize("state", ["proposed", "voting", "withdrawn"])
def test_a_disposition_not_decided_disposes_of_nothing(state: str) -> None:
    said = ask("nothing_left_over", FIFTY, children={"dispositions": (_disposition(50, state),)})
    assert said == "50 of 50 pieces have no disposition."


def test_each_further_record_concerned_is_held_by_itself() -> None:
    assert ask("hold_of_each_subject", {}) == []
    found = ask("hold_of_each_subject", {"also_affected": [link("a"), link("b")]})
    assert found == [{"subject": link("a")}, {"subject": link("b")}]


@pytest.mark.parametrize(("n", "said"), [(50, None), (49, "49 of 50"), (51, "51 of 50")])
def test_lines_add_up_to_what_does_not_conform(n: int, said: str | None) -> None:
    lines = {"lines": [{"item": "Box", "quantity": n, "action": "scrap"}]}
    found = ask("lines_cover_the_ncr", lines, reads={"ncr": (row("NCR-1", FIFTY),)}, children={"others": ()})
    assert found is None if said is None else said in found


def test_what_was_decided_before_is_not_decided_again() -> None:
    reads = {"ncr": (row("NCR-1", FIFTY),)}
    children = {"others": (_disposition(38), _disposition(50, "withdrawn", "MRB-2"))}
    lines = {"lines": [{"item": "Box", "quantity": 12, "action": "sort"}]}
    assert ask("lines_cover_the_ncr", lines, reads=reads, children=children) is None
    lines["lines"][0]["quantity"] = 50
    assert ask("lines_cover_the_ncr", lines, reads=reads, children=children) == (
        "The lines cover 50 of 12 pieces of NCR-1."
    )


USE = {"lines": [{"item": "Box", "quantity": 50, "action": "use_as_is"}]}
SIGNED = row("MRB-1", people={"justify": [ANN]})


def test_use_as_is_needs_an_engineers_signed_justification() -> None:
    reads = {"ncr": (row("NCR-1", FIFTY),)}
    assert "An engineer justified" in ask("use_as_is_justified", USE, reads=reads, record=row("MRB-1"))
    assert ask("use_as_is_justified", USE, reads=reads, record=SIGNED) is None
    scrap = {"lines": [{"item": "Box", "quantity": 50, "action": "scrap"}]}
    assert ask("use_as_is_justified", scrap, reads=reads, record=row("MRB-1")) is None


def test_use_as_is_never_touches_safety_and_names_the_risk_file_of_a_device() -> None:
    safety = {"ncr": (row("NCR-1", {"safety_characteristic": True}),)}
    assert "never decided" in ask("use_as_is_justified", USE, reads=safety, record=SIGNED)
    device = {"ncr": (row("NCR-1", {"medical_device": True}),)}
    assert "risk file" in ask("use_as_is_justified", USE, reads=device, record=SIGNED)
    assert ask("use_as_is_justified", USE | {"risk_file": "RMF-7"}, reads=device, record=SIGNED) is None


@pytest.mark.parametrize("action", ["rework", "reprocess"])
def test_rework_follows_an_approved_instruction(action: str) -> None:
    fields = {"lines": [{"item": "Box", "quantity": 1, "action": action}]}
    for rows in ((), (row("WI-1", state="draft"),), (row("WI-1", state="superseded"),)):
        assert ask("rework_instructed", fields, reads={"instruction": rows}) == (
            "Rework follows an approved instruction."
        )
    assert ask("rework_instructed", fields, reads={"instruction": (row("WI-1", state="effective"),)}) is None
    sort = {"lines": [{"item": "Box", "quantity": 1, "action": "sort"}]}
    assert ask("rework_instructed", sort, reads={"instruction": ()}) is None


@pytest.mark.parametrize(
    ("action", "more", "state", "people", "said"),
    [
        ("rework", {}, "accepted", {}, None),
        ("rework", {}, "rejected", {}, "inspected again and accepted"),
        ("rework", {}, "", {}, "inspected again and accepted"),
        ("scrap", {}, "", {"witness": [BOB]}, None),
        ("scrap", {}, "", {}, "Somebody witnessed the destruction."),
        ("return_to_supplier", {"shipment": "RMA 4"}, "", {}, None),
        ("return_to_supplier", {}, "", {}, "The return shipment is named."),
        ("use_as_is", {}, "", {}, None),
    ],
)
def test_what_was_decided_is_carried_out_and_shown(
    action: str, more: dict[str, Any], state: str, people: dict[str, list[str]], said: str | None
) -> None:
    fields = {"lines": [{"item": "Box", "quantity": 1, "action": action}], **more}
    reads = {"reinspection": (row("INSP-2", state=state),) if state else ()}
    found = ask("carried_out", fields, record=row("MRB-1", people=people), reads=reads)
    assert found is None if said is None else said in found


# --- inspections -----------------------------------------------------------------------------------

WIDTH = {
    "code": "w",
    "name": "Width",
    "kind": "variable",
    "class_": "major",
    "low": "1.0",
    "high": "2.0",
    "unit": "mm",
}
CLEAN = {"code": "c", "name": "Clean", "kind": "attribute", "class_": "minor"}
ALIVE = {"code": "a", "name": "Identity", "kind": "attribute", "class_": "critical"}


def _plan(n: int, *characteristics: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "subject": link("s", "SMP-1"),
        "stage": "incoming",
        "lot_size": 100,
        "sample_size": n,
        "unit": "pieces",
        "characteristics": list(characteristics),
        "samples": [{"no": i, "unit": u} for i, u in enumerate(_sampling.draw("seed", 100, n), 1)],
        **more,
    }


def _read(fields: dict[str, Any], bad: int = 0, code: str = "c", **reading: Any) -> dict[str, Any]:
    """Return the plan with every sample read, the first ``bad`` of them bad."""
    rows = [
        {"sample": s["unit"], "characteristic": code, "passed": i >= bad, **reading}
        for i, s in enumerate(fields["samples"])
    ]
    return fields | {"readings": [*fields.get("readings", ()), *rows]}


def _shuffled(seed: str, lot: int, n: int) -> list[int]:
    """Draw as the method says, on the whole lot laid out: position k is exchanged with one behind it."""
    units = list(range(1, lot + 1))
    for k in range(n):
        digest = hashlib.sha256(f"coverslip-sample-v1\n{seed}\n{k}".encode()).hexdigest()
        j = k + int(digest, 16) % (lot - k)
        units[k], units[j] = units[j], units[k]
    return sorted(units[:n])


def test_the_same_seed_draws_the_same_sample_and_another_seed_another() -> None:
    assert _sampling.draw("a", 1000, 5) == _shuffled("a", 1000, 5) == [1, 60, 108, 198, 305]
    assert _sampling.draw("b", 60, 59) == _shuffled("b", 60, 59)
    assert _sampling.draw("a", 1000, 5) != _sampling.draw("b", 1000, 5)


@pytest.mark.parametrize(("lot", "n"), [(1, 1), (10, 10), (50, 13), (10_000_000, 200)])
def test_a_sample_has_different_units_of_the_lot(lot: int, n: int) -> None:
    drawn = _sampling.draw("seed", lot, n)
    assert len(set(drawn)) == n
    assert drawn == sorted(drawn)
    assert 1 <= drawn[0] <= drawn[-1] <= lot


def test_every_unit_is_drawn_about_equally_often() -> None:
    counts = [0] * 10
    for i in range(5000):
        for unit in _sampling.draw(str(i), 10, 3):
            counts[unit - 1] += 1
    assert all(1380 < n < 1620 for n in counts), counts


@pytest.mark.parametrize(("lot", "n"), [(5, 6), (5, 0)])
def test_more_than_the_lot_or_nothing_is_never_drawn(lot: int, n: int) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        _sampling.draw("a", lot, n)


def test_a_seed_belongs_to_its_record_and_moment_and_the_list_to_its_seed() -> None:
    seed = ask("sample_seed", record=row("INSP-1", uid="u1"))
    assert len(seed) == 64
    assert ask("sample_seed", record=row("INSP-1", uid="u2")) != seed
    found = ask("sample_list", {"seed": "a", "lot_size": 1000, "sample_size": 5})
    assert found[0] == {"no": 1, "unit": 1}
    assert [s["no"] for s in found] == [1, 2, 3, 4, 5]


def test_a_plan_fits_into_its_lot_and_gives_a_variable_a_limit() -> None:
    assert ask("plan_possible", _plan(5, WIDTH, CLEAN)) is None
    assert ask("plan_possible", _plan(5, WIDTH) | {"sample_size": 101}) == (
        "A sample of 101 cannot be drawn from 100."
    )
    assert "twice" in ask("plan_possible", _plan(5, CLEAN, CLEAN))
    bare = {k: v for k, v in WIDTH.items() if k not in ("low", "high")}
    assert "w has none" in ask("plan_possible", _plan(5, bare))


def test_nothing_is_complete_while_a_sample_is_missing() -> None:
    fields = _read(_plan(80, CLEAN))
    assert ask("every_sample_read", fields) is None
    fields["readings"].pop()
    assert ask("every_sample_read", fields) == "80 needed, 79 recorded."


def test_a_sample_counts_when_all_its_characteristics_are_read() -> None:
    fields = _read(_plan(3, CLEAN, ALIVE))
    assert ask("every_sample_read", fields) == "3 needed, 0 recorded."
    assert ask("every_sample_read", _read(fields, code="a")) is None


def test_only_what_was_drawn_is_read_once_and_as_its_kind_asks() -> None:
    fields = _read(_plan(3, CLEAN))
    assert ask("readings_of_drawn_samples", fields) is None
    one = fields["readings"][0]
    outside = next(u for u in range(1, 101) if u not in {s["unit"] for s in fields["samples"]})
    for extra, said in (
        (one | {"sample": outside}, f"Sample {outside} was not drawn."),
        (one | {"characteristic": "z"}, "z is not a characteristic"),
        (one, "has two readings of c"),
    ):
        assert said in ask("readings_of_drawn_samples", fields | {"readings": [*fields["readings"], extra]})
    silent = [{"sample": one["sample"], "characteristic": "c"}]
    assert "passed or not" in ask("readings_of_drawn_samples", fields | {"readings": silent})
    width = _read(_plan(1, WIDTH), code="w")
    assert "a value is given" in ask("readings_of_drawn_samples", width)


@pytest.mark.parametrize(("bad", "outcome"), [(0, "accept"), (2, "accept"), (3, "reject"), (10, "reject")])
def test_the_readings_decide_by_the_acceptance_number(bad: int, outcome: str) -> None:
    fields = _read(_plan(10, CLEAN, allowed_minor=2), bad)
    assert ask("inspection_outcome", fields) == outcome
    counts = {r["class_"]: (r["defectives"], r["allowed"]) for r in ask("inspection_counts", fields)}
    assert counts == {"critical": (0, 0), "major": (0, 0), "minor": (bad, 2)}


@pytest.mark.parametrize(
    ("value", "outcome"), [("1.0", "accept"), ("2.00", "accept"), ("0.999", "reject"), ("2.01", "reject")]
)
def test_a_value_on_its_limit_is_within(value: str, outcome: str) -> None:
    assert ask("inspection_outcome", _read(_plan(2, WIDTH), code="w", value=value)) == outcome


def test_the_worst_class_that_failed_says_the_consequence() -> None:
    fields = _read(_plan(4, CLEAN, ALIVE), bad=4)
    assert ask("inspection_consequence", fields) == 2
    assert ask("inspection_consequence", _read(fields, 1, "a")) == 4
    assert ask("inspection_consequence", _read(_plan(4, WIDTH), code="w", value="9")) == 3
    assert ask("inspection_consequence", _read(_plan(4, CLEAN))) == 1


def test_the_nonconformity_is_told_the_figures_and_concerns_the_whole_lot() -> None:
    fields = _read(_plan(4, CLEAN, allowed_minor=1), bad=2)
    assert "minor: 1 defective or fewer" in ask("inspection_requirement", fields)
    said = ask("inspection_finding", fields)
    assert "minor: 2 of 4" in said
    assert said.count("c: failed") == 2
    assert ask("inspection_quantity", fields) == [{"item": "SMP-1", "quantity": 100, "unit": "pieces"}]
    assert ask("inspection_title", fields) == "incoming inspection of SMP-1"
    many = _read(_plan(30, CLEAN), bad=30)
    assert "and 10 more" in ask("inspection_finding", many)


@pytest.mark.parametrize("state", ["accepted", "rejected"])
def test_what_was_decided_is_inspected_again_only_by_a_disposition(state: str) -> None:
    before = row("INSP-1", {"stage": "incoming"}, state=state)
    fields = {"stage": "incoming"}
    assert ask("not_decided_before", fields, children={"inspections": (before,)}) == (
        "This lot was decided (INSP-1). Re-inspection needs a disposition."
    )
    asked = fields | {"disposition": link("d")}
    assert ask("not_decided_before", asked, children={"inspections": (before,)}) is None
    assert ask("not_decided_before", {"stage": "final"}, children={"inspections": (before,)}) is None
    going_on = row("INSP-1", {"stage": "incoming"}, state="testing")
    assert ask("not_decided_before", fields, children={"inspections": (going_on,)}) is None
    assert ask("not_decided_before", fields, children={"inspections": (before,)}, record=before) is None


# --- CAPA ------------------------------------------------------------------------------------------

RETRAIN = {"chosen_actions": [{"action": "Train again", "kind": "retraining"}], "cause_code": "focus"}


def _earlier(*days: str) -> dict[str, Any]:
    return {"recurrences": {"items": [{"number": f"CAPA-{i}", "opened": d} for i, d in enumerate(days)]}}


def test_retraining_alone_does_not_answer_a_cause_that_came_back() -> None:
    assert ask("retraining_is_not_enough", RETRAIN) is None
    assert ask("retraining_is_not_enough", RETRAIN | _earlier("2026-05-01", "2025-11-21")) == (
        "This cause recurred 2× after retraining."
    )
    assert "recurred 1×" in ask("retraining_is_not_enough", RETRAIN | {"times_ineffective": 1})
    assert ask("retraining_is_not_enough", RETRAIN | _earlier("2025-11-20")) is None
    both = {"chosen_actions": [*RETRAIN["chosen_actions"], {"action": "Poka-yoke", "kind": "design"}]}
    assert ask("retraining_is_not_enough", both | _earlier("2026-05-01")) is None


class _Capas:
    """CAPAs as a reading gives them, two a page."""

    def __init__(self, *rows: Row) -> None:
        self.rows = rows

    def page(self, kind: str, state: str, text: str, cursor: str, limit: int) -> tuple[list[Row], str]:
        at = int(cursor or 0)
        return list(self.rows[at : at + 2]), str(at + 2) if at + 2 < len(self.rows) else ""


def test_a_cause_is_looked_for_among_all_capas_that_stood() -> None:
    design = {**RETRAIN, "chosen_actions": [{"action": "Guide", "kind": "design"}]}
    own = row("CAPA-9", RETRAIN)
    reading = _Capas(
        row("CAPA-1", RETRAIN, state="closed"),
        row("CAPA-2", RETRAIN, state="voided"),
        row("CAPA-3", RETRAIN, state="rejected"),
        row("CAPA-4", RETRAIN | {"cause_code": "other"}),
        row("CAPA-5", design),
        row("CAPA-6", RETRAIN, state="d6_implementation"),
        own,
    )
    found = recurrence_gatherer(reading)(own)
    assert [item["number"] for item in found["items"]] == ["CAPA-1", "CAPA-6"]
    assert recurrence_gatherer(reading)(row("CAPA-10")) == {"items": []}


def test_occurrence_escape_and_system_are_all_explained() -> None:
    rows = [{"aspect": a, "cause": "x"} for a in ("occurrence", "escape", "systemic")]
    assert ask("all_aspects_of_cause", {"root_cause": rows}) is None
    assert "systemic is missing" in ask("all_aspects_of_cause", {"root_cause": rows[:2]})


def test_effectiveness_is_judged_after_its_window_by_every_metric() -> None:
    assert ask("window_end", {"window_days": 30}) == "2026-12-21"
    assert ask("window_end", {}) == "2027-02-19"
    criterion = [{"metric": "a"}, {"metric": "b"}]
    met = [{"metric": "a", "met": True}, {"metric": "b", "met": True}]
    assert ask("result_for_every_metric", {"criterion": criterion, "result": met}) is None
    assert "missing: b" in ask("result_for_every_metric", {"criterion": criterion, "result": met[:1]})
    assert ask("criterion_met", {"result": met}) is None
    assert "not: a" in ask("criterion_met", {"result": [met[0] | {"met": False}, met[1]]})


def test_each_judgement_of_ineffective_is_counted() -> None:
    assert ask("one_more_ineffective", {"times_ineffective": 0}) == 1
    assert ask("one_more_ineffective", {"times_ineffective": 2}) == 3


# --- changes ---------------------------------------------------------------------------------------


def _impact(**effects: str) -> list[dict[str, Any]]:
    return [
        {
            "area": a,
            "effect": effects.get(a, "none"),
            **({"owner": link(BOB)} if a in effects else {"why": "Same."}),
        }
        for a in AREAS
    ]


def test_all_ten_areas_are_assessed() -> None:
    assert len(AREAS) == 10
    assert ask("impact_on_all_areas", {"impact": _impact()}) is None
    assert ask("impact_on_all_areas", {"impact": _impact(training="Two people")}) is None
    for area in AREAS:
        rows = [r for r in _impact() if r["area"] != area]
        said = ask("impact_on_all_areas", {"impact": rows})
        assert said == f"Say 'none' and why. Not assessed: {area.replace('_', ' ')}."


def test_none_says_why_and_an_effect_has_an_owner_who_is_not_the_author() -> None:
    rows = _impact(training="Two people")
    silent = [{k: v for k, v in r.items() if k != "why"} for r in rows]
    assert "Say 'none' and why. No reason: " in ask("impact_on_all_areas", {"impact": silent})
    unowned = [{k: v for k, v in r.items() if k != "owner"} for r in rows]
    assert "has an owner (none: training)" in ask("impact_on_all_areas", {"impact": unowned})
    assert "other than the author (training)" in ask("impact_on_all_areas", {"impact": rows}, actor=BOB)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "part"}, None),
        ({"kind": "configuration"}, "Say 'none' and why."),
        ({"kind": "configuration", "validation_outcome": "none"}, "Say 'none' and why."),
        ({"kind": "configuration", "validation_outcome": "none", "validation_reason": "A label."}, None),
        ({"kind": "computer_system", "validation_outcome": "document_only"}, None),
        (
            {"kind": "computer_system", "validation_outcome": "rerun_oq", "validation": []},
            "test cases to run again",
        ),
        (
            {"kind": "computer_system", "validation_outcome": "rerun_oq", "validation": [{"rerun": True}]},
            None,
        ),
    ],
)
def test_a_system_says_what_its_validation_suffers(fields: dict[str, Any], said: str | None) -> None:
    found = ask("validation_impact_stated", fields)
    assert found is None if said is None else said in found


def test_a_change_is_verified_after_its_test_cases_ran_again() -> None:
    ran = {"test_case": "OQ-1", "rerun": True, "evidence": "Report 4"}
    spared = {"test_case": "OQ-2", "rerun": False}
    assert ask("reruns_passed", {"validation": [ran, spared]}) is None
    assert "open: OQ-3" in ask("reruns_passed", {"validation": [ran, {"test_case": "OQ-3", "rerun": True}]})


def test_everybody_who_answers_for_an_area_reviews_it_and_nobody_else() -> None:
    rows = _impact(training="Two", security="One")
    assert ask("area_owners", {"impact": rows}) == [link(BOB)]
    owners = {"area_owners": [link(BOB, "USR-2"), link("cid", "USR-3")]}
    one = row("CHG-1", people={"review_area": [BOB]})
    assert "open: USR-3" in ask("areas_reviewed", owners, record=one)
    assert ask("areas_reviewed", owners, record=row("CHG-1", people={"review_area": [BOB, "cid"]})) is None
    assert ask("answers_for_an_area", owners, actor=BOB) is None
    assert ask("answers_for_an_area", owners, actor=ANN) is not None


# --- holds -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["open", "contained", "under_review", "disposition_proposed"])
def test_a_hold_is_not_lifted_while_its_nonconformity_is_undecided(state: str) -> None:
    ncr = row("NCR-1", kind="ncr", state=state)
    said = f"It is decided what becomes of {ncr.number}."
    assert ask("nonconformity_decided", {}, reads={"cause": [ncr]}, children={"opened": []}) == said
    assert ask("nonconformity_decided", {}, reads={"cause": []}, children={"opened": [ncr]}) == said


@pytest.mark.parametrize("state", ["dispositioned", "executed", "closed", "voided"])
def test_a_hold_is_lifted_once_its_nonconformity_is_decided(state: str) -> None:
    ncr = row("NCR-1", kind="ncr", state=state)
    other = row("INSP-1", kind="inspection", state="open")
    assert ask("nonconformity_decided", {}, reads={"cause": [ncr]}, children={"opened": []}) is None
    assert ask("nonconformity_decided", {}, reads={"cause": [other]}, children={"opened": [ncr]}) is None
    assert ask("nonconformity_decided", {}, reads={"cause": []}, children={"opened": []}) is None


def test_versions_of_a_change_come_together_only_when_all_are_ready() -> None:
    ready = row("SOP-1", {"effective_date": "2026-11-21"}, state="approved")
    assert ask("versions_ready", children={"sop": (ready,)}) is None
    later = row("SOP-2", {"effective_date": "2026-11-22"}, state="approved")
    draft = row("SOP-3", state="in_review")
    said = ask("versions_ready", children={"sop": (ready, later), "wi": (draft,)})
    assert "SOP-2 is for 2026-11-22" in said and "SOP-3 is in review" in said and "SOP-1" not in said
