"""A role of its own kind; codes are never used again."""

from __future__ import annotations

from random import choices
from string import ascii_uppercase

from fix_world import Example

EXAMPLE = Example(
    create=lambda w: {
        "code": "".join(choices(ascii_uppercase, k=8)),
        "title": "Microtomist",
        "description": "Cuts sections.",
    },
    acts={"propose_documents": lambda w, row: {"proposed_documents": [w.any("document_sop")]}},
    before={"approve_documents": lambda w, row: w.do(row.number, "propose_documents")},
)
