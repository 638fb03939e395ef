"""Lists: every filter narrows by what it says, every order is kept, and what cannot be asked is refused."""

from __future__ import annotations

import pytest

from coverslip.application import listing
from coverslip.errors import Invalid, NotFound
from coverslip.kernel.queries import Listed
from coverslip.store import lists
from coverslip.store.lists import PostgresLists
from fix_lab import Lab

WHY = "Needed for the test of lists."


@pytest.fixture(scope="module")
def shelf(lab: Lab) -> list[str]:
    """Seven specimens: titles, quantities and people of their own."""
    made = []
    titles = ("Éclair block", "beta block", "Alpha slide", "gamma_100%", "Delta", "delta", "Omega")
    for n, title in enumerate(titles):
        who = lab.alan if n % 2 else lab.olga
        more = {} if n == 4 else {"quantity": f"{(7 * n) % 11}.5", "unit": "mL"}
        made.append(who.create("specimen", title=title, kind="tissue" if n < 3 else "cells", **more))
    lab.rex.do(made[0], "edit", why=WHY, location="Shelf 9")
    return made


LATE = ("Newest of them", "Renamed since")
"""Titles of what one test adds to the laboratory that all of them share."""


def _page(lab: Lab, leaving_out: tuple[str, ...] = LATE, **asked: object) -> list[str]:
    listed = listing.listed(lab.services(), listing.Asked(types=("specimen",), **asked))  # type: ignore[arg-type]
    rows = PostgresLists(lab.reading.pool).page(listed, "", 200).rows
    return [row.number for row in rows if row.title not in leaving_out]


def test_a_list_is_narrowed_by_each_filter(lab: Lab, shelf: list[str]) -> None:
    assert set(_page(lab)) == set(shelf)
    assert set(_page(lab, text="BLOCK")) == {shelf[0], shelf[1]}
    assert set(_page(lab, text="a_100%")) == {shelf[3]}, "no character is a pattern"
    assert set(_page(lab, text="x")) == set()
    assert set(_page(lab, fields=("kind:is:tissue",))) == set(shelf[:3])
    assert set(_page(lab, fields=("quantity:from:7", "quantity:to:7.5"))) == {shelf[1]}
    assert set(_page(lab, created_by=lab.number_of("olga"))) == set(shelf[::2])
    assert set(_page(lab, changed_by=lab.number_of("rex"))) == {shelf[0]}
    assert set(_page(lab, person=lab.number_of("rex"))) == {shelf[0]}
    assert set(_page(lab, person=lab.number_of("nora"))) == set()
    assert set(_page(lab, states=("registered",))) == set(shelf)
    assert set(_page(lab, states=("received",))) == set()
    assert set(_page(lab, changed_from="2999-01-01")) == set()
    assert set(_page(lab, changed_to=lab.accounts.now()[:10])) == set(shelf)


def test_a_list_is_in_the_order_asked_for(lab: Lab, shelf: list[str]) -> None:
    assert _page(lab, sort="number") == sorted(shelf)
    assert _page(lab, sort="-number") == sorted(shelf, reverse=True)
    assert _page(lab, sort="created_at") == shelf
    assert _page(lab)[0] == shelf[0], "changed last"
    by_quantity = [n for n in _page(lab, sort="-quantity") if n != shelf[4]]
    assert by_quantity == [shelf[n] for n in (3, 6, 1, 2, 5, 0)], "by value, not by letters"
    assert _page(lab, sort="quantity")[-1] == _page(lab, sort="-quantity")[-1] == shelf[4], "none: last"


def test_a_list_says_how_many_there_are(lab: Lab, shelf: list[str]) -> None:
    services = lab.services()
    asked = listing.listed(services, listing.Asked(types=("specimen",)))
    counted = services.lists.count(asked)
    late = int(lab.ask("select count(*) from projection.record where title = any(%s)", list(LATE))[0][0])
    assert (counted.number, counted.exact) == (len(shelf) + late, True)
    everything = services.lists.count(listing.listed(services, listing.Asked(voided=True)))
    assert everything.number == int(lab.ask("select count(*) from projection.record")[0][0])


