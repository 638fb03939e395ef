"""Rules that ask for a reason in words, for the request behind an exclusion, and for what was qualified."""

from __future__ import annotations

import pytest

from coverslip.kernel import rules
from coverslip.kernel.rules import RuleInput
from fix_rules import ANN, NOW, ask, link, row


@pytest.mark.parametrize(
    ("rule", "field", "enough"),
    [
        ("copy_purpose_said", "purpose", "Read beside the microscope."),
        (
            "repeated_for_a_reason",
            "reason",
            "The disk was full, so that the run ended before its last image.",
        ),
    ],
)
def test_a_reason_is_said_in_words_and_a_keyword_is_none(rule: str, field: str, enough: str) -> None:
    assert ask(rule, {field: enough}) is None
    assert "'print' is not a reason" in ask(rule, {field: "print"})
    assert ask(rule, {field: f"print{' ' * 60}it"}).startswith("Say why."), "spaces say nothing"
    assert ask(rule, {}) is not None
    told = rules.find(rule, 1)(RuleInput({field: "x"}, None, {}, {}, ANN, NOW))
    assert told.code == "REASON"


def test_an_image_that_was_analysed_is_excluded_by_a_request() -> None:
    used, open_ = row("SET-1", state="used"), row("SET-2", state="open")
    assert ask("excluded_by_request", children={"sets": ()}) is None
    assert ask("excluded_by_request", children={"sets": (open_,)}) is None
    assert ask("excluded_by_request", children={"sets": (open_, used)}) == (
        "Exclude through a reprocessing request (SET-1 was analysed with this image)."
    )
    assert ask("excluded_by_request", {"excluded_by": link("RPR-1")}, children={"sets": (used,)}) is None


@pytest.mark.parametrize("firmware", ["6.1", "Firmware 6.1"])
def test_firmware_is_what_the_last_qualification_names(firmware: str) -> None:
    old = row("QLF-1", {"software_versions": "5.0", "approved_on": "2025-01-01"}, state="approved")
    now = row(
        "QLF-2",
        {"software_versions": "Firmware 6.1, driver 2", "approved_on": "2026-01-01"},
        state="approved",
    )
    failed = row("QLF-3", {"software_versions": "9", "approved_on": "2026-02-01"}, state="failed")
    silent = row("QLF-4", {"approved_on": "2026-03-01"}, state="approved")
    found = {"qualifications": (old, now, failed, silent)}
    assert ask("firmware_qualified", {"firmware": firmware}, children=found) is None
    assert ask("firmware_qualified", {"firmware": "5.0"}, children=found) == (
        "Firmware 5.0 is not the qualified Firmware 6.1, driver 2; assess by change control."
    )
    assert ask("firmware_qualified", {"firmware": "5.0"}, children={"qualifications": (silent,)}) is None


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("none", "full", True),
        ("reader", "reader", True),
        ("reader", "full", True),
        ("full", "reader", False),
        ("reader", "none", False),
    ],
)
def test_an_amendment_does_not_unblind(before: str, after: str, kept: bool) -> None:
    study = row("STU-1", {"blinding": before})
    told = ask("blinding_kept", {"blinding": after, "unblinding_rule": "the end of scoring"}, record=study)
    assert told == (None if kept else "Unblinding needs the end of scoring and two signatures.")


def test_a_record_that_moved_on_under_review_is_stale() -> None:
    fields = {"subject": link("r") | {"version": 4}}
    found = RuleInput(fields, None, {"subject": (row("RUN-1", version=7),)}, {}, ANN, NOW)
    told = rules.find("scope_unchanged", 2)(found)
    assert told.code == "SIG_STALE"
    assert "3 new entries since you began; they are listed first" in told.sentence
