"""Types over the interface: as they are in force, with what refines them, and a patch tried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fix_caller import Caller
from fix_lab import Lab

Api = Callable[[str], Caller]
LONGER = {"word": "raise_reason", "act": "edit", "minimum": 25}
CHECK = "/types/image_set/refinement/check"


def test_a_refined_type_says_what_changed_it_and_a_withdrawn_refinement_stays_named(
    lab: Lab, api: Api
) -> None:
    number = lab.aurel.create(
        "refinement", title="Longer reasons", record_type="image_set", patch={"steps": [LONGER]},
        rationale="Too short.", migration_note="None is affected.", test_evidence="Tried elsewhere.",
    )  # fmt: skip
    lab.aurel.do(number, "submit", sign=True)
    lab.quinn.do(number, "approve", sign=True)
    alan = api("alan")
    shown = alan.get("/types/image_set")
    assert shown["definition"] != shown["shipped"] and number in shown["migration_note"]
    assert shown["refinements"] == [
        {"number": number, "title": "Longer reasons", "in_force": True,
         "effect": ["asks a reason of 25 characters or more for 'edit'"]}
    ]  # fmt: skip
    listed = {t["name"]: t for t in alan.get("/types")}
    assert listed["image_set"]["refined_by"] == [number] and listed["image"]["refined_by"] == []
    lab.quinn.do(number, "withdraw", sign=True, why="The reasons are long enough by now.")
    after = alan.get("/types/image_set")
    assert [(one["number"], one["in_force"]) for one in after["refinements"]] == [(number, False)]
    assert after["version"] > shown["version"] and after["definition"] != shown["shipped"]


def test_a_patch_is_tried_without_a_trace(lab: Lab, api: Api) -> None:
    alan = api("alan")  # signing in is an entry
    before = lab.entries()
    found = alan.post(CHECK, {"patch": {"steps": [LONGER]}}).json()
    assert found["fits"] and found["problems"] == [] and found["version"] == found["before"] + 1
    assert lab.entries() == before


def test_what_is_no_patch_is_answered_with_its_problems(api: Api) -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"then": [deep]}
    for patch in ({}, {"steps": "all"}, {"steps": [deep]}, {"steps": [{"word": "remove"}]}, {"steps": [1]}):
        answer = api("alan").post(CHECK, {"patch": patch})
        assert answer.status_code in (200, 422), answer.text
        assert answer.status_code == 422 or (answer.json()["problems"] and not answer.json()["fits"])


def test_nobody_tries_anything_without_signing_in_or_on_a_type_that_is_not_there(api: Api) -> None:
    assert api("").post(CHECK, {"patch": {"steps": []}}).status_code == 401
    assert api("alan").post("/types/gone/refinement/check", {"patch": {}}).status_code == 404
