"""A form filled in at the bench, all of it typed."""

from __future__ import annotations

from fix_world import Example

OUTSIDE = [{"name": "ph", "value": "9", "source": "typed"}]
OTHER = [{"name": "dye", "value": "DAPI", "source": "typed"}]

EXAMPLE = Example(
    create=lambda w: {
        "title": "Buffer of today",
        "template": w.row(w.any("document_form", "effective")).label,
        "values": [{"name": "ph", "value": "7.1", "source": "typed"}],
    },
    breaks={
        "create": {"fits its field": lambda w, row: {"values": OUTSIDE}},
        "edit": {"fits its field": lambda w, row: {"values": OUTSIDE}},
        "complete": {
            "fits its field": lambda w, row: {"values": OUTSIDE},
            "needed field is filled in": lambda w, row: {"values": OTHER},
        },
    },
)
