"""Form template: the fields somebody fills in where no richer record type exists (DOMAIN 4.1, 4.4).

Rules kept here: every field has a name of its own and a kind; a form that does not compile is not submitted.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records.documents._document import AFTER_DRAFT, document_type

KINDS = ("text", "whole_number", "decimal", "date", "yes_no", "choice")
_COLUMNS = w.Table(
    {
        "name": w.Column(w.Text(60, 1, "[a-z][a-z0-9_]*")),
        "label": w.Column(w.Text(200)),
        "kind": w.Column(w.Enum(KINDS)),
        "needed": w.Column(w.Bool()),
        "unit": w.Column(w.Text(40), required=False),
        "low": w.Column(w.Decimal(), required=False),
        "high": w.Column(w.Decimal(), required=False),
        "choices": w.Column(w.Rich(4000), required=False),
    },
    max_rows=500,
)

TYPE = document_type(
    name="document_form",
    title="Form",
    purpose="A template whose fields are filled in and verified as a form record.",
    prefix="FRM",
    extra={
        "columns": w.Field(
            _COLUMNS,
            "Fields of the form",
            required_at=("in_review",),
            immutable_at=AFTER_DRAFT,
            critical=True,
            help="Choices are listed one per line.",
        ),
    },
    submit=(w.Rule("form_compiles", 1, message="The fields of the form are complete."),),
    predicate_rules=("21 CFR 211.100", "21 CFR 11.10(k)", "ISO 13485 4.2.5"),
)
