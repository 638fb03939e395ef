"""What is due is found by one query, and it is exactly what the declarations leave to a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row
from coverslip.worker.loop import Work
from fix_lab import TODAY, Lab

TOMORROW = (TODAY + dt.timedelta(days=1)).isoformat()


class Counting:
    """Reading that counts how often it is asked what is due."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.asked = lab, 0

    def due(self, timers: Sequence[tuple[str, str, str, str]], today: str, limit: int = 100) -> Any:
        self.asked += 1
        return self.lab.reading.due(timers, today, limit)


def one_by_one(lab: Lab, today: str) -> set[tuple[str, str]]:
    """Return what is due by asking for every type and state."""
    found = set()
    for definition in lab.door.catalogue:
        for transition in definition.type.transitions:
            if transition.at and "SVC" in transition.who:
                for state in expand(definition, transition.from_):
                    for row in lab.reading.in_state(definition.name, state, 1000):
                        date = str(row.fields.get(transition.at, ""))
                        if date and date[:10] <= today:
                            found.add((row.uid, transition.name))
    return found


def test_one_query_finds_what_asking_every_type_and_state_finds(lab: Lab) -> None:
    for days in (0, 3):
        sop = lab.new_sop(audience=["ROLE-MET"], effective_date=(TODAY + dt.timedelta(days=days)).isoformat())
        lab.approve_sop(sop)
    lab.grant(lab.number_of("nora"), "TRN", end=TODAY.isoformat())
    work = Work(lab.door, lab.reading, lab.service, lambda: TODAY.isoformat(), ())
    for today in (TODAY.isoformat(), TOMORROW, "2000-01-01", "2999-12-31"):
        found = lab.reading.due(work._timers, today)
        assert {(row.uid, act) for row, act in found} == one_by_one(lab, today)
        assert all(isinstance(row, Row) for row, _ in found)
    assert lab.reading.due(work._timers, "2000-01-01") == []
    assert len(one_by_one(lab, TODAY.isoformat())) >= 2


def test_the_worker_asks_once_for_everything_and_soon_again_for_what_waits(lab: Lab) -> None:
    counting = Counting(lab)
    sop = lab.new_sop(audience=["ROLE-MET"])
    lab.approve_sop(sop)
    work = Work(lab.door, counting, lab.service, lambda: TODAY.isoformat(), ())
    work.due()
    assert counting.asked == 1
    assert lab.row(sop).state == "approved", "the audience is not trained"
    assert (lab.row(sop, 1).uid, "make_effective") in work._waiting


def test_what_was_waited_for_long_ago_is_forgotten(lab: Lab) -> None:
    work = Work(lab.door, lab.reading, lab.service, lambda: "2000-01-01", ())
    work._waiting[("long-ago", "expire")] = 0.0
    work.due()
    assert work._waiting == {}


def test_what_a_past_day_did_not_bring_about_is_told_once_a_day_with_the_reason(lab: Lab) -> None:
    sop = lab.new_sop(criticality="gxp_critical")
    lab.approve_sop(sop)
    version = lab.row(sop)
    lab.quinn.create("hold", subject=f"{sop} v{version.revision}", reason="Held by quality for a check.")
    told: list[tuple[str, str, str]] = []
    work = lab.work()
    tomorrow = (TODAY + dt.timedelta(days=1)).isoformat()
    work.blocked = lambda row, act, why: told.append((row.label, act, why))
    work.due()
    assert told == [], "its day is not over"
    work.today = lambda: tomorrow
    work._waiting.clear()
    work.due()
    work._waiting.clear()
    work.due()
    mine = [(act, why) for label, act, why in told if label == f"{sop} v{version.revision}"]
    assert len(mine) == 1, mine
    assert mine[0][0] == "Bring into force" and "on hold" in mine[0][1]
