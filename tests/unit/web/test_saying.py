"""What changed is told by label, with names and times; what a condition asks for stands beside its field."""

from __future__ import annotations

import pytest

from coverslip.kernel import words as w
from coverslip.web import conditions
from coverslip.web.templating import changed, role, small, was

DECLARED = {"checks": w.Field(w.Text(), "Daily checks"), "title": w.Field(w.Text(), "Title")}
GUARDS: tuple[w.Guard, ...] = (
    w.When(
        w.Compare(("kind",), "eq", "unplanned"),
        (w.Compare(("found_at",), "present", message="When it was found is said."),),
    ),
    w.Compare(("study", "state"), "eq", "active", message="The study is active."),
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("title", "Title"),
        ("checks[0].check", "Daily checks, row 1, check"),
        ("settings.exposure_ms", "Settings, exposure ms"),
        ("created.by", "Created, by"),
    ],
)
def test_a_change_is_told_under_its_label(name: str, said: str) -> None:
    assert changed(name, DECLARED) == said


def test_old_and_new_are_told_as_people_read_them() -> None:
    assert was("2026-11-21T13:39:24.973893Z", "ended_at") == "2026-11-21 13:39:24.973893 UTC"
    assert was("in_review", "state") == "in review"
    assert was("0190-uid", "created.by", "0190-uid", "Alan Brandt") == "Alan Brandt"
    assert was("in_review", "title", "0190-uid", "Alan Brandt") == "in_review"


def test_a_condition_is_found_beside_the_field_it_asks_for() -> None:
    assert conditions.asked_for(GUARDS) == {"found_at"}
    assert conditions.beside(GUARDS, ["When it was found is said", "The study is active"]) == {
        "found_at": "Not met yet: When it was found is said"
    }


def test_a_title_is_small_within_a_sentence_and_an_abbreviation_stays() -> None:
    assert small("Deviation") == "deviation"
    assert small("CAPA") == "CAPA"


def test_a_role_is_told_by_its_name_and_what_has_none_as_it_stands() -> None:
    assert role("QA") == "Quality unit (QA)"
    assert role("study_director") == "study director"
