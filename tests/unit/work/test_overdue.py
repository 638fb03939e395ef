"""What is overdue is told once per step, to those who could take it on, and to whose it is."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from coverslip.store.work_sql import PostgresWork
from coverslip.work import Overdue
from fix_lab import TODAY, Lab


def tell(lab: Lab, days: int) -> None:
    """Look at what is overdue as on a day from now."""
    today = (TODAY + dt.timedelta(days=days)).isoformat()
    reading = PostgresWork(lab.accounts._pool)
    Overdue(lab.door.catalogue, reading, lab.alerts(), lambda: today).do()


def told(lab: Lab, number: str) -> list[dict[str, Any]]:
    """Return the alerts about a record, in the order they were raised."""
    rows = [r for r in lab.reading.linked(lab.row(number).uid) if r.type == "alert"]
    return [r.fields for r in sorted(rows, key=lambda r: r.number) if r.fields["kind"] == "overdue"]


@pytest.fixture
def training(lab: Lab) -> str:
    sop = lab.new_sop()
    lab.approve_sop(sop)
    return lab.aurel.create(
        "training_record", person=lab.number_of("mia"), document=f"{sop} v1", depth="read_understood",
        due=TODAY.isoformat(),
    )  # fmt: skip


def test_each_step_is_told_once_however_often_it_is_looked_at(lab: Lab, training: str) -> None:
    for days, count in ((0, 0), (1, 1), (6, 1), (7, 2), (7, 2), (13, 2), (14, 3), (200, 3)):
        tell(lab, days)
        assert len(told(lab, training)) == count, days
    assert [a["severity"] for a in told(lab, training)] == ["notice", "warning", "critical"]
    assert "QAL" in told(lab, training)[-1]["recipients"]
    assert f"was due on {TODAY.isoformat()}" in told(lab, training)[0]["what"]


def test_what_is_found_late_is_told_at_the_step_it_has_reached(lab: Lab, training: str) -> None:
    tell(lab, 30)
    assert [a["severity"] for a in told(lab, training)] == ["critical"]


def test_nobody_is_told_of_what_was_done_in_time_or_rests(lab: Lab, training: str) -> None:
    lab.mia.do(training, "complete", sign=True)
    tell(lab, 30)
    assert told(lab, training) == []
