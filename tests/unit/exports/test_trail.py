"""Trail rows: computed from two contents, nothing lost, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from coverslip.exports import trail
from coverslip.verifier.sections import FileItem


def _content(**fields: Any) -> dict[str, Any]:
    return {"content": {"type": "image", "number": "IMG-1", "state": "draft", "fields": fields}}


def test_only_fields_that_differ_make_rows() -> None:
    before, after = _content(a="1", b="2", c="3"), _content(a="1", b="x", d="4")
    assert trail.changes(before, after) == [
        ("fields.b", "2", "x"), ("fields.c", "3", ""), ("fields.d", "", "4"),
    ]  # fmt: skip


def test_an_unchanged_version_makes_no_row() -> None:
    assert trail.changes(_content(a=[1, {"b": True}]), _content(a=[1, {"b": True}])) == []


def test_rows_of_a_table_are_compared_one_by_one() -> None:
    before = _content(rows=[{"n": 1}, {"n": 2}])
    after = _content(rows=[{"n": 1}, {"n": 5}, {"n": 6}])
    assert trail.changes(before, after) == [("fields.rows.1.n", "2", "5"), ("fields.rows.2.n", "", "6")]


def test_a_link_is_one_value() -> None:
    link = {"type": "document", "uid": "u", "number": "POL-1", "version": 1, "hash": "h"}
    rows = trail.changes(_content(), _content(policy=link))
    assert [name for name, _, _ in rows] == ["fields.policy"]
    assert json.loads(rows[0][2]) == link


def test_files_are_compared_by_path() -> None:
    old, new = FileItem("a.tif", 1, "1" * 64, "2" * 64), FileItem("a.tif", 1, "3" * 64, "4" * 64)
    assert trail.changes({"files": [old]}, {"files": [new]}) == [("files.a.tif", "1" * 64, "3" * 64)]


def test_what_cannot_be_seen_is_said_never_shown_as_empty() -> None:
    hidden = trail.changes({"personal": {"name": "Ada"}}, {}, {"personal"})
    assert hidden == [("personal", "", trail.ABSENT)]
    again = trail.changes({}, {"personal": {"name": "Ada"}}, frozenset(), {"personal"})
    assert again == [("personal.name", trail.ABSENT, "Ada")]


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'quoted", "-"]
)
def test_a_formula_is_neutralised(cell: str) -> None:
    assert trail.neutral(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-1.5", "+3", "12", "plain", "a=b", "", "1-2"])
def test_plain_values_are_left_alone(cell: str) -> None:
    assert trail.neutral(cell) == cell


def test_csv_and_json_hold_the_same_rows() -> None:
    values: dict[str, Any] = {name: f'{name} "x", é\n' for name in trail.COLUMNS}
    row = trail.Row(**{**values, "index": 7, "version": 2, "new": "=1+1"})
    text = (trail.csv_head() + trail.csv_row(row)).decode()
    (cells,) = csv.DictReader(io.StringIO(text, newline=""))
    (value,) = json.loads(b"".join(trail.json_pieces([row])))
    assert cells["new"] == "'=1+1" and value["new"] == "=1+1"
    assert {k: str(v) for k, v in value.items() if k != "new"} == {
        k: v for k, v in cells.items() if k != "new"
    }


def test_a_trail_without_rows_is_still_a_document() -> None:
    assert json.loads(b"".join(trail.json_pieces([]))) == []
