"""A form filled in at the bench, all of it typed."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "title": "Buffer of today",
        "template": w.row(w.any("document_form", "effective")).label,
        "values": [{"name": "ph", "value": "7.1", "source": "typed"}],
    },
)
