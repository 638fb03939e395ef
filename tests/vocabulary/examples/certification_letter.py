"""A letter to the agency."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "organisation": "Test Lab",
        "sites": ["SITE-01"],
        "statement": "Our electronic signatures bind us as our handwriting does.",
        "signed_by": "Q. Quality",
        "addressee": "FDA",
        "channel": "electronic",
        "covers_from": w.day(),
    },
    acts={
        "sign_on_paper": lambda w, row: {"handwritten_scan": w.file()},
        "send": lambda w, row: {"sent_on": w.day()},
    },
)
