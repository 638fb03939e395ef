"""A nucleus outlined on a raw image."""

from __future__ import annotations

from fix_world import Example, World

OUTLINE = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], ["9.5", 9], [1, 1]]]}


def _derived(w: World) -> str:
    parent = w.any("image", "available")
    return w.new("image", "available", name="A01 smoothed.tif", kind="derived", parents=[parent])


EXAMPLE = Example(
    create=lambda w: {
        "title": "Nucleus 1",
        "image": w.any("image", "available"),
        "geometry": OUTLINE,
        "coordinate_space": "pixel",
        "class": "nucleus",
        "blinded": True,
        "tool": "By hand, 1.0",
    },
    breaks={
        "create": {"Raw image is required": lambda w, row: {"image": _derived(w)}},
        "edit": {"is GeoJSON": lambda w, row: {"geometry": {"type": "Circle"}}},
    },
)
