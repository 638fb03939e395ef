"""Retention of records as they stand in an installation: whose clocks count, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fix_caller import Caller
from fix_lab import Lab, refused
from fix_retention import EVENT, ended_study


def told(api: Callable[[str], Caller], number: str) -> Any:
    return api("quinn").get(f"/records/{number}/retention")


def test_a_study_waits_for_its_completion_and_says_so(lab: Lab, api: Callable[[str], Caller]) -> None:
    found = told(api, lab.n["study"])
    assert found["open"]
    assert found["sentence"].startswith("Open — waiting for: study completion date (58.195(b), STU-")
    assert found["rule_version"] == "1"


def test_a_completed_study_waits_for_submission_and_never_takes_a_default(
    lab: Lab, api: Callable[[str], Caller]
) -> None:
    study = ended_study(lab)
    assert "submission" in told(api, study)["sentence"]
    day = lab.row(study).fields["completed_on"]
    lab.quinn.do(study, "record_events", why="No application is planned.", retention_events=[
        EVENT | {"event": "no_submission", "on": day}
    ])  # fmt: skip
    found = told(api, study)
    assert found["keep_until"][:4] == str(int(day[:4]) + 2)
    assert f"study {study} completion date {day} + 2 y" in found["sentence"]


def test_a_day_that_is_not_in_the_calendar_is_refused(lab: Lab) -> None:
    study = ended_study(lab)
    with refused("SEQ_PRE") as caught:
        lab.quinn.do(study, "record_events", why="From the approval letter.", retention_events=[
            EVENT | {"event": "approval", "on": "2025-02-30"}
        ])  # fmt: skip
    assert "2025-02-30 is a day of the calendar" in caught[0].message


def test_what_was_made_for_a_study_is_kept_as_long_as_the_study(
    lab: Lab, api: Callable[[str], Caller]
) -> None:
    found = told(api, lab.n["session"])
    assert {clock["record"] for clock in found["clocks"]} == {lab.n["study"]}
    assert found["sentence"] == told(api, lab.n["study"])["sentence"]


def test_people_and_system_records_stay_open(lab: Lab, api: Callable[[str], Caller]) -> None:
    assert told(api, "USR-0001")["sentence"].startswith("Open — waiting for: end of employment; system")
    assert told(api, lab.n["instrument"])["sentence"].startswith("Open — waiting for: system retirement")


def test_a_study_may_name_another_class(lab: Lab, api: Callable[[str], Caller]) -> None:
    study = ended_study(lab, retention_class="DRUG")
    lab.quinn.do(study, "record_events", why="From the batch record.", retention_events=[
        EVENT | {"event": "expiry", "on": "2030-05"}
    ])  # fmt: skip
    found = told(api, study)
    assert found["sentence"] == f"Keep until 2031-05-31 — 211.180(a): study {study} expiry 2030-05-31 + 1 y"


def test_a_site_may_keep_longer_and_never_shorter(lab: Lab, api: Callable[[str], Caller]) -> None:
    study = ended_study(lab, retention_class="SUPP", site="SITE-01")
    lab.quinn.do(study, "record_events", why="From the batch record.", retention_events=[
        EVENT | {"event": "shelf_life", "on": "2030-05-31"}
    ])  # fmt: skip
    assert told(api, study)["keep_until"] == "2031-05-31"
    rule = {"class": "SUPP", "event": "shelf_life", "years": 10, "basis": "Policy POL-7"}
    lab.quinn.do(
        "SITE-01", "amend", sign=True, why="We keep longer than the law asks.", longer_retention=[rule]
    )
    longer = told(api, study)
    assert longer["keep_until"] == "2040-05-31"
    assert "SITE-01, Policy POL-7" in longer["sentence"]
    lab.quinn.do(
        "SITE-01", "amend", sign=True, why="A shorter rule is written down.",
        longer_retention=[rule | {"years": 0}],
    )  # fmt: skip
    assert told(api, study)["keep_until"] == "2031-05-31"


def test_the_due_list_has_what_is_over_and_nothing_else(lab: Lab, api: Callable[[str], Caller]) -> None:
    study = ended_study(lab)
    due = lambda: {r["number"] for r in api("quinn").get("/retention/due")["records"]}  # noqa: E731
    assert study not in due()
    lab.quinn.do(study, "record_events", why="From the approval letter.", retention_events=[
        EVENT | {"event": "approval", "on": "2020-01-31"}
    ])  # fmt: skip
    assert study in due()
    assert lab.n["study"] not in due()


@pytest.mark.parametrize("number", ["STU-1999-999", "nonsense"])
def test_retention_of_nothing_is_not_found(api: Callable[[str], Caller], number: str) -> None:
    assert api("quinn").request("GET", f"/records/{number}/retention").status_code == 404
