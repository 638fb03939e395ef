"""Search: each word placed is found, the best first, and nothing personal is."""

from __future__ import annotations

import random

import pytest

from coverslip.store.search_index import Indexing, SearchIndex
from coverslip.store.search_words import folded, pieces, snippet, words
from coverslip.store.searching import PostgresSearch
from fix_lab import Lab

WHY = "Needed for the test of search."


@pytest.fixture(scope="module")
def index(lab: Lab) -> SearchIndex:
    return SearchIndex(lab.reading.pool, lab.door.catalogue)


def _integrate(lab: Lab) -> None:
    from contextlib import closing

    from coverslip.bootstrap import founding

    with closing(founding.sequencer_of(lab.home, lab.signer)) as sequencer:
        while sequencer.step().integrated:
            pass


def _found(lab: Lab, text: str, *types: str) -> list[tuple[str, str]]:
    return [(h.tier, h.number) for h in PostgresSearch(lab.reading.pool).search(text, types, 50).hits]


def test_every_word_placed_in_a_field_is_found(lab: Lab, index: SearchIndex) -> None:
    noise, placed = random.Random(3), dict[str, str]()
    for _ in range(12):
        word = "".join(noise.choice("bcdfghjklmnpqrstvwxz") for _ in range(9))
        placed[word] = lab.alan.create("specimen", title="Placed", kind="tissue", source=f"taken, {word}-7!")
    assert _found(lab, next(iter(placed))) == [], "not read yet"
    _integrate(lab)
    Indexing(index).do()
    for word, number in placed.items():
        for asked in (word, word.upper(), word[:5], f"{word} 7", f"placed {word}"):
            assert _found(lab, asked) == [("text", number)], asked
    assert index.catch_up() == 0, "nothing left to read"


def test_the_best_comes_first(lab: Lab, index: SearchIndex) -> None:
    first = lab.alan.create("specimen", title="Quokka tail", kind="tissue")
    titled = lab.alan.create("specimen", title=f"Beside {first}", kind="tissue")
    named = lab.alan.create("specimen", title="Something", kind="tissue", source=f"with {first}")
    _integrate(lab)
    index.catch_up()
    assert _found(lab, first) == [("number", first), ("title", titled), ("text", named)]
    assert _found(lab, first.lower())[0] == ("number", first)
    assert ("prefix", first) in _found(lab, first[:-1])
    assert _found(lab, "quokka", "study") == []
    people = _found(lab, "metrology", "instrument", "user")
    assert ("people", lab.n["instrument"]) in people


def test_a_new_number_is_found_before_the_index_has_read_it(lab: Lab) -> None:
    number = lab.alan.create("specimen", title="Unread", kind="tissue")
    found = PostgresSearch(lab.reading.pool).search(number)
    assert [(h.tier, h.number) for h in found.hits] == [("number", number)]
    _integrate(lab)
    later = PostgresSearch(lab.reading.pool).search(number)
    assert later.indexed < later.size, "it says how far behind it is"


def test_what_changed_is_found_anew_and_no_longer_as_it_was(lab: Lab, index: SearchIndex) -> None:
    number = lab.alan.create("specimen", title="Wombat", kind="tissue")
    _integrate(lab)
    index.catch_up()
    lab.alan.do(number, "edit", why=WHY, title="Numbat")
    _integrate(lab)
    index.catch_up()
    assert _found(lab, "wombat") == []
    assert _found(lab, "numbat") == [("title", number)]


def test_nothing_personal_or_sensitive_is_found(lab: Lab, index: SearchIndex) -> None:
    number = lab.ada.create(
        "user", username="xaver", printed_name="Xaver Open", kind="person",
        email="hidden.mailbox@lab.example", employee_ref="Zebra4711",
    )  # fmt: skip
    secret = lab.alan.create("specimen", title="Consented", kind="tissue", consent_reference="Kookaburra")
    _integrate(lab)
    index.catch_up()
    assert ("title", number) in _found(lab, "xaver open")
    for word in ("mailbox", "hidden", "zebra4711", "kookaburra"):
        assert _found(lab, word) == [], word
    assert lab.ask("select count(*) from ops.search where body ~* 'mailbox|zebra|kookaburra'") == [(0,)]
    assert ("title", secret) in _found(lab, "consented")
    fields = [f for d in lab.door.catalogue for f in d.type.fields.values()]
    assert any(f.personal for f in fields)
    assert any(f.sensitive for f in fields)


def test_the_index_can_be_made_again(lab: Lab, index: SearchIndex) -> None:
    _integrate(lab)
    index.catch_up()
    before = lab.ask("select uid, title, body, body_words::text from ops.search order by uid")
    index.again()
    assert index.indexed() == 0
    assert index.catch_up() > 100
    assert lab.ask("select uid, title, body, body_words::text from ops.search order by uid") == before


@pytest.mark.parametrize(
    "text",
    ["", " ", "'", "';drop table ops.search--", "a'b", "\\", "%", "_", "&|!():*", "<b>", "x" * 500, "\u0000"],
)  # fmt: skip
def test_whatever_is_typed_is_looked_for_and_nothing_else(lab: Lab, text: str) -> None:
    assert isinstance(_found(lab, text.replace("\0", "")), list)
    assert lab.ask("select to_regclass('ops.search') is not null")[0][0]


def test_words_and_snippets() -> None:
    assert words("Élan, élan ELAN_9 x-ray") == ["elan", "9", "x", "ray"]
    assert folded("ÅB") == "ab"
    assert pieces("abcab") == ["abc", "bca", "cab"]
    parts = snippet("One <b>bold</b> word", ["bold"])
    assert [(p.text, p.hit) for p in parts] == [("One <b>", False), ("bold", True), ("</b> word", False)]
    assert snippet("nothing here", ["else"]) == ()
    assert "".join(p.text for p in snippet("y " * 300 + "Ärger", ["arger"]))[-5:] == "Ärger"
