"""The rule table: every rule with what ends it, what leaves it open, and the words a person reads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from coverslip.records._retention import CIRCUMSTANCES, EVENTS
from coverslip.retention.calendar import after, day_of
from coverslip.retention.computing import Held, answer, clocks
from coverslip.retention.rules import CLASSES, EVENTS as WORDS, TABLE, VERSION

OPEN = None
DAY = "2024-05-31"

# class, events, rule asked, until (None: open)
ROWS: tuple[tuple[str, dict[str, Any], str, str | None], ...] = (
    ("DRUG", {"expiry": DAY}, "RET-211-a", "2025-05-31"),
    ("DRUG", {"expiry": "2024-05"}, "RET-211-a", "2025-05-31"),
    ("DRUG", {}, "RET-211-a", OPEN),
    ("DRUG", {"expiry_exempt": DAY, "last_distribution": DAY}, "RET-211-a", "2027-05-31"),
    ("DRUG", {"expiry_exempt": DAY, "expiry": DAY}, "RET-211-a", OPEN),
    ("DRUG", {"last_distribution": DAY}, "RET-211-a", OPEN),
    ("DRUG", {"component": DAY, "expiry": DAY}, "RET-211-b", "2025-05-31"),
    ("DRUG", {"component": DAY, "expiry_exempt": DAY, "last_distribution": DAY}, "RET-211-b", "2027-05-31"),
    ("DRUG", {"component": DAY}, "RET-211-b", OPEN),
    ("DRUG", {"pet": DAY, "release": DAY}, "RET-212", "2025-05-31"),
    ("DRUG", {"pet": DAY}, "RET-212", OPEN),
    ("BLOOD", {"biologic": DAY, "completion": DAY, "expiry": "2030-01-31"}, "RET-600", "2030-07-31"),
    ("BLOOD", {"biologic": DAY, "completion": DAY, "expiry": DAY}, "RET-600", "2029-05-31"),
    ("BLOOD", {"biologic": DAY, "completion": DAY}, "RET-600", OPEN),
    ("BLOOD", {"processing_completed": DAY, "expiry": "2024-08-31"}, "RET-606", "2034-05-31"),
    ("BLOOD", {"processing_completed": DAY, "expiry": "2034-08-31"}, "RET-606", "2035-03-01"),
    ("BLOOD", {"processing_completed": DAY}, "RET-606", OPEN),
    ("BLOOD", {"processing_completed": DAY, "no_expiry": DAY}, "RET-606", OPEN),
    ("BLOOD", {"hctp": DAY, "creation": DAY, "administration": "2026-01-01"}, "RET-1271", "2036-01-01"),
    ("BLOOD", {"hctp": DAY, "creation": DAY}, "RET-1271", OPEN),
    ("DEVICE", {"release": DAY, "device_lifetime": 12}, "RET-820", "2026-05-31"),
    ("DEVICE", {"release": DAY, "device_lifetime": 60}, "RET-820", "2029-05-31"),
    ("DEVICE", {"release": DAY}, "RET-820", OPEN),
    ("DEVICE", {"device_lifetime": 12}, "RET-820", OPEN),
    ("DOC", {"obsolescence": DAY}, "RET-820-doc", DAY),
    ("DOC", {}, "RET-820-doc", OPEN),
    ("DEVICE", {"mdr_event": DAY, "event": DAY, "expected_life_end": "2029-01-01"}, "RET-803", "2029-01-01"),
    ("DEVICE", {"mdr_event": DAY, "event": DAY}, "RET-803", OPEN),
    ("DEVICE", {"correction_removal": DAY, "expected_life_end": DAY}, "RET-806", "2026-05-31"),
    ("DEVICE", {"correction_removal": DAY}, "RET-806", OPEN),
    ("DEVICE", {"tracked": DAY, "useful_life_end": DAY}, "RET-821", DAY),
    ("DEVICE", {"tracked": DAY}, "RET-821", OPEN),
    ("DEVICE", {"udi": DAY, "marketing_end": DAY}, "RET-830", "2027-05-31"),
    ("DEVICE", {"udi": DAY}, "RET-830", OPEN),
    ("SUPP", {"shelf_life": DAY}, "RET-111", "2025-05-31"),
    ("SUPP", {"no_shelf_life": DAY, "last_distribution": DAY}, "RET-111", "2026-05-31"),
    ("SUPP", {"last_distribution": DAY}, "RET-111", OPEN),
    ("FOOD", {"creation": DAY}, "RET-117-a", "2026-05-31"),
    ("FOOD", {}, "RET-117-a", OPEN),
    ("FOOD", {"equipment_or_process": DAY, "use_discontinued": DAY}, "RET-117-b", "2026-05-31"),
    ("FOOD", {"equipment_or_process": DAY}, "RET-117-b", OPEN),
    ("GLP", {}, "RET-58-1", OPEN),
    ("GLP", {"completion": DAY}, "RET-58-1", OPEN),
    ("GLP", {"completion": DAY, "no_submission": DAY}, "RET-58-1", "2026-05-31"),
    ("GLP", {"completion": DAY, "no_submission": DAY, "submission": DAY}, "RET-58-1", "2029-05-31"),
    ("GLP", {"submission": DAY}, "RET-58-1", "2029-05-31"),
    ("GLP", {"submission": DAY, "approval": "2025-01-01"}, "RET-58-1", "2027-01-01"),
    ("GLP", {"submission": DAY, "approval": "2028-01-01"}, "RET-58-1", "2029-05-31"),
    ("GLP", {"submission": DAY, "approval": "2025-01-01", "ind_ide": DAY}, "RET-58-1", "2029-05-31"),
    ("GLP", {"wet_specimen": DAY, "submission": DAY}, "RET-58-2", "2029-05-31"),
    ("GLP", {"wet_specimen": DAY}, "RET-58-2", OPEN),
    ("GLP", {"glp_facility": DAY, "submission": DAY}, "RET-58-3", "2029-05-31"),
    ("GLP", {"glp_facility": DAY}, "RET-58-3", OPEN),
    ("GLP", {"oecd": DAY, "national_period_end": DAY}, "RET-OECD", DAY),
    ("GLP", {"oecd": DAY}, "RET-OECD", OPEN),
    ("CLIN", {"approval": DAY}, "RET-312-s", "2026-05-31"),
    ("CLIN", {"discontinued": DAY, "fda_notified": "2024-06-30"}, "RET-312-s", "2026-06-30"),
    ("CLIN", {"discontinued": DAY}, "RET-312-s", OPEN),
    ("CLIN", {}, "RET-312-s", OPEN),
    ("CLIN", {"investigator": DAY, "approval": DAY}, "RET-312-i", "2026-05-31"),
    ("CLIN", {"investigator": DAY, "discontinued": DAY}, "RET-312-i", OPEN),
    ("CLIN", {"reserve_sample": DAY, "approval": DAY}, "RET-312-b", "2029-05-31"),
    ("CLIN", {"reserve_sample": DAY, "not_approved": DAY, "completion": DAY}, "RET-312-b", "2029-05-31"),
    ("CLIN", {"reserve_sample": DAY, "completion": DAY}, "RET-312-b", OPEN),
    ("CLIN", {"ide": DAY, "completion": DAY, "application_support_ended": DAY}, "RET-812", "2026-05-31"),
    ("CLIN", {"ide": DAY, "completion": DAY}, "RET-812", OPEN),
    ("CLIN", {"eu": True, "trial_end": DAY}, "RET-EU-ctr", "2049-05-31"),
    ("CLIN", {"eu": True}, "RET-EU-ctr", OPEN),
    ("PATH", {"report": DAY, "block": DAY}, "RET-493", "2034-05-31"),
    ("PATH", {"histology_slide": DAY}, "RET-493", "2034-05-31"),
    ("PATH", {"cytology_slide": DAY}, "RET-493", "2029-05-31"),
    ("PATH", {"block": DAY}, "RET-493", "2026-05-31"),
    ("PATH", {}, "RET-493", OPEN),
    ("DRUG", {"eu": True, "expiry": DAY, "certification": DAY}, "RET-EU-b", "2029-05-31"),
    ("DRUG", {"eu": True, "expiry": "2030-05-31", "certification": DAY}, "RET-EU-b", "2031-05-31"),
    ("DRUG", {"eu": True, "expiry": DAY}, "RET-EU-b", OPEN),
    ("DRUG", {"imp": DAY, "last_trial_ended": DAY}, "RET-EU-imp", "2029-05-31"),
    ("DRUG", {"imp": DAY}, "RET-EU-imp", OPEN),
    ("DRUG", {"supports_authorisation": DAY, "authorisation_end": DAY}, "RET-EU-ma", DAY),
    ("DRUG", {"supports_authorisation": DAY}, "RET-EU-ma", OPEN),
    ("DEVICE", {"eu": True, "last_placed_on_market": DAY}, "RET-EU-mdr", "2034-05-31"),
    ("DEVICE", {"eu": True, "last_placed_on_market": DAY, "implantable": DAY}, "RET-EU-mdr", "2039-05-31"),
    ("DEVICE", {"eu": True}, "RET-EU-mdr", OPEN),
    ("FOOD", {"traceability": DAY, "creation": DAY}, "RET-1-S", "2026-05-31"),
    ("FOOD", {"traceability": DAY}, "RET-1-S", OPEN),
    ("DSCSA", {"transaction": DAY}, "RET-FDC-582", "2030-05-31"),
    ("DSCSA", {}, "RET-FDC-582", OPEN),
    ("COSM", {"report": DAY}, "RET-FDC-605", "2030-05-31"),
    ("COSM", {"report": DAY, "small_business": DAY}, "RET-FDC-605", "2027-05-31"),
    ("COSM", {}, "RET-FDC-605", OPEN),
    ("PERS", {"employment_end": DAY}, "RET-E3", OPEN),
    ("PERS", {}, "RET-E3", OPEN),
    ("SYS", {}, "RET-11", OPEN),
    ("SYS", {"system_retirement": DAY}, "RET-11", DAY),
)


@pytest.mark.parametrize(
    ("class_", "events", "rule", "until"), ROWS, ids=[f"{r[2]}-{i}" for i, r in enumerate(ROWS)]
)
def test_each_rule_counts_from_its_events_and_from_nothing_else(
    class_: str, events: dict[str, Any], rule: str, until: str | None
) -> None:
    said = {c.rule: c for c in clocks(Held("batch", "LOT-0001", class_, events))}
    assert rule in said
    found = said[rule].until
    assert (found.isoformat() if found else None) == until
    assert said[rule].because


def test_every_rule_of_the_table_is_tried_open_and_ended() -> None:
    ended = {rule for _, _, rule, until in ROWS if until}
    left_open = {rule for _, _, rule, until in ROWS if not until}
    assert ended | {"RET-E3"} == set(TABLE)
    assert left_open == set(TABLE)


def test_every_class_names_known_rules_and_every_rule_has_a_class() -> None:
    assert {rule for rules in CLASSES.values() for rule in rules} == set(TABLE)


def test_what_people_may_enter_is_what_the_rules_ask() -> None:
    asked = {e for r in TABLE.values() for t in r.terms for e in (*t.events, t.lifetime) if e}
    circumstances = {
        e for r in TABLE.values() for e in (*r.where, *(n for t in r.terms for n in (*t.needs, *t.unless)))
    }
    otherwise = {"creation", "employment_end", "system_retirement", "obsolescence"}
    assert set(EVENTS) == asked - otherwise | {"no_submission"}
    assert set(CIRCUMSTANCES) == circumstances - set(EVENTS) - otherwise - {"eu"}
    assert asked | {"no_submission"} == set(WORDS)


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (
            Held("batch", "LOT-0001", "DRUG", {"expiry": "2030-05-31"}, name="24A17"),
            "Keep until 2031-05-31 — 211.180(a): batch 24A17 expiry 2030-05-31 + 1 y",
        ),
        (
            Held("study", "STU-2026-001", "GLP"),
            "Open — waiting for: study completion date (58.195(b), STU-2026-001)",
        ),
        (
            Held("study", "STU-2026-001", "GLP", {"completion": "2024-02-29", "no_submission": "2024-03-01"}),
            "Keep until 2026-03-01 — 58.195(b): study STU-2026-001 completion date 2024-02-29 + 2 y",
        ),
        (
            Held("unit", "U-1", "BLOOD", {"processing_completed": DAY, "no_expiry": DAY}),
            "Open — 606.160(d): kept indefinitely, for it has no expiry date",
        ),
        (
            Held("unit", "D-1", "DEVICE", {"release": DAY, "device_lifetime": 30}),
            "Keep until 2026-12-01 — 820.35, ISO 13485 4.2.5: unit D-1 release date 2024-05-31 + 30 months",
        ),
    ],
)
def test_the_reason_is_said_in_words(held: Held, sentence: str) -> None:
    found = answer(clocks(held))
    assert found.sentence == sentence
    assert found.version == VERSION


def test_no_class_is_open_and_says_so() -> None:
    found = answer(clocks(Held("note", "N-1", "")))
    assert found.until is None
    assert "a retention class of note N-1" in found.sentence


def test_nothing_at_all_is_an_error_and_never_an_answer() -> None:
    with pytest.raises(ValueError, match="no rule"):
        answer([])


@pytest.mark.parametrize(
    ("day", "years", "months", "later"),
    [
        ("2024-02-29", 1, 0, "2025-03-01"),
        ("2024-02-29", 4, 0, "2028-02-29"),
        ("2026-08-31", 0, 6, "2027-03-01"),
        ("2026-12-31", 0, 2, "2027-03-01"),
        ("2026-10-31", 0, 1, "2026-12-01"),
        ("2026-11-30", 0, 1, "2026-12-30"),
    ],
)
def test_a_day_that_is_not_there_becomes_the_first_of_the_month_after(
    day: str, years: int, months: int, later: str
) -> None:
    assert after(dt.date.fromisoformat(day), years, months).isoformat() == later


def test_a_negative_period_is_refused() -> None:
    with pytest.raises(ValueError, match="never negative"):
        after(dt.date(2026, 1, 1), -1)


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        ("2028-02", "", "2028-02-29"),
        ("2027-02", "", "2027-02-28"),
        ("2026-11-21T11:00:00Z", "", "2026-11-22"),
        ("2026-11-21T03:00:00Z", "America/New_York", "2026-11-20"),
        ("2026-11-21", "", "2026-11-21"),
    ],
)
def test_a_month_is_its_last_day_and_an_instant_the_latest_day_it_may_be(
    text: str, zone: str, day: str
) -> None:
    assert day_of(text, zone).isoformat() == day


def test_a_record_is_due_the_day_after() -> None:
    found = answer(clocks(Held("batch", "L", "SUPP", {"shelf_life": "2025-01-01"})))
    assert not found.over(dt.date(2026, 1, 1))
    assert found.over(dt.date(2026, 1, 2))
