"""External document: a standard, a customer's specification, a supplier's certificate (DOMAIN 4.5).

Rules kept here: an edition is reviewed by a second person before it is used; of one number one edition is
in use; who uses a withdrawn edition is refused where the link is entered.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_FIXED = ("reviewed", "in_use", "withdrawn")


@rule("edition_before_named", 1)
def edition_before_named(inp: RuleInput) -> str | None:
    """Ask that a later edition names the one before it, so that both are never in use at once."""
    if inp.record is None or inp.record.revision < 2:
        return None
    before = next(iter(inp.reads["previous"]), None)
    if before is not None and before.number == inp.record.number and before.uid != inp.record.uid:
        return None
    return "The edition before this one is named."


TYPE = w.Type(
    name="document_external",
    title="External document",
    version=1,
    purpose="An edition of a document that others issue and this laboratory works by.",
    number=w.Number("EXT"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "issuer": w.Field(w.Text(200), "Issuer", required=True, critical=True),
        "edition": w.Field(
            w.Text(100),
            "Edition",
            required=True,
            immutable_at=_FIXED,
            critical=True,
            help="Such as 2016 + A1.",
        ),
        "kind": w.Field(
            w.Enum(("standard", "regulation", "customer_specification", "supplier_certificate", "other")),
            "Kind",
            required=True,
        ),
        "previous": w.Field(
            w.Link(("document_external",), "version", ("in_use", "withdrawn")),
            "Edition before",
            immutable_at=_FIXED,
            help="Needed from the second edition on; it is withdrawn as this one is taken into use.",
        ),
        "valid_from": w.Field(w.Date(), "Valid from"),
        "watch_until": w.Field(
            w.Date(), "Look for a new edition by", help="When somebody asks the issuer again."
        ),
        "licence": w.Field(w.Text(300), "Licence", help="How many may read it, and where it may be copied."),
        "copy": w.Field(w.File(), "Copy", immutable_at=_FIXED),
        "location": w.Field(w.Text(500), "Where it is kept"),
        "assessment": w.Field(
            w.Rich(20_000), "What the edition means here", required_at=("reviewed",), critical=True
        ),
        "withdrawn_on": w.Field(w.Date(), "Withdrawn on", source="computed"),
    },
    states=(
        w.State("registered"),
        w.State("reviewed"),
        w.State("in_use", locked=True, effective=True, resting=True),
        w.State("withdrawn", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("AUT", "QA", "ENG"), "registered"),
    edit=w.Editing(("AUT", "QA", "ENG"), ("registered",)),
    persons={"registrar": w.Actor("create"), "editors": w.Touched(), "reviewer": w.Signer("reviewed")},
    transitions=(
        w.Transition(
            "review",
            "Review",
            ("registered",),
            "reviewed",
            ("REV", "QA"),
            fields=("assessment",),
            signature=signing(
                "reviewed",
                "I compared this edition with our procedures and recorded what it means here.",
                ("REV", "QA"),
                ("registrar", "editors"),
            ),
        ),
        w.Transition(
            "return_to_registrar",
            "Send back",
            ("reviewed",),
            "registered",
            ("QA",),
            reason=w.Reason(),
            clears=("reviewed",),
        ),
        w.Transition(
            "take_into_use",
            "Take into use",
            ("reviewed",),
            "in_use",
            ("QA",),
            signature=signing(
                "approved",
                "I approve the use of this edition.",
                ("QA",),
                ("registrar", "reviewer", "editors"),
            ),
            requires=(
                w.Rule(
                    "edition_before_named",
                    1,
                    {"previous": ("previous",)},
                    message="The edition before this one is named.",
                ),
            ),
            effects=(w.Do(("previous",), "supersede", ("withdrawn",)),),
        ),
        w.Transition(
            "supersede",
            "Withdrawn by the next edition",
            ("in_use",),
            "withdrawn",
            consequence=True,
            effects=(
                w.Set("withdrawn_on", w.Value("today")),
                w.DoEach("controlled_copy", "document", "recall"),
            ),
        ),
        w.Transition(
            "withdraw",
            "Withdraw",
            ("in_use",),
            "withdrawn",
            ("QA",),
            signature=signing(
                "approved", "I approve that this edition is no longer used.", ("QA",), ("registrar",)
            ),
            reason=w.Reason(20),
            effects=(
                w.Set("withdrawn_on", w.Value("today")),
                w.DoEach("controlled_copy", "document", "recall"),
            ),
            aside=True,
        ),
        void(("registered", "reviewed")),
    ),
    revisions=True,
    retention=w.Retention("DOC", events={"obsolescence": "withdrawn_on"}),
    summary=("title", "issuer", "edition"),
    predicate_rules=("ISO 13485 4.2.4", "21 CFR 11.10(k)"),
    due="watch_until",
)
