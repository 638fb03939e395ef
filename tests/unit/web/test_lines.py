"""Objects of free shape are typed and read as lines of a name and a value; JSON is not asked of anybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.datastructures import FormData

from coverslip.kernel import words as w
from coverslip.web import lines
from coverslip.web.forms import inputs
from coverslip.web.lines import Line
from coverslip.web.typed import Typed

SETTINGS = {
    "camera": {"gain": 2, "name": "Orca 4", "cooled": True, "code": "12"},
    "channels": [{"dye": "DAPI", "power": "0.5"}, {"dye": "GFP", "power": "1"}],
}
FIELDS = {"settings": w.Field(w.Json(100_000), "Settings")}


def form(value: Any, **typed: str) -> FormData:
    """Return what a browser sends of the form that shows ``value``, with what is typed into it."""
    [one] = inputs(FIELDS, {"settings": value}, required=lambda n, f: False, choices=lambda k: ())
    assert one.kind == "Lines"
    sent = {"f.settings.there": "1"}
    for cell in (cell for row in one.rows for cell in row):
        sent |= {cell.name: cell.value} | ({f"{cell.name}.was": cell.kept} if cell.kept else {})
    return FormData(sent | typed)


def read(sent: FormData, base: Any = None) -> dict[str, object]:
    """Return the fields the door is given."""
    return Typed(sent, lambda upload: {}).fields(FIELDS, base)


def test_what_is_shown_as_lines_is_read_back_as_it_was() -> None:
    said = lines.lines(SETTINGS)
    assert said is not None
    assert Line("channels.1.dye", "DAPI", "text") in said
    assert lines.value(said) == SETTINGS
    assert read(form(SETTINGS)) == {"settings": SETTINGS}
    assert read(form(SETTINGS), {"settings": SETTINGS}) == {}


def test_a_person_adds_a_line_without_knowing_of_json() -> None:
    typed = {"f.settings.0.name": "Exposure time ms", "f.settings.0.value": "100"}
    more = {"f.settings.1.name": "objective", "f.settings.1.value": "20x / 0.8"}
    assert read(form(None, **typed, **more)) == {
        "settings": {"exposure_time_ms": 100, "objective": "20x / 0.8"}
    }
    assert read(form(None)) == {}


def test_an_emptied_object_is_taken_away() -> None:
    empty = {"f.settings.0.name": "", "f.settings.0.value": "", "f.settings.0.value.was": ""}
    assert read(form({"gain": 2}, **empty), {"settings": {"gain": 2}}) == {"settings": None}


@pytest.mark.parametrize("name", ["gain", "gain.more", ""])
def test_a_name_nobody_can_mean_goes_to_the_door_with_what_was_typed(name: str) -> None:
    found = lines.value([Line("gain", "1", ""), Line(name, "2", "")])
    assert found["gain"] == 1
    assert 2 in found.values()
    assert len(found) == 2


@pytest.mark.parametrize("value", [{"a": {}}, {"a": []}, {"a": "two\nlines"}, {"1": "x"}, [1], "text"])
def test_what_no_line_can_say_is_not_shown_as_lines(value: object) -> None:
    assert lines.lines(value) is None


def test_settings_read_off_a_file_fill_the_lines_of_the_form() -> None:
    given: dict[str, object] = {"settings": json.dumps(SETTINGS)}
    [one] = inputs(FIELDS, given, required=lambda n, f: False, choices=lambda k: ())
    assert [one.rows[0][0].value, one.rows[0][1].value] == ["camera.code", "12"]
    [raw] = inputs(FIELDS, {"settings": "{not"}, required=lambda n, f: False, choices=lambda k: ())
    assert raw.kind == "Json"
