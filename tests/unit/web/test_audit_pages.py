"""The audit trail on pages: nothing hidden by default, filters in the address, copies that say them."""

from __future__ import annotations

import re

from fix_lab import Lab
from fix_pages import Pages


def test_without_a_filter_everything_is_there_sessions_and_refusals_too(lab: Lab, pages: Pages) -> None:
    lab.integrate()
    whole = pages("quinn").get("/audit").text
    assert "No filter: every entry, sessions, views and refusals included." in whole
    total = lab.entries()
    shown = re.search(r"of ([\d,]+); ([\d,]+) in the tree", whole)
    assert shown is not None and shown[1].replace(",", "") == str(lab.entries()) == str(total)
    seen, address = 0, "/audit"
    while address:
        text = pages("quinn").get(address).text
        seen += text.count('<th scope="row" class="top">')
        following = re.search(r'href="(/audit\?[^"]*cursor=[^"]*)">Older', text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == total, "page by page, nothing is left out"
    assert "style=" not in whole and whole.count("<h1>") == 1


def test_the_filter_is_in_the_address_and_each_part_of_it_can_be_taken_away(lab: Lab, pages: Pages) -> None:
    sop = lab.new_sop("Reading the trail")
    lab.aurel.do(sop, "edit", why="The title was unclear.", title="Reading a trail")
    text = pages("quinn").get(f"/audit?record={sop}v1&field=title").text
    assert "<del" in text and "Reading the trail" in text and "Reading a trail" in text
    assert "“The title was unclear.”" in text
    assert f'href="/audit?record={sop}v1"' in text, "the chip of the field leads to the rest"
    part = pages("quinn").get(f"/audit?record={sop}v1&field=title", headers={"HX-Request": "true"}).text
    assert "<html" not in part and "Looked at entries" in part
    assert f'action="/audit/csv?record={sop}v1&amp;field=title"' in part, "a copy is of what is shown"


def test_a_copy_carries_its_filter_and_is_an_entry(lab: Lab, pages: Pages) -> None:
    quinn = pages("quinn")
    before = lab.entries()
    answer = quinn.post("/audit/csv?type=refusal")
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    assert "entry type refusal" in answer.text.splitlines()[1]
    assert lab.entries() == before + 1
    assert pages("quinn").post("/audit/csv", {"csrf": "0" * 64}).status_code == 403


def test_everything_is_not_for_everybody_and_a_record_is(lab: Lab, pages: Pages) -> None:
    refused = pages("alan").get("/audit")
    assert refused.status_code == 403 and "AUTH_ROLE" in refused.text
    assert pages("alan").get(f"/audit?record={lab.n['sop']}").status_code == 200
    session = next(e for e in lab.services().trails.page(*_everything()).entries if e["type"] == "session")
    if session["actor"] != lab.alan.uid:
        assert pages("alan").get(f"/audit/{session['entry']}").status_code == 403


def _everything() -> tuple[object, str, int]:
    from coverslip.kernel.queries import TrailAsked

    return TrailAsked(), "", 50


def test_an_entry_is_shown_as_written_with_its_proof(lab: Lab, pages: Pages) -> None:
    lab.integrate()
    row = lab.row(lab.n["sop"], 1)
    newest = [e for e in lab.reading.history(row.uid) if e["meaning"]][-1]
    for which in (newest["entry"], str(newest["index"])):
        text = pages("alan").get(f"/audit/{which}").text
        assert "In the tree" in text and newest["leaf_hash"] in text
        assert "made again from its bytes" in text
        assert "Signature" in text and "{&#34;" not in text
    waiting = lab.new_sop("Not in the tree yet")
    entry = lab.history(waiting, 1)[-1]["entry"]
    assert "Pending" in pages("alan").get(f"/audit/{entry}").text
    assert pages("alan").get("/audit/01890000-0000-7000-8000-000000000000").status_code == 404
    assert pages("alan").get("/audit/99999999").status_code == 404
