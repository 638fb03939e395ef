"""What a reviewer must look at is gathered from the ledger, and the review waits for an answer to it."""

from __future__ import annotations

from typing import Any

from fix_lab import Lab, refused


def gathered(lab: Lab, case: str) -> list[dict[str, Any]]:
    lab.rita.do(case, "start")
    items: list[dict[str, Any]] = lab.row(case).fields["exceptions"]["items"]
    return items


def test_a_clean_run_has_nothing_to_answer(lab: Lab) -> None:
    run, case = lab.new_review()
    items = [i for i in gathered(lab, case) if i["record"] == run]
    assert [i for i in items if i["severity"] != "info"] == []


def test_a_refused_attempt_on_the_run_is_shown_and_waits_for_an_answer(lab: Lab) -> None:
    run, case = lab.new_review()
    with refused("AUTH_ROLE"):
        lab.nora.do(run, "abort", why="I would like it to be gone.")
    items = gathered(lab, case)
    found = [i for i in items if i["record"] == run and "AUTH_ROLE" in i["sentence"]]
    assert [i["severity"] for i in found] == ["warn"]
    assert "Nora Nobody" in found[0]["sentence"]
    checklist = [{"question": "Are all images there?", "answer": "yes"}]
    others = [{"exception": i["key"], "answer": "Seen."} for i in items if i != found[0]]
    lab.rita.do(case, "answer", checklist=checklist, answers=others)
    with refused("SEQ_PRE") as caught:
        lab.rita.do(case, "technical", sign=True)
    assert "Every exception is answered" in caught[0].message
    answers = [*others, {"exception": found[0]["key"], "answer": "She has no role; nothing came of it."}]
    lab.rita.do(case, "answer", answers=answers)
    lab.open_items(case, lab.rita)
    lab.rita.do(case, "technical", sign=True)
    assert lab.row(run).state == "accepted"


def test_an_image_on_hold_below_the_run_is_critical(lab: Lab) -> None:
    run, case = lab.new_review()
    chosen = lab.row(run).fields["image_set"]["number"]
    image = lab.row(chosen).fields["members"][0]["number"]
    lab.vera.create("hold", subject=image, reason="The lamp was flickering.")
    items = gathered(lab, case)
    assert [(i["severity"], i["record"]) for i in items if "flickering" in i["sentence"]] == [
        ("critical", image)
    ]


def test_looking_again_calls_the_same_exception_the_same(lab: Lab) -> None:
    run, case = lab.new_review()
    items = gathered(lab, case)
    lab.rita.do(case, "gather_again")
    again = lab.row(case).fields["exceptions"]
    assert [i["key"] for i in again["items"]] == [i["key"] for i in items], "the same is called the same"
    assert run in again["scope"]
    assert lab.n["study"] in again["scope"]


def test_a_changed_subject_is_reviewed_again_from_the_start(lab: Lab) -> None:
    run, case = lab.new_review()
    lab.rita.do(case, "start")
    lab.rita.do(case, "return", why="The interpretation is missing altogether.")
    assert [lab.row(n).state for n in (run, case)] == ["completed", "returned"]
    lab.alan.do(run, "edit", why="The interpretation was asked for.", interpretation="As expected.")
    made = lab.alan.do(run, "submit", sign=True)
    second = next(e.number for e in made.entries if e.type == "review_case")
    items = gathered(lab, second)
    assert any(
        "Changed by Alan Analyst" in i["sentence"] and "interpretation" in i["sentence"] for i in items
    )
    with refused("SEQ_STATE"):
        lab.rita.do(case, "technical", sign=True)


def test_nobody_types_the_exceptions_of_a_case(lab: Lab) -> None:
    _, case = lab.new_review()
    lab.rita.do(case, "start")
    with refused("VAL_FORM"):
        lab.rita.do(case, "answer", exceptions={"items": []})