@pytest.mark.parametrize("sort", ["-changed_at", "title", "number", "state", "created_at"])
def test_a_text_found_in_too_many_to_name_gives_the_same_list(
    lab: Lab, shelf: list[str], monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    several = PostgresLists(lab.reading.pool)
    longer = listing.listed(lab.services(), listing.Asked(types=("specimen",), text="elt", sort=sort))
    named = several.counted_page(longer, "", 200)
    assert {row.number for row in named[0].rows} == {shelf[4], shelf[5]}
    monkeypatch.setattr(lists, "_MOST_NAMED", -1)
    assert several.counted_page(longer, "", 200) == named
    first, _ = several.counted_page(longer, "", 1)
    assert [*first.rows, *several.page(longer, first.next, 1).rows] == list(named[0].rows), "page by page"
    monkeypatch.setattr(lists, "_MOST_COMPARED", 1)
    counted = several.count(longer)
    assert counted.number >= 2 and not counted.exact, "about so many"


def test_what_the_text_index_has_not_read_yet_is_found(lab: Lab, shelf: list[str]) -> None:
    late = lab.alan.create("specimen", title="Newest of them", kind="swab")
    assert _page(lab, (), text="newest of") == [late]
    lab.alan.do(late, "edit", why=WHY, title="Renamed since")
    assert _page(lab, (), text="newest of") == []
    lab.alan.do(late, "quarantine", why=WHY)


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "consent_reference"}, {"sort": "nothing"}, {"sort": "--number"}, {"sort": ""},
        {"states": ("gone",)}, {"fields": ("consent_reference:is:x",)}, {"fields": ("kind",)},
        {"fields": ("kind:like:x",)}, {"fields": ("quantity:from:1e9",)}, {"fields": ("quantity:is:x",)},
        {"changed_from": "yesterday"}, {"changed_from": "2026-11-21T10:00:00"}, {"changed_to": "2026-13-01"},
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(lab: Lab, asked: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        _page(lab, **asked)
    assert refused.value.code == "VAL_FORM"


def test_a_field_and_several_types_do_not_go_together(lab: Lab) -> None:
    both = ("specimen", "image")
    for asked in (listing.Asked(fields=("kind:is:x",)), listing.Asked(types=both, sort="kind")):
        with pytest.raises(Invalid):
            listing.listed(lab.services(), asked)


def test_an_unknown_type_or_person_is_not_found(lab: Lab) -> None:
    named = ({"person": "USR-9999"}, {"person": "SOP-0001"}, {"created_by": "a' or 1"})
    for asked in ({"types": ("nothing",)}, *named):
        with pytest.raises(NotFound):
            listing.listed(lab.services(), listing.Asked(**asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("cursor", ["x", "e30", "WyJhIl0", "a" * 2500, "' or 1=1", "W10=", "bnVsbA"])
def test_a_cursor_made_up_or_of_another_list_is_refused(lab: Lab, shelf: list[str], cursor: str) -> None:
    lists = PostgresLists(lab.reading.pool)
    one = Listed(("specimen",), sort="number")
    with pytest.raises(Invalid):
        lists.page(one, cursor, 2)
    other = lists.page(Listed(("specimen",), sort="title"), "", 2).next
    with pytest.raises(Invalid):
        lists.page(one, other, 2)
    assert lists.page(one, lists.page(one, "", 2).next, 2).rows


def test_voided_records_are_shown_only_when_asked_for(lab: Lab) -> None:
    number = lab.alan.create("specimen", title="Entered twice", kind="blank")
    lab.quinn.do(number, "void", sign=True, why="Entered twice by mistake.")
    assert number not in _page(lab)
    assert number in _page(lab, voided=True)
    assert number in _page(lab, states=("voided",))
    assert number in _page(lab, text="entered twice")
