"""Release decision: quality lets reviewed work be used, or does not (DOMAIN 7.2).

Rules kept here: whoever executed, reviewed or quality-reviewed does not release; nothing on hold,
undecided or with provisional results is released, nor what an open deviation, nonconformity or flag
names. It carries no sandbox mark on purpose: a link to a sandbox record is refused, so sandbox work is
never released.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing
from coverslip.records.quality._open import settled

_EVER = ("proposed", "released", "rejected")
_INDEPENDENT = ("executor", "requester", "editors", "technical_reviewer", "qa_reviewer")


@rule("review_of_subject", 1)
def review_of_subject(inp: RuleInput) -> str | None:
    """Ask that the review case named is about the subject named."""
    subject = inp.fields["subject"]["uid"]
    wrong = [row.number for row in inp.reads["review"] if row.fields["subject"]["uid"] != subject]
    return f"The review case is about the subject ({', '.join(wrong)} is not)." if wrong else None


_ABOUT = w.Rule(
    "review_of_subject", 1, {"review": ("review_case",)}, message="The review is about the subject."
)

TYPE = w.Type(
    name="release_decision",
    title="Release decision",
    version=2,
    purpose="Whether reviewed work may be used, on what basis, and who said so.",
    number=w.Number("REL", 4, yearly=True),
    gxp=REGULATED,
    title_field="basis",
    fields={
        "subject": w.Field(
            w.Link(("analysis_run",), "version", ("accepted",)),
            "Subject",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "review_case": w.Field(
            w.Link(("review_case",), "version", ("decided",)),
            "Review case",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "basis": w.Field(w.Text(500, 5), "Basis", required=True, immutable_at=_EVER, critical=True),
        "customer_scope": w.Field(w.Text(500), "Market or customer"),
        "certificate": w.Field(w.Rich(10_000), "Certificate statement"),
    },
    states=(
        w.State("proposed"),
        w.State("released", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
    ),
    create=w.Making(("QA",), "proposed", requires=(_ABOUT,)),
    persons={
        "executor": w.Signer("executed", ("subject",)),
        "requester": w.Actor("create", ("subject",)),
        "editors": w.Touched(("subject",)),
        "technical_reviewer": w.Signer("reviewed", ("review_case",)),
        "qa_reviewer": w.Signer("qa_reviewed", ("review_case",)),
    },
    transitions=(
        w.Transition(
            "release",
            "Release",
            ("proposed",),
            "released",
            ("QA",),
            requires=(
                _ABOUT,
                w.InState(("subject",), ("accepted",), "{number} is accepted (it is {state})."),
                w.InState(("review_case",), ("decided",), "{number} is decided (it is {state})."),
                w.InState(
                    ("subject", "results"), ("final",), "Results {number} are final (they are {state})."
                ),
                w.NotOnHold(("subject",), "The subject is not on hold."),
                w.NotOnHold(("subject", "results"), "The results are not on hold."),
                w.NotOnHold((), "This decision is not on hold."),
                settled(("subject",), ("subject", "results"), ("subject", "image_set")),
            ),
            signature=signing(
                "released", "I release this work for use on the basis stated.", ("QA",), _INDEPENDENT
            ),
        ),
        w.Transition(
            "reject",
            "Reject",
            ("proposed",),
            "rejected",
            ("QA",),
            signature=signing("rejected", "I do not release this work.", ("QA",), _INDEPENDENT),
            reason=w.Reason(20),
            aside=True,
        ),
    ),
    retention=w.Retention(longest_of=("subject", "study")),
    summary=("basis", "subject", "review_case"),
    predicate_rules=("21 CFR 211.22", "21 CFR 211.165", "21 CFR 211.192"),
    migration_note="Release now asks that deviations, nonconformities and flags about the work are settled.",
)
