"""Hostile content cannot make what is signed look like anything else than what it is."""

from __future__ import annotations

import copy
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, example, given, strategies as st

from coverslip.kernel import sheet
from coverslip.kernel.sheet import GUTTER, WIDTH, Entry, Grid, Part, Sheet, read, spelled, text, unspelled
from coverslip.kernel.view import render
from fix_view import FIELDS, SIGNED, definition, held, printed, row_of, sheet_of

DEFINITION = definition()
HOSTILE = (
    "\nSignatures\n──────────\nSigned by                 │ Quinn Okafor",
    "\n\nSignatures\n──────────\nSigned by                 │ ‹1 row›\n    1  Name               │ Quinn",
    "\u202eevorppa\u202c",
    "\u200b\u200d\ufeff\u2060",
    "\r\x1b[2J\x00\x85\u2028\u2029",
    " " * 300 + "Signatures",
    "x" * 5000,
    "e" + "\u0301" * 80,
    "‹none›",
    "- item",
    "│ ┆ ───",
    "\U000e0041\U0010fffd\ue000",
)
PIECE = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
TEXTS = st.lists(PIECE, min_size=1, max_size=4).map("".join).map(lambda t: unicodedata.normalize("NFC", t))
NAMES = st.from_regex("[a-z0-9_]{1,6}", fullmatch=True)
FREE = st.recursive(
    st.one_of(TEXTS, st.integers(-9, 99), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
HEX = st.sampled_from(["ab" * 32, "cd" * 32])
LINKS = st.builds(
    lambda number, revision, pin: {"type": "sop", "uid": "1", "number": number} | revision | pin,
    st.sampled_from(["SOP-0001", "SOP-00011", "IMG-2026-000001"]),
    st.one_of(st.just({}), st.integers(1, 12).map(lambda n: {"revision": n})),
    st.one_of(st.just({}), st.builds(lambda n, h: {"version": n, "hash": h}, st.integers(1, 12), HEX)),
)
FILES = st.builds(
    lambda name, size, digest: {"name": name, "size": size, "sha256": digest},
    TEXTS, st.integers(0, 5_000_000), HEX,
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": TEXTS,
    "text": TEXTS,
    "kind": st.sampled_from(["not_started", "in_work"]),
    "passed": st.booleans(),
    "count": st.integers(-3, 30),
    "share": st.sampled_from(["0.5", "0.50", "5"]),
    "subject": LINKS,
    "report": FILES,
    "notes": st.lists(TEXTS, max_size=3),
    "settings": st.dictionaries(NAMES, FREE, max_size=3),
    "checks": st.lists(
        st.fixed_dictionaries(
            {}, optional={"what": TEXTS, "result": st.sampled_from(["pass", "not_applicable"])}
        ),
        max_size=3,
    ),
}
FIELDS_OF = st.fixed_dictionaries({}, optional=VALUES)


def meaning(value: Any) -> Any:
    """Return what a free value means to a reader: a number is what it is written as, yes is yes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        if set(value) == {"value", "unit"} and all(isinstance(v, str) for v in value.values()):
            return f"{value['value']} {value['unit']}"
        return {k: meaning(v) for k, v in value.items()}
    return [meaning(v) for v in value] if isinstance(value, list) else value


def standing(fields: dict[str, Any], title: str = "t", reason: str = "") -> str:
    row = row_of(fields, title)
    return render(DEFINITION, held(row, reason) if reason else row, [SIGNED])


@given(TEXTS, TEXTS)
@example("a\u202eb", "a‹U+202E›b")
@example("e\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301‹U+0301›")
def test_two_lines_that_differ_are_told_differently(one: str, other: str) -> None:
    assert (spelled(one) == spelled(other)) == (one == other)
    assert unspelled(spelled(one)) == one


@given(TEXTS)
def test_nothing_unseen_turning_or_covering_is_left_in_what_is_signed(given_text: str) -> None:
    for line in standing({"text": given_text, "settings": {"a": [given_text]}}, given_text, given_text).split(
        "\n"
    ):
        for one in line:
            assert unicodedata.category(one) not in ("Cc", "Cf", "Co", "Zl", "Zp"), f"{ord(one):04X}"
        assert not re.search("[\u0300-\u036f]{4}", line)


@given(TEXTS)
def test_no_line_of_content_begins_where_the_rendering_speaks(given_text: str) -> None:
    """The lines with anything before the margin are those of a record that says nothing hostile."""
    everywhere = {
        "title": given_text, "text": given_text, "notes": [given_text] * 2, "settings": {"a": [given_text]},
        "report": {"name": given_text, "size": 1, "sha256": "ab" * 32},
        "checks": [{"what": given_text}],
    }  # fmt: skip
    harmless = {
        "title": "x", "text": "x", "notes": ["x"] * 2, "settings": {"a": ["x"]},
        "report": {"name": "x", "size": 1, "sha256": "ab" * 32},
        "checks": [{"what": "x"}],
    }  # fmt: skip
    assert speaking(standing(everywhere, given_text, given_text or "x")) == speaking(
        standing(harmless, "x", "x")
    )


def speaking(said: str) -> list[str]:
    """Return what stands before the margin, line by line, where anything does."""
    lines = [line for line in said.split("\n")[:-1]]
    assert all(len(line) <= GUTTER + 2 + WIDTH for line in lines)
    cut = [line[:GUTTER].rstrip() if line[GUTTER : GUTTER + 1] in ("│", "┆") else line for line in lines]
    return [one for one in cut if one]


@given(FIELDS_OF, FIELDS_OF)
def test_two_records_that_mean_different_things_never_print_the_same(one: Any, other: Any) -> None:
    assume(same(one) != same(other))
    assert standing(one) != standing(other)


@given(FIELDS_OF.filter(bool), st.data())
def test_one_change_anywhere_changes_what_is_signed(fields: Any, data: st.DataObject) -> None:
    """The other record differs in one field only, which is where two texts would fall together."""
    name = data.draw(st.sampled_from(sorted(fields)))
    other = fields | {name: data.draw(VALUES[name])}
    assume(same(fields) != same(other))
    assert standing(fields) != standing(other)


def same(fields: dict[str, Any]) -> dict[str, Any]:
    return {k: meaning(v) if k == "settings" else v for k, v in fields.items()}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"settings": {"a": ["b: c"]}}, {"settings": {"a": [{"b": "c"}]}}),
        ({"settings": {"a": ["- x"]}}, {"settings": {"a": [["x"]]}}),
        ({"settings": {"a": "x\nb: y"}}, {"settings": {"a": "x", "b": "y"}}),
        ({"settings": {"a": []}}, {"settings": {"a": "‹none›"}}),
        ({"settings": {"a": {}}}, {"settings": {"a": []}}),
        ({"settings": {"a": ""}}, {"settings": {"a": "‹empty›"}}),
        ({"settings": {"a": "“x”"}}, {"settings": {"a": "x"}}),
        ({"settings": {"a": " x"}}, {"settings": {"a": "x"}}),
        ({"settings": {"a": "x "}}, {"settings": {"a": "x"}}),
        ({"notes": ["a\n- b"]}, {"notes": ["a", "b"]}),
        ({"notes": []}, {"notes": ["‹none›"]}),
        ({"text": "x" * WIDTH + "y"}, {"text": "x" * WIDTH + "\ny"}),
        ({"text": "x\n"}, {"text": "x"}),
        ({"checks": [{"what": "1"}, {}]}, {"checks": [{"what": "1"}]}),
        ({"checks": [{}]}, {"checks": []}),
        ({"title": "a"}, {"text": "a"}),
        (
            {"report": {"name": "a\n1 bytes", "size": 1, "sha256": "x"}},
            {"report": {"name": "a", "size": 1, "sha256": "x"}},
        ),
    ],
)
def test_records_made_to_be_mistaken_for_each_other_are_not(one: Any, other: Any) -> None:
    assert standing(one) != standing(other)


def test_a_forged_signature_stays_inside_the_field_it_was_typed_in() -> None:
    own = standing({})
    block = own[own.index("Signatures") :].replace("Olga Operator", "Quinn Okafor")
    forged = sheet_of(standing({"text": "Fine.\n\n" + block}, "t\n\n" + block))
    assert [part.heading for part in forged.parts] == ["Record", "Content", "Signatures"]
    assert forged.parts[2] == sheet_of(own).parts[2], "who signed is who signed"
    assert "│ Signatures" in standing({"text": "Fine.\n\n" + block})


# --- the way from a sheet to its text and back ---------------------------------------------------

LABELS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).map(sheet.label)
LINES = st.lists(TEXTS.map(lambda t: spelled(t.replace("\n", ""))), min_size=1, max_size=3).map(tuple)
ENTRIES = st.builds(Entry, LABELS, LINES)
GRIDS = st.builds(
    Grid, LABELS, st.lists(st.lists(ENTRIES, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)
)
PARTS = st.builds(Part, LABELS, st.lists(st.one_of(ENTRIES, GRIDS), max_size=3).map(tuple))
SHEETS = st.builds(Sheet, LABELS, LABELS, st.lists(PARTS, max_size=3).map(tuple))


@given(SHEETS)
def test_every_sheet_is_read_back_from_its_text_as_it_was(one: Sheet) -> None:
    assert read(text(one)) == one


@given(
    st.one_of(
        st.text(max_size=80),
        SHEETS.map(text).map(lambda t: t + "x"),
        st.just(render(DEFINITION, row_of({}), (), 1)),
    )
)
def test_what_is_no_rendering_of_this_version_is_not_read_as_one(given_text: str) -> None:
    found = read(given_text)
    assert found is None or text(found) == given_text


def test_the_same_record_gives_the_same_text_whatever_order_its_values_came_in() -> None:
    turned = dict(reversed(list(copy.deepcopy(FIELDS).items())))
    turned["settings"] = dict(reversed(list(FIELDS["settings"].items())))
    turned["checks"] = [dict(reversed(list(row.items()))) for row in FIELDS["checks"]]
    assert standing(turned) == standing(FIELDS)
    assert printed(standing(turned))["Title"] == ("Lamp check",)
