"""Refinement: what a site adds to a shipped record type (DOMAIN 2.6, DESIGN law 3).

Rules kept here: author and approver differ; what was submitted is what comes into force; it never changes
while it is in force, and once withdrawn it does not come back.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_SUBMITTED = ("in_review",)
_EVER = ("in_review", "in_force", "withdrawn")

TYPE = w.Type(
    name="refinement",
    title="Refinement",
    version=1,
    purpose="Adds fields, conditions and limits of the site to a shipped record type; it never loosens one.",
    number=w.Number("RFN"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(200, 5), "Title", required=True),
        "record_type": w.Field(
            w.Text(80, 1, "[a-z][a-z0-9_]*"),
            "Record type",
            required=True,
            immutable_at=_EVER,
            critical=True,
            help="The name of the type, such as image_set; 'coverslip type list' shows them.",
        ),
        "patch": w.Field(
            w.Json(60_000),
            "What is added",
            required=True,
            immutable_at=_EVER,
            critical=True,
            help="Steps in the words of docs/how-to/refine-a-type.md. Try it with 'coverslip type refine'.",
        ),
        "rationale": w.Field(w.Rich(4000), "Why", required_at=_SUBMITTED),
        "migration_note": w.Field(
            w.Rich(4000),
            "What becomes of records made before",
            required_at=_SUBMITTED,
            help="Which of them are unfinished, and who gives what they will be asked for.",
        ),
        "test_evidence": w.Field(
            w.Rich(8000),
            "How it was tried",
            required_at=_SUBMITTED,
            critical=True,
            help="What was done on a trial installation, and what was seen.",
        ),
        "evidence": w.Field(w.File(), "Files of the trial", many=True),
        "change": w.Field(w.Link(("change",), "version"), "Change control"),
    },
    states=(
        w.State("draft"),
        w.State("in_review", locked=True),
        w.State("in_force", locked=True, effective=True, resting=True),
        w.State("withdrawn", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("AUT", "ENG", "QA"), "draft"),
    edit=w.Editing(("AUT", "ENG", "QA"), ("draft",)),
    persons={"author": w.Touched(), "submitter": w.Actor("submit")},
    transitions=(
        w.Transition(
            "submit",
            "Submit",
            ("draft",),
            "in_review",
            ("AUT", "ENG", "QA"),
            signature=signing("authored", "I wrote this refinement and tried it.", ("AUT", "ENG", "QA")),
        ),
        w.Transition("reject", "Return", ("in_review",), "draft", ("QA",), reason=w.Reason(), aside=True),
        w.Transition(
            "approve",
            "Approve, to be in force at once",
            ("in_review",),
            "in_force",
            ("QA",),
            signature=signing(
                "approved",
                "I approve this refinement; records are made under it from now on.",
                ("QA",),
                ("author", "submitter"),
            ),
        ),
        w.Transition(
            "withdraw",
            "Withdraw",
            ("in_force",),
            "withdrawn",
            ("QA",),
            signature=signing("closed", "I withdraw this refinement for the reason given.", ("QA",)),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("draft", "in_review")),
    ),
    provides=(
        w.Refines(("in_force",), "record_type", "patch"),
        w.Refines(("withdrawn",), "record_type", ""),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "record_type"),
    predicate_rules=("21 CFR 11.10(a)", "21 CFR 11.10(k)(2)", "EU GMP Annex 11 §10"),
)
