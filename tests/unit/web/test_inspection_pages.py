"""Inspector mode: all is read and each page opened is entered; nothing is written; requests are logged."""

from __future__ import annotations

import datetime as dt

import pytest

from coverslip.web.app import create_pages
from fix_lab import TODAY, Lab
from fix_pages import Pages, filled, record_entries, routes

NAME = "iris"
OWN = ("/sign-in", "/sign-out", "/enrol", "/me/", "/setup", "/lock", "/switch")
COPIES = ("/csv", "/export")


@pytest.fixture(scope="module")
def inspected(lab: Lab) -> Lab:
    last = (TODAY + dt.timedelta(days=14)).isoformat()
    fields = {"username": NAME, "printed_name": "Iris Inspector", "kind": "inspector", "valid_to": last}
    number = lab.ada.create("user", email="iris@authority.example", **fields)
    lab.enrol(number, NAME)
    check = [{"document_kind": "credentials", "manner": "in person", "on": TODAY.isoformat()}]
    lab.aurel.do(number, "activate", sign=True, identity_check=check)
    lab.grant(number, "INS", start=TODAY.isoformat(), end=last)
    return lab


def audit(lab: Lab) -> str:
    return lab.quinn.create(
        "audit", title="Routine inspection", kind="authority", scope="Everything about the study.",
        area="Imaging", external_auditors=["Iris Inspector, the authority"], planned_on=TODAY.isoformat(),
    )  # fmt: skip


def test_an_inspector_sees_the_scope_the_band_and_no_act(inspected: Lab, pages: Pages) -> None:
    iris = pages(NAME)
    assert iris.get("/work").headers["location"] == "/inspections"
    text = iris.get("/inspections").text
    assert "Inspector view, read only. Iris Inspector, until" in text and "Everything you open" in text
    assert 'href="/work" title="My work"' not in text and 'title="Review and release"' not in text
    assert "New inspection" not in text
    shown = iris.get(f"/r/{inspected.n['sop']}v1/record").text
    assert "bandread" in shown and "/do/" not in shown and "New version" not in shown
    assert "bandread" not in pages("quinn").get("/inspections").text


def test_every_page_an_inspector_opens_is_entered_and_others_are_not(inspected: Lab, pages: Pages) -> None:
    iris, number = pages(NAME), f"{inspected.n['sop']}v1"
    iris.get(f"/r/{number}/audit")
    newest = inspected.history(inspected.n["sop"], 1)[-1]
    assert (newest["type"], newest["act"]) == ("view", "open_page")
    assert newest["sections"]["detail"] == {"page": f"/r/{number}/audit"}
    alan = pages("alan")
    before = inspected.entries()
    alan.get(f"/r/{number}/audit")
    assert inspected.entries() == before
    person = inspected.number_of(NAME)
    for username in (NAME, "quinn"):
        assert f"/r/{number}/audit" in pages(username).get(f"/inspections/opened/{person}").text
    assert alan.get(f"/inspections/opened/{person}").status_code == 403
    assert pages("quinn").get(f"/inspections/opened/{inspected.number_of('alan')}").status_code == 404


def test_no_form_of_an_inspector_writes_a_record(inspected: Lab, pages: Pages) -> None:
    iris, number = pages(NAME), audit(inspected)
    before, tried = record_entries(inspected), 0
    for _, route in routes(create_pages(inspected.services()), "POST"):
        if route.path.startswith(OWN) or route.path.endswith(COPIES):
            continue
        form = {"expected_version": "1", "text": "Written by an inspector.", "user": "USR-0001", "number": ""}
        iris.post(filled(inspected, route, reference=number), form)
        tried += 1
    assert tried > 10
    assert record_entries(inspected) == before


def test_what_is_asked_is_written_down_by_others_and_answered(inspected: Lab, pages: Pages) -> None:
    number = audit(inspected)
    address = f"/inspections/{number}"
    refused = pages(NAME).post(f"{address}/requests", {"text": "Show me the raw images."})
    assert refused.status_code == 403 and "AUTH_ROLE" in refused.text
    assert "Record the request" not in pages(NAME).get(address).text
    assert pages("quinn").post(f"{address}/requests", {"text": "Show the raw images."}).status_code == 303
    text = pages("quinn").get(address).text
    assert "Show the raw images." in text and "1 not answered" in text
    made = next(r for r in inspected.reading.linked(inspected.row(number).uid) if r.type == "comment")
    sent = {"answer": "They were shown on screen.", "expected_version": str(made.version)}
    assert pages("quinn").post(f"{address}/requests/{made.number}", sent).status_code == 303
    seen = pages(NAME).get(address).text
    assert "They were shown on screen." in seen and "0 not answered" in seen
    assert "1" in pages(NAME).get("/inspections").text


def test_an_inspector_takes_copies_and_the_copy_is_an_entry(inspected: Lab, pages: Pages) -> None:
    iris = pages(NAME)
    before = inspected.entries()
    answer = iris.post("/audit/csv?type=refusal")
    assert answer.status_code == 200 and "entry type refusal" in answer.text
    assert inspected.entries() == before + 1


def opened_by(lab: Lab) -> list[str]:
    """Return what the list of an inspector's openings says, newest last."""
    where = "convert_from(leaf, 'UTF8') like '%%\"act\":\"open_%%'"
    found = lab.ask(f"select leaf from ledger.entry where {where} order by id")
    return [str(bytes(row[0])) for row in found]


def test_no_way_of_an_inspector_to_look_goes_unseen(inspected: Lab, pages: Pages) -> None:
    """A file or a picture asked for by its own address, or by the interface, is looked at as well."""
    iris, image = pages(NAME), inspected.new_image()
    bearer = {"Authorization": f"Bearer {iris.token}"}
    name = inspected.row(image).fields["files"][0]["name"]
    ways = {
        f"/r/{image}/files/{name}": {}, f"/images/{image}/histogram.svg": {},
        f"/api/v1/records/{image}": bearer, f"/api/v1/records/{image}/history": bearer,
    }  # fmt: skip
    for path, headers in ways.items():
        before = len(opened_by(inspected))
        # The laboratory's images of these tests hold no pixels (422); that they were asked for is entered.
        assert iris.get(path, headers=headers).status_code == (422 if "histogram" in path else 200), path
        assert len(opened_by(inspected)) == before + 1, path
    before = len(opened_by(inspected))
    assert pages("quinn").get(f"/r/{image}/files/{name}").status_code == 200
    assert len(opened_by(inspected)) == before, "what others read is not watched"
