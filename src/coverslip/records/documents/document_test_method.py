"""Test or sampling method: how something is measured (DOMAIN 4.1)."""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records.documents._document import AFTER_DRAFT, document_type

TYPE = document_type(
    name="document_test_method",
    title="Test method",
    purpose="How something is sampled or measured, and what shows that the method is fit for it.",
    prefix="STM",
    extra={
        "applies_to": w.Field(w.Rich(5000), "Applies to", immutable_at=AFTER_DRAFT),
        "validation": w.Field(
            w.Link(()), "Validation evidence", many=True, help="Records that show the method is fit for use."
        ),
    },
    predicate_rules=("21 CFR 211.160(b)", "21 CFR 211.165(e)", "21 CFR 11.10(k)"),
)
