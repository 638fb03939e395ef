"""Annotations as they are drawn over an image: paths in pixels of the original, each with its record.

Rules kept here: what is drawn is what the record says, in native pixel coordinates; what cannot be placed, a
mask or micrometres on an image that is not calibrated, is listed with the reason and not drawn. Voided
annotations are neither.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.rows import Row

_POINT_PX = 2.5
"""Radius of a point where the picture is shown whole, in thousandths of its width."""
_MOST_POINTS = 20_000
"""Points drawn of one annotation; one with more is listed and not drawn."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """One annotation of an image: ``path`` is empty where it is not drawn, and ``why`` says why not."""

    row: Row
    index: int
    path: str
    x: float
    y: float
    shape: str
    why: str = ""


def marks(rows: Iterable[Row], uid: str, about: Mapping[str, Any], voided: Iterable[str]) -> list[Mark]:
    """Return the annotations of the image ``uid`` in the order of their numbers."""
    left_out = set(voided)
    mine = [
        row
        for row in rows
        if row.state not in left_out
        and uid in {str((row.fields.get(name) or {}).get("uid", "")) for name in ("image", "raw_image")}
    ]
    ordered = sorted(mine, key=lambda row: (row.number, row.revision))
    return [_mark(row, place, about) for place, row in enumerate(ordered, 1)]


def _mark(row: Row, place: int, about: Mapping[str, Any]) -> Mark:
    geometry = row.fields.get("geometry")
    if not isinstance(geometry, dict):
        return Mark(row, place, "", 0, 0, "mask", "A mask is a file of the record.")
    shapes = list(_shapes(geometry))
    kinds = ", ".join(dict.fromkeys(_WORDS[kind] for kind, _ in shapes))
    count = sum(len(line) for _, lines in shapes for line in lines)
    shape = f"{kinds}, {count} {'point' if count == 1 else 'points'}"
    scale = _scale(row, about)
    if scale is None:
        return Mark(row, place, "", 0, 0, shape, "Drawn in micrometres; this image is not calibrated.")
    if not 0 < count <= _MOST_POINTS:
        return Mark(row, place, "", 0, 0, shape, "Too many points to draw here.")
    placed = [(kind, [[(x / scale[0], y / scale[1]) for x, y in line] for line in ls]) for kind, ls in shapes]
    points = [point for _, lines in placed for line in lines for point in line]
    radius = max(1.0, float(about["shape"]["x"]) * _POINT_PX / 1000)
    path = " ".join(part for kind, lines in placed for part in _path(kind, lines, radius))
    return Mark(row, place, path, min(x for x, _ in points), min(y for _, y in points), shape)


def _scale(row: Row, about: Mapping[str, Any]) -> Point | None:
    """Return how many units of the geometry a pixel has."""
    if row.fields.get("coordinate_space") == "pixel":
        return (1.0, 1.0)
    size = about.get("pixel_size_um")
    return (float(size["x"]), float(size.get("y", size["x"]))) if size else None


_WORDS = {
    "Point": "point",
    "MultiPoint": "points",
    "LineString": "line",
    "MultiLineString": "lines",
    "Polygon": "outline",
    "MultiPolygon": "outlines",
}


def _shapes(geometry: Mapping[str, Any]) -> Iterator[tuple[str, list[list[Point]]]]:
    """Yield (kind, lines of points) of a geometry as it is declared; what is no shape yields nothing."""
    kind = str(geometry.get("type"))
    for inner in (*geometry.get("features", ()), *geometry.get("geometries", ())):
        yield from _shapes(inner)
    if kind == "Feature":
        yield from _shapes(geometry["geometry"])
    if kind in _WORDS:
        found = list(_lines(geometry["coordinates"]))
        yield kind, found


def _lines(value: list[Any]) -> Iterator[list[Point]]:
    """Yield the lines of points in nested coordinates; a lone point is a line of one."""
    if not any(isinstance(one, list) for one in value):
        yield [_point(value)]
    elif all(isinstance(one, list) and one and not isinstance(one[0], list) for one in value):
        yield [_point(one) for one in value]
    else:
        for one in value:
            if isinstance(one, list):
                yield from _lines(one)


def _point(pair: list[Any]) -> Point:
    x, y = (float(number) for number in (*pair, 0, 0)[:2])
    return x, y


def _path(kind: str, lines: list[list[Point]], radius: float) -> Iterator[str]:
    for line in lines:
        if kind in ("Point", "MultiPoint"):
            for x, y in line:
                r = _text(radius)
                yield f"M{_text(x - radius)} {_text(y)}a{r} {r} 0 1 0 {_text(2 * radius)} 0"
                yield f"a{r} {r} 0 1 0 {_text(-2 * radius)} 0z"
        else:
            drawn = "L".join(f"{_text(x)} {_text(y)}" for x, y in line)
            yield f"M{drawn}{'z' if kind in ('Polygon', 'MultiPolygon') else ''}"


def _text(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else "0"
