"""Periodic review of a system: is it still in its validated state (DOMAIN 8.19, Annex 11 §11)?

Rules kept here: every required input is looked at before anybody approves; the owner of the system signs as
author and quality approves; the next review starts itself.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void

INPUTS = (
    "changes",
    "deviations",
    "incidents",
    "access_reviews",
    "audit_trail_reviews",
    "restore_tests",
    "training",
    "backup",
    "vendor_news",
    "regulation",
    "validation_status",
)
"""What every review looks at."""


@rule("required_inputs", 1)
def required_inputs(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the inputs recorded, and an empty row for each required one that is not."""
    rows = list(inp.fields.get("inputs") or ())
    there = {row["input"] for row in rows}
    return rows + [{"input": name} for name in INPUTS if name not in there]


@rule("inputs_complete", 1)
def inputs_complete(inp: RuleInput) -> str | None:
    """Ask that every required input was looked at and its finding recorded."""
    done = {
        row["input"] for row in inp.fields.get("inputs") or () if row.get("looked_at") and row.get("finding")
    }
    missing = [name.replace("_", " ") for name in INPUTS if name not in done]
    return f"Every required input is looked at (missing: {', '.join(missing)})." if missing else None


_LOOKED = w.Table(
    {
        "input": w.Column(w.Enum((*INPUTS, "other"))),
        "looked_at": w.Column(w.Text(1000), required=False),
        "finding": w.Column(w.Text(2000), required=False),
        "action": w.Column(w.Text(1000), required=False),
        "record": w.Column(w.Link(()), required=False),
    },
    max_rows=200,
)
_LATER = ("in_review", "approved", "voided")
_OWNERS = ("ENG", "QA", "SEC")
_COMPLETE = w.Rule("inputs_complete", 1, message="Every required input is looked at.")
_ORDERED = w.Compare(("period_from",), "le", other=("period_to",), message="The period ends after it begins.")


def _copied(*names: str) -> dict[str, w.Value]:
    return {name: w.Value("path", path=(name,)) for name in names}


TYPE = w.Type(
    name="system_review",
    title="Periodic system review",
    version=1,
    purpose="Whether a system is still as it was validated, judged from what happened since.",
    number=w.Number("PSR", 2, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "system": w.Field(
            w.Link(("scope_item",), "none"),
            "System",
            required=True,
            immutable_at=("due", *_LATER),
            critical=True,
        ),
        "previous": w.Field(
            w.Link(("system_review",), "none"), "Review before", immutable_at=("due", *_LATER)
        ),
        "period_from": w.Field(w.Date(), "From", required=True, immutable_at=_LATER, critical=True),
        "period_to": w.Field(w.Date(), "To", required=True, immutable_at=_LATER, critical=True),
        "due_on": w.Field(w.Date(), "To be approved by", required=True, immutable_at=_LATER),
        "every_months": w.Field(
            w.Int(1, 36), "Again after (months)", default=12, help="Shorter where the risk is high."
        ),
        "inputs": w.Field(
            _LOOKED, "What was looked at", required_at=("in_review", "approved"), critical=True
        ),
        "conclusion": w.Field(
            w.Enum(("validated_state_kept", "actions_needed", "revalidate")),
            "Conclusion",
            required_at=("approved",),
            critical=True,
        ),
        "conclusion_text": w.Field(w.Rich(10_000), "Why", required_at=("approved",)),
    },
    states=(
        w.State("due"),
        w.State("in_review"),
        w.State("approved", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("QA", "ENG", "SEC", "SVC"), "due"),
    edit=w.Editing(("QA", "ENG", "SEC"), ("due",), requires=(_ORDERED,)),
    persons={
        "owner": w.PersonAt(("system", "owner")),
        "author": w.Signer("authored"),
        "recorders": w.Actor("record"),
        "editors": w.Actor("edit"),
    },
    transitions=(
        w.Transition(
            "start",
            "Start",
            ("due",),
            "in_review",
            _OWNERS,
            ("owner",),
            requires=(_ORDERED,),
            effects=(w.Compute("inputs", w.Rule("required_inputs", 1)),),
        ),
        w.Transition(
            "record",
            "Record what was found",
            ("in_review",),
            "",
            _OWNERS,
            ("owner",),
            fields=("inputs", "conclusion", "conclusion_text", "every_months"),
            clears=("authored",),
        ),
        w.Transition(
            "sign",
            "Sign as owner of the system",
            ("in_review",),
            "",
            persons=("owner",),
            requires=(
                _COMPLETE,
                w.Compare(("conclusion",), "present", message="A conclusion is drawn."),
            ),
            signature=signing("authored", "This is what I found out about my system in this period."),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("in_review",),
            "approved",
            ("QA",),
            requires=(
                _COMPLETE,
                w.Signed("authored", message="The owner of the system has signed."),
                w.Reached(("period_to",), "The period under review is over (it ends {date})."),
            ),
            effects=(
                w.Create(
                    "system_review",
                    "previous",
                    {
                        **_copied("title", "system", "every_months"),
                        "period_from": w.Value("path", path=("period_to",), days=1),
                        "period_to": w.Value("path", path=("period_to",), months_at=("every_months",)),
                        "due_on": w.Value("path", path=("period_to",), months_at=("every_months",), days=30),
                    },
                ),
            ),
            signature=signing(
                "approved",
                "I approve this review and its conclusion.",
                ("QA",),
                ("author", "recorders", "editors"),
            ),
        ),
        void(("due", "in_review")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "system", "period_to", "due_on", "conclusion"),
    predicate_rules=("EU GMP Annex 11 §11",),
    due="due_on",
)
