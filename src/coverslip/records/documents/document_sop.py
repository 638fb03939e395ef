"""Standard operating procedure: the text that governs work (DOMAIN 4.1, 12.2)."""

from __future__ import annotations

from coverslip.records.documents._document import SINCE_TRAINING_OPENS, document_type

TYPE = document_type(
    name="document_sop",
    title="SOP",
    version=2,
    migration_note=SINCE_TRAINING_OPENS,
    purpose="How work is done; the version in force is the one people are trained on.",
    prefix="SOP",
    predicate_rules=("21 CFR 211.100", "21 CFR 11.10(k)", "ISO 13485 4.2.4"),
)
