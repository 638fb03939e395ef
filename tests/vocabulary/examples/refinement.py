"""A refinement: a field of the site's own beside tags, new each time."""

from __future__ import annotations

from uuid import uuid4

from fix_world import Example, World


def a_field_more(w: World) -> dict[str, object]:
    """Return the fields of a refinement that adds an optional field to a type."""
    step = {
        "word": "add_field",
        "name": f"site_{uuid4().hex[:12]}",
        "kind": {"word": "Text", "max_length": 40},
        "label": "Shelf",
    }
    return {
        "title": "Shelves of the site",
        "record_type": "tag",
        "patch": {"steps": [step]},
        "rationale": "We look for things by shelf.",
        "migration_note": "Nothing is asked of tags made before.",
        "test_evidence": "Tried on the training installation: the field is shown.",
    }


EXAMPLE = Example(create=a_field_more)
