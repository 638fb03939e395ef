"""A test method, with what it applies to."""

from __future__ import annotations

from fix_documents import document_example

EXAMPLE = document_example("document_test_method", applies_to="Slides of kidney sections.")
