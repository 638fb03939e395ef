"""A letter of certification for the laboratory's site."""

from __future__ import annotations

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "organisation": "Test Lab",
        "sites": [w.any("site")],
        "statement": "Our signatures bind.",
        "signed_by": "Q",
        "addressee": "FDA",
        "channel": "electronic",
        "covers_from": w.day(),
    },
    acts={
        "sign_on_paper": lambda w, row: {"handwritten_scan": w.file()},
        "send": lambda w, row: {"sent_on": w.day()},
    },
)
