"""Policy: what the organisation binds itself to; one policy governs electronic signatures.

Rules kept here: while a version with ``governs_signatures`` is in force, only those who acknowledged
it sign (11.10(j)).
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records.documents._document import document_type

TYPE = document_type(
    name="document_policy",
    title="Policy",
    purpose="What the organisation binds itself to.",
    prefix="POL",
    extra={
        "governs_signatures": w.Field(
            w.Bool(),
            "Governs electronic signatures",
            default=False,
            critical=True,
            immutable_at=("in_review", "in_approval", "approved", "effective", "superseded", "obsolete"),
        ),
    },
    provides=(w.GovernsSignatures(("effective",), "governs_signatures"),),
    predicate_rules=("21 CFR 11.10(j)", "21 CFR 11.10(k)"),
)
