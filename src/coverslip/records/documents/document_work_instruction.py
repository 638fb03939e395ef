"""Work instruction: how one task is done, below an SOP (DOMAIN 4.1)."""

from __future__ import annotations

from coverslip.records.documents._document import document_type

TYPE = document_type(
    name="document_work_instruction",
    title="Work instruction",
    purpose="How one task is done, step by step.",
    prefix="WI",
    predicate_rules=("21 CFR 211.100", "21 CFR 11.10(k)", "ISO 13485 4.2.4"),
)
