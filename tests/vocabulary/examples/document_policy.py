"""A policy that governs no signatures whose audience is nobody yet."""

from __future__ import annotations

from fix_documents import document_example

EXAMPLE = document_example("document_policy")
