"""What arrives while somebody reviews makes the signing stale, says what came, and goes once it is read."""

from __future__ import annotations

import pytest

from fix_lab import Lab, refused

CHECKLIST = [{"question": "Are all images there?", "answer": "yes"}]


@pytest.fixture
def ready(lab: Lab) -> tuple[str, str]:
    """Return a run and its case, which Rita could sign at once."""
    run, case = lab.new_review()
    lab.rita.do(case, "start")
    _answer(lab, case)
    return run, case


def _answer(lab: Lab, case: str) -> None:
    items = lab.row(case).fields["exceptions"]["items"]
    answers = [{"exception": i["key"], "answer": "Seen."} for i in items]
    lab.rita.do(case, "answer", checklist=CHECKLIST, answers=answers)
    lab.open_items(case, lab.rita)


def test_with_nothing_new_it_may_be_signed(lab: Lab, ready: tuple[str, str]) -> None:
    _, case = ready
    assert lab.workspace().show(lab.row(case), lab.rita.context)["arrived"] == []
    lab.rita.do(case, "technical", sign=True)


def test_an_entry_on_a_linked_record_makes_the_signing_stale_until_it_was_looked_at(
    lab: Lab, ready: tuple[str, str]
) -> None:
    _, case = ready
    before = lab.workspace().position(lab.row(case))
    why = "The objectives were worded anew, their meaning is the same."
    lab.sam.do(lab.n["study"], "amend", sign=True, why=why, objectives="Worded anew, the same in meaning.")
    assert lab.workspace().position(lab.row(case)) != before
    with refused("SIG_STALE") as caught:
        lab.rita.do(case, "technical", sign=True)
    assert f"1 new entry since you began; they are listed first: {lab.n['study']} (1)" in caught[0].message
    came = lab.workspace().show(lab.row(case), lab.rita.context)["arrived"]
    assert [one["record"] for one in came] == [lab.n["study"]]
    newest = lab.workspace().trail(lab.row(case), lab.rita.context)["entries"]
    assert [e["record"] for e in newest if e["new"]] == [lab.n["study"]]
    lab.rita.do(case, "gather_again")
    _answer(lab, case)
    lab.rita.do(case, "technical", sign=True)


def test_a_refused_attempt_on_the_subject_makes_it_stale(lab: Lab, ready: tuple[str, str]) -> None:
    run, case = ready
    with refused("AUTH_ROLE"):
        lab.nora.do(run, "abort", why="I would like it to be gone.")
    with refused("SIG_STALE") as caught:
        lab.rita.do(case, "technical", sign=True)
    assert run in caught[0].message


def test_a_new_record_that_names_the_subject_makes_it_stale(lab: Lab, ready: tuple[str, str]) -> None:
    run, case = ready
    lab.alan.create("comment", subject=run, text="Look at the third field again, please.")
    with refused("SIG_STALE"):
        lab.rita.do(case, "technical", sign=True)


def test_a_hold_on_an_image_makes_it_stale_although_the_image_has_no_new_version(
    lab: Lab, ready: tuple[str, str]
) -> None:
    run, case = ready
    chosen = lab.row(run).fields["image_set"]["number"]
    image = lab.row(chosen).fields["members"][0]["number"]
    version = lab.row(image).version
    hold = lab.vera.create("hold", subject=image, reason="The lamp was flickering.")
    assert lab.row(image).version == version
    with refused("SIG_STALE") as caught:
        lab.rita.do(case, "technical", sign=True)
    assert image in caught[0].message
    lab.quinn.do(hold, "lift", sign=True, why="The lamp was found to be steady.")


def test_looking_and_exporting_do_not_make_it_stale(lab: Lab, ready: tuple[str, str]) -> None:
    run, case = ready
    for item in lab.workspace().coverage(lab.row(case)).items:
        lab.workspace().item(lab.row(case), item.key, lab.vera.context)
    lab.rita.do(case, "technical", sign=True)
    assert lab.row(run).state == "accepted"


def test_what_is_new_after_quality_read_the_trail_makes_its_signing_stale(lab: Lab) -> None:
    run, case = lab.new_review()
    lab.review(case)
    lab.open_items(case, lab.vera)
    lab.alan.create("comment", subject=run, text="Something else came to my mind.")
    with refused("SIG_STALE") as caught:
        lab.vera.do(case, "qa_decide", sign=True)
    assert "since you opened it" in caught[0].message
    lab.open_items(case, lab.vera)
    lab.vera.do(case, "qa_decide", sign=True)


def test_a_case_begun_before_this_release_looks_again(lab: Lab, ready: tuple[str, str]) -> None:
    _, case = ready
    row = lab.row(case)
    row.fields["exceptions"].pop("heads")
    conditions = {c["says"]: c for c in lab.workspace().show(row, lab.rita.context)["conditions"]}
    assert conditions["Nothing was entered about the scope since you began"]["met"], "asked of what is kept"
