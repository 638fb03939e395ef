"""When something happened stands beside when it was recorded, and never replaces it."""

from __future__ import annotations

import datetime as dt

import pytest

from coverslip.kernel import history
from coverslip.kernel.change import Change
from fix_lab import Lab, refused


def _ago(minutes: float) -> str:
    at = dt.datetime.now(dt.timezone(dt.timedelta(hours=-5))) - dt.timedelta(minutes=minutes)
    return at.isoformat()


def _new(lab: Lab, when: str, reason: str = "") -> str:
    change = Change(
        "create", type="document_sop", fields={"title": "Late", "criticality": "gxp"}, reason=reason,
        occurred_at=when,
    )  # fmt: skip
    return lab.aurel.submit(change).entries[0].number


def test_up_to_a_quarter_of_an_hour_is_no_late_entry(lab: Lab) -> None:
    row = lab.row(_new(lab, _ago(10)))
    assert row.content["occurred_at"].endswith("Z") and "late" not in row.content


def test_a_late_entry_needs_a_reason_and_is_marked_for_ever(lab: Lab) -> None:
    with refused("REASON"):
        _new(lab, _ago(40))
    number = _new(lab, _ago(40), "The network was down at the bench.")
    assert lab.row(number).content["late"] is True
    lab.aurel.do(number, "edit", why="A better title was found.", title="Later")
    assert "late" not in lab.row(number).content
    trail = history.trail(lab.history(number))
    assert [(line["late"], bool(line["occurred_at"])) for line in trail] == [(True, True), (False, False)]
    assert trail[0]["at"] > trail[0]["occurred_at"]


@pytest.mark.parametrize(
    "given",
    ["2026-11-20T10:00:00", "yesterday", "2026-13-40T00:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_an_instant_without_offset_or_form_is_refused(lab: Lab, given: str) -> None:
    with refused("VAL_FORM"):
        _new(lab, given, "A reason that is long enough.")


def test_nothing_happened_in_the_future(lab: Lab) -> None:
    with refused("VAL_RANGE"):
        _new(lab, _ago(-5), "A reason that is long enough.")
