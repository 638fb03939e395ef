"""A specification with one limit."""

from __future__ import annotations

from fix_documents import document_example

EXAMPLE = document_example(
    "document_specification",
    limits=[{"characteristic": "Illumination uniformity", "unit": "%", "low": "90"}],
)
