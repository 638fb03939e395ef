"""A letter that belongs to a study."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "subject": w.any("study"),
        "what": "Letter of the sponsor",
        "file": w.file("letter.pdf"),
    },
)
