"""Plates: wells are read from positions, cells are means of what was recorded, nothing is left out."""

from __future__ import annotations

import pytest

from coverslip.web.plate import plate, well_of


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("9987_B02_s1_w1.TIF", "B02"),
        ("C5", "C05"),
        ("well H12 field 3", "H12"),
        ("P24", "P24"),
        ("Q01", ""),
        ("A25", ""),
        ("A0", ""),
        ("IMG-2026-000001", ""),
        ("AB12", ""),
        ("", ""),
    ],
)
def test_a_well_is_read_from_a_position_or_it_is_none(text: str, well: str) -> None:
    assert well_of(text) == well


def row(position: str, value: str | None, status: str = "within", digits: int = 0) -> dict[str, object]:
    found: dict[str, object] = {
        "position": position, "quantity_name": "count", "unit": "1", "digits": digits, "status": status,
    }  # fmt: skip
    return found if value is None else found | {"value": value}


def cell(found, name: str):  # type: ignore[no-untyped-def]
    return next(w for _, wells in found.rows for w in wells if w.name == name)


def test_a_cell_is_the_mean_of_its_fields_and_says_of_how_many() -> None:
    rows = [row("IMG-1", "10"), row("IMG-2", "20"), row("IMG-3", "90")]
    found = plate(rows, "count", {"IMG-1": "B02", "IMG-2": "B02", "IMG-3": "C03"})
    assert cell(found, "B02").text == "15"
    assert cell(found, "B02").fields == ("IMG-1", "IMG-2")
    assert (cell(found, "B02").step, cell(found, "C03").step) == (0, 8)
    assert found.wells == 2
    assert len(found.rows) == 8
    assert found.columns == 12


def test_what_the_method_could_not_evaluate_is_marked_and_not_averaged_away() -> None:
    rows = [row("IMG-1", None, "not_evaluable"), row("IMG-2", "4")]
    found = plate(rows, "count", {"IMG-1": "A01", "IMG-2": "A01"})
    assert cell(found, "A01").not_evaluable == 1
    assert cell(found, "A01").text == "4"
    nothing = plate([row("IMG-1", None, "not_evaluable")], "count", {"IMG-1": "A01"})
    assert (cell(nothing, "A01").step, cell(nothing, "A01").not_evaluable) == (-1, 1)


def test_a_plate_grows_to_384_wells_when_a_position_asks_for_it() -> None:
    found = plate([row("P24", "1")], "count", {})
    assert (len(found.rows), found.columns) == (16, 24)


def test_another_quantity_is_not_mixed_in() -> None:
    rows = [row("A01", "1"), row("A01", "100") | {"quantity_name": "area"}]
    assert cell(plate(rows, "count", {}), "A01").text == "1"
