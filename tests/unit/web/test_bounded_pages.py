"""Pages of one record ask the database as often with more records in the laboratory, and read no more."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from coverslip.application import listing
from coverslip.kernel.change import Change
from fix_lab import Lab
from fix_reader import Reader

MORE = 60
"""Records made between the two looks, each of them linked to the study."""
MOST = {
    "study": 45, "specimen": 24, "related": 26, "audit": 20, "document": 50, "list": 12, "work": 60,
}  # fmt: skip
"""Statements of each page, at most."""


@pytest.fixture
def alan(lab: Lab) -> Reader:
    return Reader(lab, "alan")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement of every connection of this process, but those of the door."""
    found: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: Any, query: Any, *more: Any, **named: Any) -> Any:
        found.append(str(query))
        return execute(cursor, query, *more, **named)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    return found


def _specimens(lab: Lab, count: int) -> list[str]:
    fields = {"title": "Section", "kind": "tissue", "unit": "mL", "study": lab.n["study"]}
    changes = [Change("create", "specimen", fields=dict(fields)) for _ in range(count)]
    return [e.number for e in lab.door.submit_all(changes, lab.alan.context).entries if e.type == "specimen"]


def test_no_page_of_one_record_asks_more_often_when_there_are_more_records(
    lab: Lab, alan: Reader, statements: list[str]
) -> None:
    specimen = _specimens(lab, 1)[0]
    paths = {
        "study": f"/studies/{lab.n['study']}",
        "specimen": f"/r/{specimen}",
        "related": f"/r/{lab.n['study']}/related",
        "audit": f"/r/{specimen}/audit",
        "document": f"/documents/{lab.n['sop']}v1",
        "list": "/types/specimen?q=section",
        "work": "/work",
    }

    def asked() -> dict[str, int]:
        counts = {}
        for name, path in paths.items():
            seen = []
            for _ in range(3):  # what is read once, or kept for a moment, is read in one of them
                statements.clear()
                alan.get(path)
                seen.append(len(statements))
            counts[name] = min(seen)
        return counts

    few = asked()
    _specimens(lab, MORE)
    many = asked()
    assert {n: (few[n], many[n]) for n in few if many[n] > few[n] + 1} == {}
    assert {n: c for n, c in many.items() if c > MOST[n]} == {}


def test_how_long_a_record_is_kept_is_asked_apart_and_said_in_full(lab: Lab, alan: Reader) -> None:
    number = _specimens(lab, 1)[0]
    page = alan.get(f"/r/{number}")
    assert f'hx-get="/r/{number}/retention"' in page
    assert f'href="/r/{number}/retention"' in page, "without scripts it is a link"
    said = lab.services().retaining.one(lab.row(number))["sentence"]
    assert said in alan.get(f"/r/{number}/retention").replace("&#39;", "'")


def test_a_study_counts_what_is_linked_by_state_and_not_what_is_not(lab: Lab, alan: Reader) -> None:
    study = lab.row(lab.n["study"])
    _specimens(lab, 3)
    linked = lab.reading.linked(study.uid)
    for kind in {row.type for row in linked}:
        rows = [row for row in linked if row.type == kind]
        assert lab.reading.linked(study.uid, (kind,)) == rows
        states = {state: sum(row.state == state for row in rows) for state in {row.state for row in rows}}
        assert lab.reading.linked_states(study.uid, (kind,), 5000) == {kind: states}
        over = next(iter(states))
        open_ = [row for row in rows if row.state == over]
        assert lab.reading.linked_open(study.uid, {kind: [over]}) == sorted(open_, key=lambda r: r.uid)
        assert lab.reading.linked_open(study.uid, {kind: ["no such state"]}) == []
    assert lab.reading.linked_states(study.uid, ("specimen",), 2) == {"specimen": {"registered": 2}}
    assert lab.reading.linked_states(study.uid, ("capa",), 2) == {}


def test_titles_are_those_that_finding_one_by_one_gives(lab: Lab) -> None:
    numbers = [str(row[0]) for row in lab.ask("select distinct number from projection.number limit 200")]
    single = {number: row.title for number in numbers if (row := lab.reading.find(number)) is not None}
    assert lab.reading.titles([*numbers, "SOP-9999"]) == single


def test_a_page_with_its_count_is_both_as_asked_apart(lab: Lab) -> None:
    _specimens(lab, 3)
    services = lab.services()
    for text in ("section", "SMP", "zz no such title", ""):
        asked = listing.listed(services, listing.Asked(("specimen",), (), text))
        assert services.lists.counted_page(asked, "", 2) == (
            services.lists.page(asked, "", 2), services.lists.count(asked),
        )  # fmt: skip
