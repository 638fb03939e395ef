"""Annotations over an image: drawn where the record says, or listed with why they are not."""

from __future__ import annotations

from typing import Any

import pytest

from coverslip.kernel.rows import Row
from coverslip.web.marks import marks
from fix_rules import row as row_of

ABOUT: dict[str, Any] = {"shape": {"x": 200, "y": 100}}
SQUARE = {"type": "Polygon", "coordinates": [[[10, 20], [30, 20], ["30.5", 40], [10, 20]]]}


def annotation(geometry: Any, number: str = "ANN-1", state: str = "final", **more: Any) -> Row:
    fields = {"image": {"uid": "image-1"}, "coordinate_space": "pixel"} | more
    if geometry is not None:
        fields["geometry"] = geometry
    return row_of(number, fields, state=state, kind="annotation")


def drawn(geometry: Any, about: dict[str, Any] = ABOUT, **more: Any) -> str:
    return marks([annotation(geometry, **more)], "image-1", about, ["void"])[0].path


def test_an_outline_is_drawn_in_pixels_of_the_original() -> None:
    [one] = marks([annotation(SQUARE)], "image-1", ABOUT, ["void"])
    assert one.path == "M10 20L30 20L30.5 40L10 20z"
    assert (one.x, one.y, one.shape) == (10, 20, "outline, 4 points")


@pytest.mark.parametrize(
    ("geometry", "path"),
    [
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "M1 2L3 4"),
        ({"type": "Point", "coordinates": [5, 6]}, "M4 6a1 1 0 1 0 2 0 a1 1 0 1 0 -2 0z"),
        ({"type": "Feature", "geometry": SQUARE}, "M10 20L30 20L30.5 40L10 20z"),
        (
            {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 1]}]},
            "M0 1a1 1 0 1 0 2 0 a1 1 0 1 0 -2 0z",
        ),
        ({"type": "MultiPolygon", "coordinates": [SQUARE["coordinates"]]}, "M10 20L30 20L30.5 40L10 20z"),
    ],
)  # fmt: skip
def test_every_declared_shape_is_drawn(geometry: dict[str, Any], path: str) -> None:
    assert drawn(geometry) == path


def test_micrometres_are_placed_by_the_calibration_or_not_at_all() -> None:
    calibrated = ABOUT | {"pixel_size_um": {"x": "0.5", "y": "0.5"}}
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    assert drawn(line, calibrated, coordinate_space="micrometre") == "M2 4L6 8"
    [one] = marks([annotation(line, coordinate_space="micrometre")], "image-1", ABOUT, ["void"])
    assert not one.path
    assert "not calibrated" in one.why


def test_a_mask_is_listed_and_not_drawn() -> None:
    [one] = marks([annotation(None)], "image-1", ABOUT, ["void"])
    assert (one.path, one.shape) == ("", "mask")


def test_voided_annotations_and_those_of_another_image_are_left_out() -> None:
    rows = [annotation(SQUARE, "ANN-2", "void"), annotation(SQUARE, "ANN-3", image={"uid": "image-2"})]
    assert marks(rows, "image-1", ABOUT, ["void"]) == []


def test_annotations_are_numbered_in_the_order_of_their_records() -> None:
    found = marks([annotation(SQUARE, "ANN-2"), annotation(SQUARE, "ANN-1")], "image-1", ABOUT, ["void"])
    assert [(one.index, one.row.number) for one in found] == [(1, "ANN-1"), (2, "ANN-2")]


def test_too_many_points_are_listed_and_not_drawn() -> None:
    line = {"type": "LineString", "coordinates": [[n, n] for n in range(20_001)]}
    [one] = marks([annotation(line)], "image-1", ABOUT, ["void"])
    assert (one.path, one.why) == ("", "Too many points to draw here.")
