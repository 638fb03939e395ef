"""The training matrix a page of people at a time: together the pages say what the whole matrix says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from coverslip.web.routes import documents
from fix_lab import Lab
from fix_reader import Reader


@pytest.fixture(scope="module")
def asked(lab: Lab) -> str:
    """A procedure that people of two roles are asked to be trained on."""
    number = lab.new_sop("Asked of many", audience=["ROLE-ANL", "ROLE-REV"])
    lab.approve_sop(number)
    lab.work().due()
    return number


@pytest.fixture
def quinn(lab: Lab) -> Reader:
    return Reader(lab, "quinn")


def _rows(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="nw"><a href="/r/(USR-[0-9]+)">', page)


def _walked(lab: Lab, most: int, **more: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the cells and the people of every page, in order."""
    cells, people, start = [], [], 0
    while True:
        found = lab.services().teaching.page(start=start, most=most, **more)
        cells += found["cells"]
        people += sorted({(c["name"], c["person"]) for c in found["cells"]})
        start += most
        if start >= found["people"]:
            return cells, [number for _, number in people]


def _sorted(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(cells, key=lambda c: (c["role"], c["document"], c["person"]))


def test_every_page_together_is_the_whole_matrix(lab: Lab, asked: str) -> None:
    whole = lab.services().teaching.show()["cells"]
    assert any(c["document"] == f"{asked} v1" for c in whole)
    cells, people = _walked(lab, 2)
    assert _sorted(cells) == _sorted(whole)
    assert len(people) == len(set(people)) == len({c["person"] for c in whole}), "each on one page"
    of_role, _ = _walked(lab, 2, role="REV")
    assert _sorted(of_role) == _sorted(lab.services().teaching.show("REV")["cells"])
    assert _walked(lab, 2, unit="No such unit") == ([], [])


def test_a_page_says_of_how_many_people_it_is_and_leads_on(
    lab: Lab, quinn: Reader, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "PEOPLE", 2)
    everybody = len({c["person"] for c in lab.services().teaching.show()["cells"]})
    seen, address = list[str](), "/training"
    while address:
        page = quinn.get(address)
        seen += _rows(page)
        assert f"of {everybody}, by name" in page
        following = re.search(r'href="(/training\?[^"]*)">Next people', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == everybody
    narrowed = quinn.get("/training?role=REV")
    assert "the filter leaves out" in narrowed


def test_the_gaps_are_those_of_everybody(
    lab: Lab, quinn: Reader, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lab.services().teaching.show()
    page = quinn.get("/training/gaps")
    assert f"{whole['counts']['red']} refused" in page
    assert page.count("<tr><td") == min(len(whole["gaps"]), documents.GAPS)
    monkeypatch.setattr(documents, "GAPS", 1)
    assert f"1 of {len(whole['gaps'])} gaps are listed" in quinn.get("/training/gaps")
