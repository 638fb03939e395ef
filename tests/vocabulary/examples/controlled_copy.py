"""A copy of a work instruction on paper, held by somebody at the bench."""

from __future__ import annotations

from fix_world import Example, World


def _recalled(w: World) -> str:
    document = w.new("document_sop", "effective")
    copy = w.new("controlled_copy", document=f"{document} v1")
    w.do(document, "obsolete")
    return copy


EXAMPLE = Example(
    create=lambda w: {
        "document": w.row(w.any("document_work_instruction", "effective")).label,
        "medium": "paper",
        "holder": w.any("user"),
        "purpose": "Read beside the microscope.",
    },
    breaks={"create": {"is not a reason": lambda w, row: {"purpose": "print"}}},
    acts={
        "destroy": lambda w, row: {"fate": "Shredded at the bench."},
        "lose": lambda w, row: {"fate": "Not found after moving house."},
    },
    consequences={"recall": _recalled},
)
