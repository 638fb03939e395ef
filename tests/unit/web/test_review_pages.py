"""The review screen: all on one page, only what is sent counts as opened, and no form decides by itself."""

from __future__ import annotations

import html
import re

import pytest

from coverslip.web.app import create_pages
from coverslip.web.templating import environment
from fix_caller import TestClient
from fix_lab import Lab, refused
from fix_reader import Reader

CHECKLIST = [{"question": "Are all images there?", "answer": "yes"}]


@pytest.fixture
def rita(lab: Lab) -> Reader:
    return Reader(lab, "rita")


@pytest.fixture
def begun(lab: Lab) -> tuple[str, str]:
    """Return a run and its case, begun by Rita, with one exception to answer."""
    run, case = lab.new_review()
    with refused("AUTH_ROLE"):
        lab.nora.do(run, "abort", why="I would like it to be gone.")
    lab.rita.do(case, "start")
    return run, case


def keys(lab: Lab, case: str) -> list[str]:
    return [str(i["key"]) for i in lab.row(case).fields["exceptions"]["items"] if i["severity"] == "warn"]


def test_the_queue_leads_to_the_case_and_every_address_of_the_case_to_one_screen(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    run, case = begun
    assert f'href="/review/{case}"' in rita.get("/review")
    assert rita.client.get(f"/r/{case}").headers["location"] == f"/review/{case}"
    whole = rita.get(f"/review/{case}")
    for part in ("Exceptions", f"{run}, as it will print", "Conditions for the decision", "Signatures"):
        assert part in whole
    assert "Refused: AUTH_ROLE" in whole
    assert whole.count("btn primary") <= 1
    assert "style=" not in whole
    assert not re.search(r"\son\w+=", whole)


def test_the_page_sends_the_subject_and_nothing_else_counts_as_opened(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    run, case = begun
    rita.get(f"/review/{case}")
    rita.get(f"/review/{case}")
    views = [e for e in lab.reading.history(lab.row(run).uid) if e["type"] == "view"]
    assert len(views) == 1, "what was sent before in the same version is entered once"
    covered = lab.workspace().show(lab.row(case), lab.rita.context)["coverage"]
    assert [one["key"] for one in covered["unopened"]] == keys(lab, case)
    assert covered["trail_opened"] == 0


def test_an_item_alone_is_a_fragment_and_opened_directly_the_whole_page(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    _, case = begun
    address = f"/review/{case}/items/{keys(lab, case)[0]}"
    part = rita.get(address, fragment=True)
    assert "<html" not in part
    assert "Entered as opened by you" in part
    assert 'hx-swap-oob="true"' in part
    whole = rita.get(address)
    assert "<html" in whole
    assert "Record answer" in whole
    assert lab.workspace().show(lab.row(case), lab.rita.context)["coverage"]["unopened"] == []


def test_an_exception_is_answered_by_its_form_and_the_others_stay(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    run, case = begun
    with refused("AUTH_ROLE"):
        lab.sam.do(run, "abort", why="I would like it to be gone, as well.")
    lab.rita.do(case, "gather_again")
    first, second = keys(lab, case)[:2]
    for key, told in ((first, "She has no role."), (second, "Nor the second time.")):
        version = str(lab.row(case).version)
        address = f"/review/{case}/items/{key}/answer"
        assert rita.post(address, expected_version=version, answer=told).status_code == 303
    answers = {a["exception"]: a["answer"] for a in lab.row(case).fields["answers"]}
    assert answers == {first: "She has no role.", second: "Nor the second time."}
    stale = f"/review/{case}/items/{first}/answer"
    assert rita.post(stale, expected_version="1", answer="From an old page.").status_code == 409
    assert (
        Reader(lab, "nora").post(stale, expected_version=str(lab.row(case).version), answer="No.").status_code
        == 403
    )


def test_without_the_token_of_the_session_no_form_writes(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    _, case = begun
    version = lab.row(case).version
    address = f"/review/{case}/items/{keys(lab, case)[0]}/answer"
    assert rita.post(address, csrf="0" * 64, expected_version=str(version), answer="No.").status_code == 403
    assert lab.row(case).version == version


def test_the_checklist_is_recorded_and_a_case_signed_from_its_page(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    run, case = begun
    for key in keys(lab, case):
        rita.get(f"/review/{case}/items/{key}", fragment=True)
        version = str(lab.row(case).version)
        seen = rita.post(f"/review/{case}/items/{key}/answer", expected_version=version, answer="Seen.")
        assert seen.status_code == 303
    version = str(lab.row(case).version)
    given = {"q0": "Were the images opened?", "a0": "yes", "n0": "All of them.", "conclusion": "It is right."}
    assert rita.post(f"/review/{case}/checklist", expected_version=version, **given).status_code == 303
    assert lab.row(case).fields["checklist"] == [
        {"question": "Were the images opened?", "answer": "yes", "note": "All of them."}
    ]
    assert rita.client.get(f"/r/{case}/do/technical").status_code == 409, "the subject was not sent yet"
    rita.get(f"/review/{case}")
    lab.rita.do(case, "technical", sign=True)
    assert lab.row(run).state == "accepted"


def test_the_whole_trail_counts_and_a_filtered_one_says_what_it_leaves_out(
    lab: Lab, rita: Reader, begun: tuple[str, str]
) -> None:
    _, case = begun
    filtered = rita.get(f"/review/{case}/trail?kind=modifications&actor=Alan+Analyst", fragment=True)
    assert re.search(r"\d+ of \d+ entries shown", filtered)
    covered = lab.workspace().show(lab.row(case), lab.rita.context)["coverage"]
    assert covered["trail_opened"] == 0
    rita.get(f"/review/{case}/trail?kind=all", fragment=True)
    covered = lab.workspace().show(lab.row(case), lab.rita.context)["coverage"]
    assert covered["trail_opened"] == covered["trail_pages"]


def test_the_page_learns_that_something_arrived(lab: Lab, rita: Reader, begun: tuple[str, str]) -> None:
    run, case = begun
    found = re.search(r'data-position="([0-9a-f]{64})"', rita.get(f"/review/{case}"))
    assert found is not None
    assert rita.client.get(f"/review/{case}/position").json() == {"position": found[1]}
    lab.alan.create("comment", subject=run, text="Look at the third field again, please.")
    assert rita.client.get(f"/review/{case}/position").json() != {"position": found[1]}
    stream = rita.client.get(f"/review/{case}/events?at={found[1]}")
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert "event: arrived" in stream.text
    assert "would be refused as stale" in rita.get(f"/review/{case}")


def test_what_is_no_case_has_no_review_page(lab: Lab, rita: Reader, begun: tuple[str, str]) -> None:
    run, case = begun
    assert rita.client.get(f"/review/{run}").status_code == 404
    assert rita.client.get(f"/review/{case}/items/nothing").status_code == 404
    assert (
        TestClient(create_pages(lab.services()))
        .get(f"/review/{case}", follow_redirects=False)
        .headers["location"]
        .startswith("/sign-in")
    )


def test_the_next_page_of_a_filtered_trail_is_filtered_and_values_are_sent_whole() -> None:
    entry = {
        "at": "2026-11-20T14:32:07Z", "actor_name": "Rita", "record": "RUN-1", "act": "edit", "type": "act",
        "changes": [{"field": f"f{n}", "old": "o" * 300, "new": f"{n}" * 300} for n in range(6)],
        "index": 7, "entry": "e", "new": False, "flagged": False, "meaning": "", "late": False, "reason": "",
    }  # fmt: skip
    shown = {
        "entries": [entry], "page": 1, "pages": 2, "next": 2, "shown": 60, "all": 90, "modifications": 5,
        "flagged": 0,
    }  # fmt: skip
    wanted = {"kind": "all", "actor": "Rita & Co", "first": "2026-11-01"}
    made = environment().get_template("_review.html").make_module({"zone": "UTC"})
    text = html.unescape(str(made.trail(shown, wanted, "RVC-1")))  # type: ignore[attr-defined]
    assert 'trail?kind=all&actor=Rita%20%26%20Co&first=2026-11-01&page=2"' in text
    assert "kind=flagged&actor=Rita%20%26%20Co&first=2026-11-01" in text
    for n in range(6):
        assert f"{n}" * 300 in text
