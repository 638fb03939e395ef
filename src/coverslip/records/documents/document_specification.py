"""Specification: what something must be, with its limits (DOMAIN 4.1).

Rules kept here: limits are decimals with a unit and a test method, part of the approved version.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records.documents._document import AFTER_DRAFT, document_type

_LIMITS = w.Table(
    {
        "characteristic": w.Column(w.Text(200)),
        "unit": w.Column(w.Text(40), required=False),
        "low": w.Column(w.Decimal(), required=False),
        "high": w.Column(w.Decimal(), required=False),
        "criterion": w.Column(w.Text(500), required=False),
        "method": w.Column(w.Link(("document_test_method", "document_sop"), "none"), required=False),
    },
    max_rows=500,
)

TYPE = document_type(
    name="document_specification",
    title="Specification",
    purpose="What a material, product or result must be.",
    prefix="SPEC",
    extra={"limits": w.Field(_LIMITS, "Limits", immutable_at=AFTER_DRAFT, critical=True)},
    predicate_rules=("21 CFR 211.160", "21 CFR 11.10(k)", "ISO 13485 4.2.3"),
)
