"""An edition of a standard, followed by the next one."""

from __future__ import annotations

from fix_world import Example, World


def _superseded(w: World) -> str:
    number = w.new("document_external", "in_use")
    w.to(w.revise(number, edition="2026", previous=f"{number} v1"), "in_use")
    return f"{number} v1"


EXAMPLE = Example(
    create=lambda w: {
        "title": "Quality management systems",
        "issuer": "ISO",
        "edition": "2016",
        "kind": "standard",
    },
    acts={"review": lambda w, row: {"assessment": "SOP-0001 already says so."}},
    consequences={"supersede": _superseded},
)
