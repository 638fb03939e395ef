"""Controlled copy: an issued print or offline file, and what became of it (DOMAIN 4.3).

Rules kept here: each copy says why it was issued and who holds it; it is recalled when its version goes out
of force; it ends only where holder and witness say what became of it, or somebody answers for its loss,
which opens an incident in the same act.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.documents._document import REFERABLE
from coverslip.records.documents._governing import OUT

_EVER = (*OUT, "returned", "destroyed", "lost")
LEAST_PURPOSE = 10
"""Characters in which the purpose of a copy is said."""
_WITNESSES = ("QA", "AUT", "REV", "TRN")


@rule("next_copy_number", 1)
def next_copy_number(inp: RuleInput) -> int:
    """Return the number after the highest of the copies issued of this version."""
    return max((int(c.fields.get("copy_no", 0)) for c in inp.children["copies"]), default=0) + 1


_INCIDENT = w.Create(
    "incident",
    "affected",
    {
        "title": w.Value("path", path=("title",)),
        "kind": w.Value("literal", "security"),
        "detected_at": w.Value("now"),
        "detected_by": w.Value("literal", "Whoever reported the copy lost"),
        "what": w.Value("path", path=("fate",)),
        "severity": w.Value("literal", "medium"),
        "containment": w.Value("literal", "The copy is recorded as lost and is no longer a controlled one."),
    },
)


@rule("copy_purpose_said", 1)
def copy_purpose_said(inp: RuleInput) -> Refusal | None:
    """Refuse a copy for which nobody says in words what it is for."""
    said = " ".join(str(inp.fields.get("purpose", "")).split())
    if len(said) >= LEAST_PURPOSE:
        return None
    sentence = f"Say why. At least {LEAST_PURPOSE} characters, in your own words; '{said}' is not a reason"
    return Refusal("REASON", sentence, {})


TYPE = w.Type(
    name="controlled_copy",
    title="Controlled copy",
    version=1,
    purpose="A copy outside the system, followed until it is back or destroyed.",
    number=w.Number("CC"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "document": w.Field(
            w.Link(REFERABLE, "version", ("approved", "effective", "in_use")),
            "Document",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "copy_no": w.Field(w.Int(1), "Copy", source="computed", help="Counted per version."),
        "medium": w.Field(w.Enum(("paper", "offline_file")), "Medium", required=True),
        "holder": w.Field(
            w.Link(("user",), "none", ("enrolled", "active", "locked")),
            "Holder",
            required=True,
            critical=True,
            help="Who keeps it and gives it back.",
        ),
        "location": w.Field(w.Text(200), "Where it is used"),
        "purpose": w.Field(
            w.Text(500),
            "Why it is issued",
            required=True,
            help="A print without a purpose is not issued.",
        ),
        "watermark": w.Field(w.Text(200), "Watermark", default="Controlled copy"),
        "printed_at": w.Field(w.Instant(), "Issued at", source="computed"),
        "expires": w.Field(w.Date(), "To be back by"),
        "fate": w.Field(w.Text(2000, 5), "What became of it", required_at=("destroyed", "lost")),
    },
    states=(
        w.State("issued", resting=True),
        w.State("recalled"),
        w.State("handed_back"),
        w.State("returned", terminal=True, locked=True),
        w.State("destroyed", terminal=True, locked=True),
        w.State("lost", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("QA", "AUT", "TRN"),
        "issued",
        requires=(w.Rule("copy_purpose_said", 1, message="It is said why the copy is issued."),),
        effects=(
            w.Set("printed_at", w.Value("now")),
            w.Compute(
                "copy_no",
                w.Rule(
                    "next_copy_number",
                    1,
                    children={"copies": (("document",), "controlled_copy", "document")},
                ),
            ),
            computed_title(document=("document",), holder=("holder",)),
        ),
    ),
    persons={"holder": w.PersonAt(("holder",)), "issuer": w.Actor("create")},
    transitions=(
        w.Transition("recall", "Recall", ("issued",), "recalled", consequence=True),
        w.Transition(
            "ask_back", "Ask back", ("issued",), "recalled", ("QA", "AUT", "TRN"), reason=w.Reason()
        ),
        w.Transition(
            "hand_back",
            "Hand back",
            ("issued", "recalled"),
            "handed_back",
            persons=("holder",),
            signature=signing("acknowledged", "I gave this copy back and keep no other."),
        ),
        w.Transition(
            "take_back",
            "Take back",
            ("handed_back",),
            "returned",
            _WITNESSES,
            signature=signing("witnessed", "I received this copy, complete.", _WITNESSES, ("holder",)),
        ),
        w.Transition(
            "not_received",
            "Not received",
            ("handed_back",),
            "recalled",
            _WITNESSES,
            reason=w.Reason(),
            clears=("acknowledged",),
        ),
        w.Transition(
            "destroy",
            "Destroy",
            ("issued", "recalled", "handed_back"),
            "destroyed",
            _WITNESSES,
            fields=("fate",),
            signature=signing("witnessed", "I saw this copy destroyed.", _WITNESSES, ("holder",)),
        ),
        w.Transition(
            "lose",
            "Report lost",
            ("issued", "recalled"),
            "lost",
            ("QA",),
            persons=("holder",),
            fields=("fate",),
            effects=(_INCIDENT,),
            signature=signing("acknowledged", "This copy is lost; I recorded what is known."),
            reason=w.Reason(20),
        ),
        void(("issued",)),
    ),
    retention=w.Retention("DOC"),
    summary=("document", "copy_no", "holder", "medium"),
    predicate_rules=("21 CFR 11.10(k)", "ISO 13485 4.2.4"),
    due="expires",
)
