"""Lists of one type by their address, as a table that leaves, and a number typed whole."""

from __future__ import annotations

import pytest

from fix_lab import Lab
from fix_reader import Reader


@pytest.fixture
def quinn(lab: Lab) -> Reader:
    return Reader(lab, "quinn")


def test_a_list_is_sorted_filtered_and_counted_by_its_address(lab: Lab, quinn: Reader) -> None:
    first, second = lab.new_sop("Alpha of lists"), lab.new_sop("Omega of lists")
    rising = quinn.get("/types/document_sop?q=of lists&sort=title")
    falling = quinn.get("/types/document_sop?q=of lists&sort=-title")
    assert rising.index(first) < rising.index(second)
    assert falling.index(second) < falling.index(first)
    assert 'aria-sort="descending"' in falling
    assert "2 of 2" in rising
    quinn.get("/types/document_sop?sort=secret", 422)
    quinn.get("/types/document_sop?state=elsewhere", 422)


def test_a_list_leaves_as_a_table_with_its_filter_and_an_entry(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop("=HYPERLINK(1)")
    before = lab.entries()
    answer = quinn.post("/types/document_sop/csv?q=HYPERLINK")
    text = answer.content.decode()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "number or title contains HYPERLINK" in text
    assert number in text
    assert ",=HYPERLINK" not in text
    assert lab.entries() == before + 1


def test_a_number_typed_whole_leads_to_its_record(lab: Lab, quinn: Reader) -> None:
    number = lab.new_sop()
    assert quinn.where(f"/search?q={number.lower()}") == f"/r/{number}"
    assert "No record matches" in quinn.get("/search?q=SOP-9999")
