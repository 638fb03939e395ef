"""A role of its own, granted to nobody."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _proposed(w: World, row: Row) -> None:
    w.do(row.number, "propose_documents")


EXAMPLE = Example(
    create=lambda w: {"code": w.letters(), "title": "Librarian", "description": "Keeps the archive."},
    acts={"propose_documents": lambda w, row: {"proposed_documents": [w.any("document_sop")]}},
    before={"approve_documents": _proposed},
)
