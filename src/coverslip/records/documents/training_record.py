"""Training record: one person, one version of one document (DOMAIN 3.6).

Rules kept here: only the trainee says they have read; where depth is ``assessed`` another person
judges, with 80 or more of 100; the time is the server's.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, computed_title, signing
from coverslip.records.documents._document import DOCUMENT_TYPES

PASS_MARK = 80
_EVER = ("assigned", "acknowledged", "completed", "expired", "cancelled")
_READABLE = w.InState(
    ("document",), ("approved", "effective"), message="{number} is approved (it is {state})."
)


@rule("training_expired", 1)
def training_expired(inp: RuleInput) -> str | None:
    """Ask that the last day of validity is over."""
    day = str(inp.fields.get("expires", ""))
    return None if day and day < inp.today else f"This training is valid until {day or 'the next version'}."


def _read(meaning_text: str) -> w.Signature:
    return w.Signature("acknowledged", meaning_text, stage="before_acknowledgement")


def _depth(depth: str, message: str) -> w.Compare:
    return w.Compare(("depth",), "eq", depth, message=message)


TYPE = w.Type(
    name="training_record",
    title="Training record",
    version=1,
    purpose="Who is trained on which version, and how that is known.",
    number=w.Number("TRN"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "person": w.Field(w.Link(("user",), "none"), "Trainee", required=True, immutable_at=_EVER),
        "document": w.Field(
            w.Link(DOCUMENT_TYPES, "version", ("approved", "effective")),
            "Document",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "depth": w.Field(
            w.Enum(("read_understood", "assessed")),
            "Depth",
            required=True,
            critical=True,
            immutable_at=("acknowledged", "completed"),
        ),
        "due": w.Field(w.Date(), "Due", required=True),
        "score": w.Field(w.Int(0, 100), "Score (of 100)", critical=True),
        "assessment": w.Field(w.Rich(5000), "How it was assessed"),
        "expires": w.Field(w.Date(), "Valid until"),
    },
    states=(
        w.State("assigned"),
        w.State("acknowledged"),
        w.State("completed", locked=True),
        w.State("expired", terminal=True, locked=True),
        w.State("cancelled", terminal=True, locked=True),
    ),
    create=w.Making(
        ("TRN", "QA", "AUT"),
        "assigned",
        requires=(
            w.InState(
                ("person",), ("invited", "enrolled", "active", "locked"), message="{number} is not disabled."
            ),
            w.Compare(("score",), "absent", message="The score is given at assessment."),
        ),
        effects=(computed_title(person=("person",), document=("document",)),),
    ),
    edit=w.Editing(
        ("TRN", "QA"),
        ("assigned",),
        requires=(w.Compare(("score",), "absent", message="The score is given at assessment."),),
    ),
    persons={"trainee": w.PersonAt(("person",))},
    transitions=(
        w.Transition(
            "complete",
            "Read and understood",
            ("assigned",),
            "completed",
            persons=("trainee",),
            requires=(_depth("read_understood", "This training is assessed by another person."), _READABLE),
            signature=_read("I have read and understood this version."),
        ),
        w.Transition(
            "acknowledge",
            "Read, ready to be assessed",
            ("assigned",),
            "acknowledged",
            persons=("trainee",),
            requires=(_depth("assessed", "This training needs no assessment."), _READABLE),
            signature=_read("I have read and understood this version and am ready to be assessed."),
        ),
        w.Transition(
            "assess",
            "Assess",
            ("acknowledged",),
            "completed",
            ("TRN", "REV"),
            fields=("score", "assessment", "expires"),
            requires=(
                w.Compare(
                    ("score",),
                    "ge",
                    PASS_MARK,
                    message=f"The score is {PASS_MARK} or more (it is {{value}}).",
                ),
                _READABLE,
            ),
            signature=signing(
                "assessed", "I assessed this person on this version.", ("TRN", "REV"), ("trainee",)
            ),
        ),
        w.Transition(
            "not_passed",
            "Not passed",
            ("acknowledged",),
            "assigned",
            ("TRN", "REV"),
            independent_of=("trainee",),
            reason=w.Reason(),
        ),
        w.Transition(
            "expire",
            "Expire",
            ("completed",),
            "expired",
            ("SVC",),
            at="expires",
            requires=(w.Rule("training_expired", 1, message="The last day is over."),),
        ),
        w.Transition(
            "cancel", "Cancel", ("assigned", "acknowledged"), "cancelled", ("TRN", "QA"), reason=w.Reason()
        ),
    ),
    provides=(w.Trains(("completed",), "person", "document", "expires"),),
    retention=w.Retention("PERS"),
    summary=("person", "document", "depth", "due"),
    predicate_rules=("21 CFR 11.10(i)", "21 CFR 211.25", "21 CFR 58.29", "ISO 13485 6.2"),
)
