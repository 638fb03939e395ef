"""A nucleus outlined on a raw image."""

from __future__ import annotations

from fix_world import Example

OUTLINE = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], ["9.5", 9], [1, 1]]]}


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
)
