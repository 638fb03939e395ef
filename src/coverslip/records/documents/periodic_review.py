"""Periodic review: proof that a document in force was looked at in time (DOMAIN 4.2).

Rules kept here: it is made by the document coming into force and by the review before it, so that none is
forgotten; it opens 60 days before it is due; who approved the version does not look at it for the review, and
who looked does not approve; a document found still
valid gets its next review, of one to be revised the next version is opened, one found obsolete goes out of
force, in the same transaction. No document is found still valid while an open change touches it.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.documents._document import DOCUMENT_TYPES

OPEN = ("scheduled", "due", "in_review", "reviewed")
TOPICS = ("regulation_change", "deviations_and_capa", "training_issues", "system_change")
_AFTER = ("reviewed", "done")


@rule("topics_looked_at", 1)
def topics_looked_at(inp: RuleInput) -> str | None:
    """Ask that every topic a review has to look at has a row."""
    seen = {str(row.get("topic", "")) for row in inp.fields.get("checked") or ()}
    left = [topic.replace("_", " ") for topic in TOPICS if topic not in seen]
    return f"Every topic is looked at; missing: {', '.join(left)}." if left else None


_CHECKED = w.Table(
    {
        "topic": w.Column(w.Enum((*TOPICS, "other"))),
        "found": w.Column(w.Text(2000)),
        "record": w.Column(w.Link((), "none"), required=False),
    },
    max_rows=100,
)


def _approval(
    name: str, label: str, outcome: str, said: str, *requires: w.Guard, **more: Any
) -> w.Transition:
    wanted = {
        "still_valid": "The outcome is: still valid.",
        "revise": "The outcome is: revise.",
        "obsolete": "The outcome is: obsolete.",
    }
    return w.Transition(
        name,
        label,
        ("reviewed",),
        "done",
        ("QA",),
        requires=(
            w.Compare(("outcome",), "eq", outcome, message=wanted[outcome]),
            w.InState(("document",), ("effective",), message="{number} is in force (it is {state})."),
            *requires,
        ),
        signature=signing("approved", said, ("QA",), ("reviewer", "owner")),
        **more,
    )


_NEXT = w.Create(
    "periodic_review",
    values={
        "document": w.Value("path", path=("document",)),
        "owner": w.Value("path", path=("owner",)),
        "opens_on": w.Value("today", months_at=("document", "review_months"), days=-60),
        "due": w.Value("today", months_at=("document", "review_months")),
    },
)

TYPE = w.Type(
    name="periodic_review",
    title="Periodic review",
    version=1,
    purpose="A document in force is looked at again, in time, by its owner and by quality.",
    number=w.Number("DPR", yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "document": w.Field(
            w.Link(DOCUMENT_TYPES, "version", ("effective",)),
            "Document",
            required=True,
            immutable_at=(*OPEN, "done"),
            critical=True,
        ),
        "owner": w.Field(w.Link(("user",), "none"), "Owner of the document"),
        "opens_on": w.Field(w.Date(), "Opens on", required=True),
        "due": w.Field(w.Date(), "Due", required=True),
        "checked": w.Field(_CHECKED, "What was looked at", required_at=_AFTER, immutable_at=_AFTER),
        "findings": w.Field(w.Rich(20_000), "Findings", required_at=_AFTER, immutable_at=_AFTER),
        "outcome": w.Field(
            w.Enum(("still_valid", "revise", "obsolete")),
            "Outcome",
            required_at=_AFTER,
            immutable_at=_AFTER,
            critical=True,
        ),
    },
    states=(
        w.State("scheduled", resting=True),
        w.State("due"),
        w.State("in_review"),
        w.State("reviewed"),
        w.State("done", terminal=True, locked=True),
        w.State("superseded", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("SVC", "QA", "AUT"), "scheduled", effects=(computed_title(document=("document",)),)),
    persons={
        "owner": w.PersonAt(("owner",)),
        "reviewer": w.Signer("reviewed"),
        "approver": w.Signer("approved", ("document",)),
    },
    transitions=(
        w.Transition("fall_due", "Open", ("scheduled",), "due", ("SVC",), at="opens_on"),
        w.Transition("start", "Start", ("scheduled", "due"), "in_review", ("AUT", "QA"), persons=("owner",)),
        w.Transition(
            "review",
            "Review",
            ("in_review",),
            "reviewed",
            ("AUT", "QA"),
            persons=("owner",),
            fields=("checked", "findings", "outcome"),
            requires=(w.Rule("topics_looked_at", 1, message="Every topic is looked at."),),
            signature=signing(
                "reviewed",
                "I read the document as it stands and recorded what I found.",
                ("AUT", "QA"),
                ("approver",),
            ),
        ),
        w.Transition(
            "return_to_reviewer",
            "Send back",
            ("reviewed",),
            "in_review",
            ("QA",),
            reason=w.Reason(),
            clears=("reviewed",),
        ),
        _approval(
            "confirm",
            "Confirm as still valid",
            "still_valid",
            "I approve that the document stays in force as it is.",
            w.NoOpen(
                ("document",),
                "change",
                "affected",
                ("effective",),
                "{number}, a change that touches the document, is settled (it is {state}).",
            ),
            effects=(_NEXT,),
        ),
        _approval(
            "ask_for_revision",
            "Ask for a new version",
            "revise",
            "I approve that the document is to be revised.",
            effects=(
                w.Create(
                    next_of=("document",), without=("change_control", "change_summary", "effective_date")
                ),
            ),
        ),
        _approval(
            "make_obsolete",
            "Make the document obsolete",
            "obsolete",
            "I approve that the document is no longer in force.",
            effects=(w.Do(("document",), "obsolete_by_review"),),
        ),
        w.Transition("supersede", "Closed with its document", OPEN, "superseded", consequence=True),
        void(),
    ),
    retention=w.Retention("DOC"),
    summary=("document", "due", "outcome"),
    predicate_rules=("21 CFR 211.100", "21 CFR 11.10(k)", "ISO 13485 4.2.4"),
    due="due",
)
