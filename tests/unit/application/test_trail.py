"""The trail of everything: each filter finds what it says, nothing hides, and who may not is refused."""

from __future__ import annotations

import csv
import hashlib
import io

import pytest

from coverslip.application import listing, tables, trailing
from coverslip.errors import Invalid, NotFound, Refused
from coverslip.kernel.queries import TrailAsked
from coverslip.store import trail as module
from coverslip.store.trail import PostgresTrail
from fix_lab import Lab

WHY = "The zebra was on the other shelf."


@pytest.fixture(scope="module")
def specimen(lab: Lab) -> str:
    number = lab.alan.create("specimen", title="One", kind="tissue")
    lab.olga.do(number, "edit", why=WHY, title="Two", location="Shelf 1")
    lab.alan.do(number, "edit", why="The other shelf was right after all.", location="Shelf 2")
    return number


def _acts(lab: Lab, **asked: str) -> list[tuple[str, str, str]]:
    services = lab.services()
    question = trailing.trail(services, trailing.Asked(**asked), lab.quinn.context)
    found = services.trails.page(question, "", 200).entries
    return [(e["record"]["number"], e["act"], e["actor_name"]) for e in found]


def _of(number: str, acts: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return those on one record; other tests of this laboratory make specimens too."""
    return [one for one in acts if one[0] == number]


def test_each_filter_finds_what_it_says(lab: Lab, specimen: str) -> None:
    made, first, second = [(specimen, "create", "Alan Analyst"), (specimen, "edit", "Olga Operator"),
                           (specimen, "edit", "Alan Analyst")]  # fmt: skip
    assert _acts(lab, record=specimen) == [second, first, made]
    assert _acts(lab, record=specimen, person=lab.number_of("olga")) == [first]
    assert _of(specimen, _acts(lab, kind="specimen")) == [second, first, made]
    assert _acts(lab, record=specimen, act="create") == [made]
    assert _acts(lab, record=specimen, field="title") == [first, made]
    assert _of(specimen, _acts(lab, kind="specimen", field="location")) == [second, first]
    assert _acts(lab, reason="ZEBRA") == [first]
    assert _acts(lab, reason="ws-alan") == [], "the place is no reason"
    assert _of(specimen, _acts(lab, kind="specimen", since="2999-01-01")) == []
    assert _of(specimen, _acts(lab, kind="specimen", until="2001-01-01")) == []
    today = lab.accounts.now()[:10]
    assert _of(specimen, _acts(lab, kind="specimen", since=today, until=today)) == [second, first, made]


def test_old_stands_beside_new(lab: Lab, specimen: str) -> None:
    question = TrailAsked(records=(lab.row(specimen).uid,))
    first = PostgresTrail(lab.reading.pool).page(question, "", 10).entries[1]
    changed = {c["field"]: (c["old"], c["new"]) for c in first["changes"]}
    assert changed["title"] == ("One", "Two")
    assert changed["location"] == ("", "Shelf 1")
    assert first["reason"] == WHY


def test_without_a_filter_nothing_is_hidden(lab: Lab, specimen: str) -> None:
    with pytest.raises(Refused):
        lab.nora.create("specimen", title="Not hers", kind="tissue")
    trail, kinds, count, cursor = PostgresTrail(lab.reading.pool), set[str](), 0, ""
    total = trail.page(TrailAsked(), "", 1).total
    while True:
        page = trail.page(TrailAsked(), cursor, 200)
        kinds |= {e["type"] for e in page.entries}
        count += len(page.entries)
        if not (cursor := page.next):
            break
    assert {"genesis", "record", "session", "refusal"} <= kinds
    assert total is not None
    assert (count, True) == (lab.entries(), total.exact)
    assert total.number == count


def test_a_search_says_where_it_looked_and_goes_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRETCH", 20)
    trail, cursor, seen, looked = PostgresTrail(lab.reading.pool), "", 0, []
    while True:
        page = trail.page(TrailAsked(type="genesis"), cursor, 10)
        assert page.total is None
        looked.append((page.looked_from, page.looked_to))
        seen += len(page.entries)
        if not (cursor := page.next):
            break
    there = lab.ask(
        'select count(*) from ledger.entry where position(\'"type":"genesis"\'::bytea in leaf) > 0'
    )
    assert seen == there[0][0] > 0
    assert len(looked) > 3


def test_the_trail_of_everything_is_for_those_whose_work_it_is(lab: Lab, specimen: str) -> None:
    services = lab.services()
    with pytest.raises(Refused) as refused:
        trailing.trail(services, trailing.Asked(), lab.alan.context)
    assert refused.value.code == "AUTH_ROLE"
    assert trailing.trail(services, trailing.Asked(record=specimen), lab.alan.context).records


@pytest.mark.parametrize(
    "asked",
    [{"type": "nothing"}, {"since": "then"}, {"until": "2026-11-21T10:00:00"}, {"since": "2026-02-30"}],
)
def test_what_cannot_be_asked_is_refused(lab: Lab, asked: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        _acts(lab, **asked)


@pytest.mark.parametrize("asked", [{"kind": "nothing"}, {"person": "USR-9999"}, {"record": "SMP-0"}])
def test_what_there_is_not_is_not_found(lab: Lab, asked: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        _acts(lab, **asked)


@pytest.mark.parametrize("text", ["'", '"', "%", "\\", "') or true --", '","type":"x', "a\u0301"])
def test_whatever_is_asked_stays_a_value(lab: Lab, text: str) -> None:
    for name in ("act", "field", "reason"):
        assert _acts(lab, **{name: text}) == []


def test_a_trail_is_taken_away_with_its_filter_and_that_is_an_entry(lab: Lab, specimen: str) -> None:
    services, out = lab.services(), io.BytesIO()
    formula = lab.alan.create("specimen", title="=cmd|' /C calc'!A0", kind="tissue")
    asked = trailing.Asked(kind="specimen")
    summary = tables.trail_csv(services, asked, lab.quinn.context, out)
    rows = list(csv.reader(io.StringIO(out.getvalue().decode())))
    assert rows[1] == ["Filter", "record type specimen"]
    head = rows[4]
    lines = [dict(zip(head, row, strict=True)) for row in rows[5:]]
    assert {line["record"] for line in lines} == {specimen, formula}
    titles = {line["new"] for line in lines if line["field"] == "title" and line["record"] == formula}
    assert titles == {"'=cmd|' /C calc'!A0"}
    assert summary["sha256"] == hashlib.sha256(out.getvalue()).hexdigest()
    question = trailing.trail(services, trailing.Asked(type="export"), lab.quinn.context)
    last = services.trails.page(question, "", 1).entries[0]
    assert last["detail"] == summary


def test_a_list_is_taken_away_with_its_filter(lab: Lab, specimen: str) -> None:
    services, out = lab.services(), io.BytesIO()
    asked = listing.Asked(types=("specimen",), text="two", sort="number")
    summary = tables.list_csv(services, asked, lab.alan.context, out)
    rows = list(csv.reader(io.StringIO(out.getvalue().decode())))
    assert rows[1] == ["Filter", listing.described(asked)]
    assert "contains two" in rows[1][1]
    assert [row[0] for row in rows[5:]] == [specimen]
    assert rows[5][rows[4].index("kind")] == "tissue"
    assert summary["rows"] == 1


def test_a_machine_takes_nothing_away(lab: Lab) -> None:
    with pytest.raises(Refused):
        tables.list_csv(lab.services(), listing.Asked(), lab.device(), io.BytesIO())
