"""A hold on a record of its own."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {"subject": w.new("image_set"), "reason": "The label of the slide is smudged."}
)
