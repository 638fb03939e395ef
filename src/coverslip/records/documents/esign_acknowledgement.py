"""Acknowledgement of the signature policy: one's signature equals one's handwriting (DOMAIN 3.7).

Rules kept here: everybody acknowledges for themselves, on the version in force or about to be; it is
made and signed in one act, so none lies around unsigned. It answers the notice that asked for it, and closes
with its version of the policy.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, void


@rule("own_acknowledgement", 1)
def own_acknowledgement(inp: RuleInput) -> str | None:
    """Refuse an acknowledgement in another person's name."""
    link = inp.fields.get("person") or {}
    return None if link.get("uid") == inp.actor else "You can only acknowledge for yourself."


TYPE = w.Type(
    name="esign_acknowledgement",
    title="Signature acknowledgement",
    version=2,
    migration_note="Version 2: it closes when its version of the policy goes out of force, answers the"
    " notice that asked for it, and may be voided. Nothing in earlier records changes.",
    purpose="A person holds their electronic signature equal to their handwriting.",
    number=w.Number("ESA"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "person": w.Field(w.Link(("user",), "none"), "Person", required=True),
        "policy": w.Field(
            w.Link(("document_policy",), "version", ("approved", "effective")),
            "Policy",
            required=True,
            critical=True,
        ),
        "statement": w.Field(w.Rich(10_000), "Statement shown", required=True, critical=True),
    },
    states=(
        w.State("signed", locked=True, resting=True),
        w.State("superseded", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "signed",
        requires=(
            w.Rule(
                "own_acknowledgement", 1, message="You can only acknowledge for yourself.", code="AUTH_SELF"
            ),
            w.Compare(
                ("policy", "governs_signatures"),
                "eq",
                True,
                message="The policy named governs electronic signatures.",
            ),
        ),
        effects=(
            computed_title(person=("person",), policy=("policy",)),
            w.DoEach("policy_notice", "person", "answer", path=("person",)),
        ),
        signature=w.Signature(
            "acknowledged",
            "I hold my electronic signature to be the legally binding equal of my handwritten signature.",
            stage="before_acknowledgement",
        ),
    ),
    transitions=(
        w.Transition("supersede", "Closed with its policy", ("signed",), "superseded", consequence=True),
        void(("signed",)),
    ),
    provides=(w.EnablesSigning(("signed",), "person", "policy"),),
    retention=w.Retention("PERS"),
    summary=("person", "policy"),
    predicate_rules=("21 CFR 11.10(j)", "21 CFR 11.100"),
)
