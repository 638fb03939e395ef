"""Policy: what the organisation binds itself to; one policy governs electronic signatures.

Rules kept here: while a version with ``governs_signatures`` is in force, only those who acknowledged
it sign (11.10(j)); acknowledgements of the version before it close with it.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records.documents._document import AFTER_DRAFT, SINCE_TRAINING_OPENS, document_type

TYPE = document_type(
    name="document_policy",
    title="Policy",
    version=2,
    migration_note=SINCE_TRAINING_OPENS,
    purpose="What the organisation binds itself to.",
    prefix="POL",
    extra={
        "governs_signatures": w.Field(
            w.Bool(),
            "Governs electronic signatures",
            default=False,
            critical=True,
            immutable_at=AFTER_DRAFT,
        ),
    },
    ending=(
        w.DoEach("esign_acknowledgement", "policy", "supersede"),
        w.DoEach("policy_notice", "policy", "supersede"),
    ),
    provides=(w.GovernsSignatures(("effective",), "governs_signatures"),),
    predicate_rules=("21 CFR 11.10(j)", "21 CFR 11.10(k)"),
)
