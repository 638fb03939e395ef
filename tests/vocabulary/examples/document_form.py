"""A form of two fields."""

from __future__ import annotations

from fix_documents import document_example

EXAMPLE = document_example(
    "document_form",
    columns=[
        {"name": "ph", "label": "pH", "kind": "decimal", "needed": True, "low": "6.8", "high": "7.4"},
        {"name": "dye", "label": "Dye", "kind": "choice", "needed": False, "choices": "DAPI\nHoechst"},
    ],
)
