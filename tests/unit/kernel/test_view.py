"""What is signed, as people read it: words instead of names, and nothing looked up elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel import words as w
from coverslip.kernel.definition import Catalogue, define
from coverslip.kernel.sheet import Entry, Grid
from coverslip.kernel.telling import told
from coverslip.kernel.view import render, render_new, sheet
from coverslip.records import all_types
from fix_view import FIELDS, SIGNED, TYPE, definition, held, printed, row_of, sheet_of, signed_by

TEXT = render(definition(), row_of(FIELDS), [SIGNED])


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("How far", ("in work",)),
        ("Passed", ("no",)),
        ("How many", ("3",)),
        ("Share", ("0.50",)),
        ("Pixel width", ("0.325 um",)),
        ("Day", ("2026-11-20",)),
        ("Seen at", ("2026-11-20 14:32:07.12 UTC",)),
        ("Subject", ("SOP-0012 v3, entry version 4 (hash abababababababab…)",)),
        ("Report", ("lamp.pdf", "1.2 MB (1,234,567 bytes)", f"sha256 {'cd' * 32}")),
        ("Notes", ("- cold start", "- door open")),
        ("Old field (of an earlier definition)", ("kept",)),
    ],
)
def test_a_value_is_told_in_words(label: str, lines: tuple[str, ...]) -> None:
    assert printed(TEXT)[label] == lines


def test_long_text_keeps_its_lines() -> None:
    assert "\n".join(printed(TEXT)["What was seen"]) == FIELDS["text"]


def test_settings_are_names_and_values_and_never_braces() -> None:
    assert printed(TEXT)["Settings of the microscope, all of them"] == (
        "channels:",
        "  - DAPI",
        "  - name: “note: GFP”",
        "comment: ‹text›",
        "    a",
        "    b",
        "lamp:",
        "  hours: 12",
        "  on: yes",
        "nothing here: ‹none›",
        "pixel size: 0.65 um",
    )


def test_a_table_has_labels_in_the_declared_order_whatever_order_its_rows_came_in() -> None:
    (table,) = [one for part in sheet_of(TEXT).parts for one in part.items if one.label == "Checks"]
    assert isinstance(table, Grid)
    assert table.columns == ("What", "Result", "Seen at")
    assert table.cells == (
        (("lamp",), ("pass",), ()),
        (("shutter",), ("not applicable",), ("2026-11-20 14:00:00 UTC",)),
    )


def test_a_signature_shows_name_role_in_words_time_and_meaning() -> None:
    assert signed_by(TEXT, "Olga Operator") == {
        "Name": "Olga Operator",
        "As": "Operator",
        "Time": "2026-11-20 15:00:00 UTC (10:00:00 −05:00 America/New_York)",
        "Meaning": "executed: I did this as recorded.",
        "Entry version": "2",
    }


def test_an_unsigned_record_says_so_and_a_hold_is_shown_with_its_reason() -> None:
    parts = {p.heading: p.items for p in sheet(definition(), held(row_of({}), "A question.")).parts}
    assert parts["Signatures"] == (Entry("Signed by", ("‹none›",)),)
    assert parts["On hold"] == (Entry("HLD-0001", ("A question.",)),)
    assert "On hold" not in {p.heading for p in sheet(definition(), row_of({})).parts}


def test_a_sandbox_record_never_reads_as_a_regulated_one() -> None:
    assert "│ no: SANDBOX" in render(definition(), row_of({}, content={"sandbox": True}))
    assert "│ yes: GMP" in render(definition(), row_of({}))
    assert "│ yes" not in render(definition(), row_of({}, gxp="none"))


def test_the_title_of_a_linked_record_is_no_part_of_it() -> None:
    titled = FIELDS["subject"] | {"hash": "ab" * 32}
    assert render(definition(), row_of(FIELDS | {"subject": titled}), [SIGNED]) == TEXT


def test_a_link_that_follows_the_newest_version_claims_no_version() -> None:
    assert told(w.Link((), "none"), {"type": "user", "uid": "1", "number": "USR-0004"}) == ("USR-0004",)


def test_two_fields_called_the_same_are_told_apart() -> None:
    fields = {"one": w.Field(w.Text(), "Remark"), "two": w.Field(w.Text(), "Remark")}
    twice = define(w.Type(**{n: getattr(TYPE, n) for n in TYPE.__struct_fields__} | {"fields": fields}))
    first, second = (render(twice, row_of({name: "x"})) for name in fields)
    both = printed(render(twice, row_of({"one": "x", "two": "y"})))
    assert both == {"Remark ‹one›": ("x",), "Remark ‹two›": ("y",)}
    assert first != second, "the same words in another field are another record"


def test_what_is_about_to_be_made_is_told_by_its_labels_too() -> None:
    said = render_new(
        definition(), {"title": "New", "subject": "SOP-0012", "passed": True, "unknown": [1, None]}
    )
    assert sheet_of(said).name == "New check sheet"
    assert printed(said) == {
        "Title": ("New",),
        "Passed": ("yes",),
        "Subject": ("SOP-0012",),
        "Unknown (of an earlier definition)": ("- 1", "- ‹nothing›"),
    }


@pytest.mark.parametrize("value", [{"a": [{}]}, [[[]]], 1.5, None, "x", {"type": 1, "number": None}, [None]])
@pytest.mark.parametrize("name", sorted(TYPE.fields))
def test_what_was_typed_is_told_whatever_it_is(name: str, value: Any) -> None:
    assert sheet_of(render_new(definition(), {name: value})).parts[0].items


def test_a_value_nested_without_end_is_told_to_an_end() -> None:
    deep: Any = "end"
    for _ in range(400):
        deep = {"a": [deep]}
    (lines,) = printed(render_new(definition(), {"settings": deep})).values()
    assert lines[-1].strip() == "‹nested deeper than 64›"


def test_a_definition_read_back_from_the_log_prints_in_the_declared_order() -> None:
    own = definition()
    newer = define(w.Type(**{n: getattr(TYPE, n) for n in TYPE.__struct_fields__} | {"title": "Newer"}))
    found = Catalogue(all_types()).having([newer]).recalling(lambda: {own.hash: own.canonical})
    assert render(found.under("check_sheet", own.hash), row_of(FIELDS), [SIGNED]) == TEXT
