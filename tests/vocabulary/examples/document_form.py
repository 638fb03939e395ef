"""A form of two fields."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_documents import document_example
from fix_world import World


def _twice(w: World, row: Row) -> None:
    column = row.fields["columns"][0]
    w.do(row.number, "edit", columns=[column, column])


EXAMPLE = document_example(
    "document_form",
    breaks={"submit": {"fields of the form are complete": _twice}},
    columns=[
        {"name": "ph", "label": "pH", "kind": "decimal", "needed": True, "low": "6.8", "high": "7.4"},
        {"name": "dye", "label": "Dye", "kind": "choice", "needed": False, "choices": "DAPI\nHoechst"},
    ],
)
