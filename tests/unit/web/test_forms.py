"""Forms know kinds, never types: what is shown in an input, read back, is the same value."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings, strategies as st
from starlette.datastructures import FormData

from coverslip.kernel import words as w
from coverslip.web import forms
from coverslip.web.typed import Typed

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40
).map(str.strip).filter(bool)  # fmt: skip
VALUES: dict[str, tuple[w.Scalar, st.SearchStrategy[Any]]] = {
    "text": (w.Text(), TEXT),
    "whole": (w.Int(), st.integers(-(10**12), 10**12)),
    "truth": (w.Bool(), st.booleans()),
    "decimal": (w.Decimal(), st.decimals(-1000, 1000, places=3).map(str)),
    "amount": (w.Quantity("um"), st.decimals(0, 10, places=2).map(lambda d: {"value": str(d), "unit": "um"})),
    "choice": (w.Enum(("a_b", "c")), st.sampled_from(["a_b", "c"])),
    "json": (w.Json(), st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 9), min_size=1)),
}


def keep_nothing(upload: Any) -> dict[str, Any]:
    raise AssertionError("no file was given")


def typed(form: FormData, declared: Any, base: Any = None, zone: str = "UTC") -> dict[str, Any]:
    return Typed(form, keep_nothing, zone).fields(declared, base)


@pytest.mark.parametrize("name", VALUES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_shown_and_read_back_is_the_same(name: str, data: st.DataObject) -> None:
    kind, values = VALUES[name]
    value = data.draw(values)
    declared = {"x": w.Field(kind, "X")}
    form = FormData([("f.x", str(forms.shown(kind, value)))])
    assert typed(form, declared) == {"x": value}
    assert typed(form, declared, {"x": value}) == {}


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(TEXT, min_size=1, max_size=5))
def test_many_values_stand_one_a_line(lines: list[str]) -> None:
    declared = {"x": w.Field(w.Text(), "X", many=True)}
    form = FormData([("f.x", "\r\n".join(lines))])
    assert typed(form, declared) == {"x": lines}


def test_rows_left_empty_are_no_rows_and_gaps_close() -> None:
    table = w.Table({"a": w.Column(w.Text()), "n": w.Column(w.Int())})
    given_ = [("f.t.there", "1"), ("f.t.0.a", ""), ("f.t.0.n", ""), ("f.t.4.a", "x"), ("f.t.4.n", "3")]
    declared = {"t": w.Field(table, "T")}
    assert typed(FormData(given_), declared) == {"t": [{"a": "x", "n": 3}]}


def test_an_emptied_field_is_taken_away_in_an_edit_and_left_out_otherwise() -> None:
    declared = {"x": w.Field(w.Text(), "X")}
    form = FormData([("f.x", "  ")])
    assert typed(form, declared) == {}
    assert typed(form, declared, {"x": "was here"}) == {"x": None}


def test_a_field_that_is_not_in_the_form_says_nothing() -> None:
    declared = {"x": w.Field(w.Text(), "X")}
    assert typed(FormData([]), declared, {"x": "was here"}) == {}


def test_what_is_no_number_goes_on_as_it_was_typed() -> None:
    declared = {"x": w.Field(w.Int(), "X")}
    for text in ("12.5", "many", "1e3", "０"):
        assert typed(FormData([("f.x", text)]), declared) == {"x": text}


def test_what_is_needed_now_comes_first_and_nothing_is_lost() -> None:
    declared = {
        "a": w.Field(w.Text(), "A"),
        "b": w.Field(w.Text(), "B", required=True),
        "c": w.Field(w.Text(), "C", required_at=("in_review",)),
    }
    inputs = forms.inputs(declared, {}, required=lambda n, f: f.required, choices=lambda kind: ())
    groups = forms.grouped(inputs, declared)
    assert [[one.label for one in g.inputs] for g in groups] == [["B"], ["A"], ["C"]]
    assert groups[2].title == "Needed before in review"


def test_a_folded_group_with_a_problem_is_open() -> None:
    declared = {
        "a": w.Field(w.Text(), "A", required=True),
        "c": w.Field(w.Text(), "C", required_at=("done",)),
    }
    inputs = forms.inputs(
        declared, {}, required=lambda n, f: f.required, choices=lambda kind: (), errors={"c": "too long"}
    )
    assert [g.open for g in forms.grouped(inputs, declared)] == [False, True]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
@settings(max_examples=40, deadline=None)
@given(moment=st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2037, 1, 1)))
def test_an_instant_is_typed_in_the_zone_of_the_workstation_and_kept_in_utc(
    zone: str, moment: dt.datetime
) -> None:
    local = moment.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    instant = local.astimezone(dt.UTC)
    # An hour that a clock shows twice is taken as the first of the two.
    assume(local.replace(fold=1).utcoffset() == local.utcoffset())
    assume(instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(tzinfo=None))
    value = instant.isoformat().replace("+00:00", "Z")
    declared = {"x": w.Field(w.Instant(), "X")}
    form = FormData([("f.x", str(forms.shown(w.Instant(), value, zone=zone)))])
    assert typed(form, declared, zone=zone) == {"x": value}
    assert typed(form, declared, {"x": value}, zone=zone) == {}


def test_a_row_keeps_its_file_when_no_other_is_chosen() -> None:
    file = {"name": "a.pdf", "size": 1, "sha256": "0" * 64, "root": "1" * 64, "media_type": "text/plain"}
    table = w.Table({"what": w.Column(w.Text()), "proof": w.Column(w.File())})
    declared = {"t": w.Field(table, "T")}
    base = {"t": [{"what": "one", "proof": file}]}
    kept = [("f.t.there", "1"), ("f.t.0.what", "two"), ("f.t.0.proof.kept", "1" * 64)]
    assert typed(FormData(kept), declared, base) == {"t": [{"what": "two", "proof": file}]}
    assert typed(FormData([*kept[:1], ("f.t.0.what", "one"), kept[2]]), declared, base) == {}
    foreign = [*kept[:2], ("f.t.0.proof.kept", "2" * 64)]
    assert typed(FormData(foreign), declared, base) == {"t": [{"what": "two"}]}
