"""What counts as opened is what the server sent and entered; nothing else makes a review covered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coverslip.kernel.events import Event
from fix_caller import Caller
from fix_lab import Lab, Person, refused

CHECKLIST = [{"question": "Are all images there?", "answer": "yes"}]


@pytest.fixture
def begun(lab: Lab) -> tuple[str, str]:
    """Return a run and its case, begun and answered by Rita, of which nothing was opened yet."""
    run, case = lab.new_review()
    with refused("AUTH_ROLE"):
        lab.nora.do(run, "abort", why="I would like it to be gone.")
    lab.rita.do(case, "start")
    items = lab.row(case).fields["exceptions"]["items"]
    lab.rita.do(
        case,
        "answer",
        checklist=CHECKLIST,
        answers=[{"exception": i["key"], "answer": "Seen."} for i in items],
    )
    return run, case


def covered(lab: Lab, case: str, person: Person) -> dict[str, Any]:
    found: dict[str, Any] = lab.workspace().show(lab.row(case), person.context)["coverage"]
    return found


def test_what_was_opened_item_by_item_may_be_signed(lab: Lab, begun: tuple[str, str]) -> None:
    run, case = begun
    before = covered(lab, case, lab.rita)
    assert before["needed_opened"] == 0
    assert run in [one["key"] for one in before["unopened"]], "the subject itself is to be opened"
    lab.open_items(case, lab.rita)
    after = covered(lab, case, lab.rita)
    assert (after["needed_opened"], after["unopened"]) == (before["needed"], [])
    lab.rita.do(case, "technical", sign=True)
    assert lab.row(run).state == "accepted"
    kept = lab.row(case).fields["openings"]
    assert {o["person"] for o in kept["openings"]} == {lab.rita.uid}, "what was opened stays with the case"


def test_answering_everything_opens_nothing(lab: Lab, begun: tuple[str, str]) -> None:
    _, case = begun
    assert all(one["answer"] for one in lab.row(case).fields["answers"])
    with refused("SEQ_PRE") as caught:
        lab.rita.do(case, "technical", sign=True)
    assert "every exception and every flagged image were opened by you" in caught[0].message
    assert lab.door.explain(lab.row(case), lab.rita.context, "technical") is not None, "said in advance too"


def test_looking_at_the_whole_workspace_opens_nothing(lab: Lab, begun: tuple[str, str]) -> None:
    _, case = begun
    lab.workspace().show(lab.row(case), lab.rita.context)
    lab.workspace().trail(lab.row(case), lab.rita.context, 1, {"kind": "flagged"})
    found = covered(lab, case, lab.rita)
    assert (found["needed_opened"], found["all_opened"], found["trail_opened"]) == (0, 0, 0)


def test_what_another_person_opened_is_not_mine(lab: Lab, begun: tuple[str, str]) -> None:
    _, case = begun
    lab.open_items(case, lab.rex)
    assert covered(lab, case, lab.rex)["unopened"] == []
    assert covered(lab, case, lab.rita)["needed_opened"] == 0
    with refused("SEQ_PRE"):
        lab.rita.do(case, "technical", sign=True)


def test_another_version_that_was_opened_does_not_count(lab: Lab, begun: tuple[str, str]) -> None:
    run, case = begun
    row = lab.row(run)
    older = {"record": run, "version": row.version - 1, "shown": "5" * 64}
    lab.events.record(Event("view", "view", older, row), lab.rita.context)
    assert run in [one["key"] for one in covered(lab, case, lab.rita)["unopened"]]
    lab.workspace().item(lab.row(case), run, lab.rita.context)
    assert run not in [one["key"] for one in covered(lab, case, lab.rita)["unopened"]]


def test_an_item_of_another_case_opens_nothing_here(lab: Lab, begun: tuple[str, str]) -> None:
    _, case = begun
    _, other = lab.new_review()
    lab.rita.do(other, "start")
    lab.open_items(other, lab.rita)
    mine = covered(lab, case, lab.rita)
    assert mine["needed_opened"] == 0, "the other case's run is no item of this one"


def test_the_rendering_opened_elsewhere_counts_since_it_is_the_same(
    lab: Lab, api: Callable[[str], Caller], begun: tuple[str, str]
) -> None:
    run, case = begun
    api("rita").get(f"/records/{run}/view")
    assert run not in [one["key"] for one in covered(lab, case, lab.rita)["unopened"]]


def test_what_was_opened_before_the_case_was_there_does_not_count(lab: Lab) -> None:
    chosen = lab.new_set()
    image = lab.row(lab.row(chosen).fields["members"][0]["number"])
    seen = {"record": image.number, "version": image.version, "shown": "5" * 64}
    lab.events.record(Event("view", "view", seen, image), lab.rita.context)
    _, case = lab.new_review(image_set=chosen)
    opened = {i["key"]: i["opened"] for i in lab.workspace().show(lab.row(case), lab.rita.context)["items"]}
    assert opened[image.number] is False


def test_nobody_can_mark_items_as_opened_over_the_interface(
    lab: Lab, api: Callable[[str], Caller], begun: tuple[str, str]
) -> None:
    _, case = begun
    caller = api("rita")
    key = covered(lab, case, lab.rita)["unopened"][0]["key"]
    for method in ("POST", "PUT", "PATCH"):
        assert (
            caller.request(method, f"/reviews/{case}/items/{key}", json={"opened": True}).status_code == 405
        )
    fields = {"openings": {"needed": [], "openings": [], "trail": [], "arrived": [], "entries": 0}}
    body = {"expected_version": lab.row(case).version, "fields": fields}
    assert caller.post(f"/records/{case}/acts/answer", body).status_code == 422
    assert covered(lab, case, lab.rita)["needed_opened"] == 0
    assert caller.request("GET", f"/reviews/{case}/items/nothing").status_code == 404


def test_what_the_interface_sends_is_entered_as_opened(
    lab: Lab, api: Callable[[str], Caller], begun: tuple[str, str]
) -> None:
    run, case = begun
    caller = api("rita")
    told = caller.get(f"/reviews/{case}")
    for one in told["coverage"]["unopened"]:
        sent = caller.get(f"/reviews/{case}/items/{one['key']}")
        assert sent["opened"] is True
        assert len(sent["shown"]) == 64
    views = [e for e in lab.reading.history(lab.row(run).uid) if e["type"] == "view"]
    assert [e["sections"]["detail"]["case"] for e in views if "case" in e["sections"]["detail"]] == [case]
    assert caller.get(f"/reviews/{case}")["coverage"]["unopened"] == []


def test_quality_reads_the_trail_and_the_filtered_one_is_not_it(lab: Lab) -> None:
    _, case = lab.new_review()
    lab.review(case)
    for item in lab.workspace().coverage(lab.row(case)).items:
        lab.workspace().item(lab.row(case), item.key, lab.vera.context)
    with refused("SEQ_PRE") as caught:
        lab.vera.do(case, "qa_decide", sign=True)
    assert "audit trail" in caught[0].message
    filtered = lab.workspace().trail(lab.row(case), lab.vera.context, 1, {"kind": "modifications"})
    assert 0 < filtered["shown"] < filtered["all"], "what is left out is counted"
    with refused("SEQ_PRE"):
        lab.vera.do(case, "qa_decide", sign=True)
    whole = lab.workspace().trail(lab.row(case), lab.vera.context)
    assert whole["next"] == 0
    lab.vera.do(case, "qa_decide", sign=True)
    assert lab.row(case).state == "decided"
