"""What all governed documents share: fields, the DOC lifecycle of DOMAIN 2.8, and its rules.

Rules kept here: author, reviewer and approver are three people; a version comes into force on its
date, not before, and only once its audience is trained or QA waived that; at most one version of a
number is in force.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, signing

DOCUMENT_TYPES = ("document_policy", "document_sop")
_AFTER_DRAFT = ("in_review", "in_approval", "approved", "effective", "superseded", "obsolete")
_SHARE_CRITICAL = 100
_SHARE_OTHER = 80


@rule("effective_date_reached", 1)
def effective_date_reached(inp: RuleInput) -> str | None:
    """Ask that the effective date is today or past."""
    day = str(inp.fields.get("effective_date", ""))
    return None if day and day <= inp.today else f"The effective date is {day or 'not set'}."


def _holders(grants: tuple[Row, ...], today: str) -> set[str]:
    return {
        str(g.fields["person"]["uid"])
        for g in grants
        if g.state == "active"
        and str(g.fields.get("start", "")) <= today
        and str(g.fields.get("end", "9999-12-31")) >= today
    }


@rule("audience_trained", 1)
def audience_trained(inp: RuleInput) -> str | None:
    """Ask that the share of role holders trained on this version is reached, or that QA waived it.

    100 % where the document is critical to GxP, else 80 %; an untrained holder is refused at each act
    anyway. Documents that need no training, and audiences nobody holds, pass.
    """
    if inp.fields.get("training_depth") == "none" or inp.record is None:
        return None
    if inp.record.people.get("signed_waived"):
        return None
    audience = _holders(inp.children["grants"], inp.today)
    done = {str(t.fields["person"]["uid"]) for t in inp.children["training"] if t.state == "completed"}
    needed = _SHARE_CRITICAL if inp.fields.get("criticality") == "gxp_critical" else _SHARE_OTHER
    trained = len(audience & done)
    if trained * 100 >= needed * len(audience):
        return None
    return (
        f"{trained} of {len(audience)} in the audience are trained on {inp.record.label}; "
        f"{needed} % are needed, or a QA waiver."
    )


_TRAINED = w.Rule(
    "audience_trained",
    1,
    children={
        "grants": (("audience",), "role_grant", "role"),
        "training": ((), "training_record", "document"),
    },
    message="The audience is trained.",
)
_REFERENCES = w.InState(
    ("references",),
    ("effective",),
    empty_ok=True,
    message="{number}, referred to here, is in force (it is {state}).",
)


def _fields() -> dict[str, w.Field]:
    return {
        "title": w.Field(w.Text(300), "Title", required=True),
        "process_area": w.Field(w.Text(100), "Process area"),
        "body": w.Field(
            w.Rich(), "Text", required_at=("in_review",), immutable_at=_AFTER_DRAFT, critical=True
        ),
        "original": w.Field(w.File(), "Original file", immutable_at=_AFTER_DRAFT),
        "change_summary": w.Field(w.Rich(20_000), "What changed", required_at=("in_review",)),
        "effective_date": w.Field(w.Date(), "Effective date", required_at=("in_approval",), critical=True),
        "review_months": w.Field(w.Int(1, 36), "Review every (months)", default=24),
        "training_depth": w.Field(
            w.Enum(("none", "read_understood", "assessed")),
            "Training",
            required_at=("in_review",),
            critical=True,
        ),
        "audience": w.Field(w.Link(("role",), "none"), "Audience", required_at=("in_review",), many=True),
        "criticality": w.Field(
            w.Enum(("gxp_critical", "gxp", "non_gxp")), "Criticality", required=True, critical=True
        ),
        "references": w.Field(w.Link(DOCUMENT_TYPES), "References", many=True),
        "predicate": w.Field(w.Text(100), "Rules served", many=True),
    }


def _transitions() -> tuple[w.Transition, ...]:
    return (
        w.Transition(
            "submit",
            "Submit for review",
            ("draft",),
            "in_review",
            ("AUT",),
            requires=(_REFERENCES,),
            signature=signing("authored", "I wrote this version and submit it for review.", ("AUT",)),
        ),
        w.Transition(
            "review",
            "Review",
            ("in_review",),
            "in_approval",
            ("REV",),
            signature=signing(
                "reviewed", "I reviewed this version and find it right.", ("REV",), ("author", "editors")
            ),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("in_approval",),
            "approved",
            ("QA",),
            requires=(w.InDate(("effective_date",), "Effective date must be after approval."),),
            signature=signing(
                "approved",
                "I approve this version for use from its effective date.",
                ("QA",),
                ("author", "editors", "reviewer"),
            ),
        ),
        w.Transition(
            "reject", "Send back", ("in_review", "in_approval"), "draft", ("REV", "QA"), reason=w.Reason()
        ),
        w.Transition("withdraw", "Withdraw", ("approved",), "draft", ("QA", "AUT"), reason=w.Reason()),
        w.Transition(
            "waive_training",
            "Waive training",
            ("approved",),
            "",
            ("QA",),
            signature=signing(
                "waived",
                "I let this version come into force before its audience is trained.",
                ("QA",),
                ("author", "editors"),
            ),
            reason=w.Reason(30),
        ),
        w.Transition(
            "make_effective",
            "Bring into force",
            ("approved",),
            "effective",
            ("SVC",),
            at="effective_date",
            requires=(
                w.Rule("effective_date_reached", 1, message="The effective date is reached."),
                _TRAINED,
                _REFERENCES,
            ),
            effects=(w.Supersede("supersede"),),
        ),
        w.Transition("supersede", "Supersede", ("effective",), "superseded", consequence=True),
        w.Transition(
            "obsolete",
            "Make obsolete",
            ("effective",),
            "obsolete",
            ("QA",),
            signature=signing(
                "approved",
                "I approve that this document is no longer in force.",
                ("QA",),
                ("author", "editors"),
            ),
            reason=w.Reason(30),
        ),
    )


def document_type(
    *,
    name: str,
    title: str,
    purpose: str,
    prefix: str,
    extra: dict[str, w.Field] | None = None,
    provides: tuple[w.Provision, ...] = (),
    predicate_rules: tuple[str, ...],
) -> w.Type:
    """Return a document type with the DOC lifecycle; ``extra`` adds fields and cannot replace any."""
    fields = _fields()
    clash = fields.keys() & (extra or {}).keys()
    if clash:
        raise ValueError(f"{name} declares shared fields again: {', '.join(sorted(clash))}")
    return w.Type(
        name=name,
        title=title,
        version=1,
        purpose=purpose,
        number=w.Number(prefix),
        gxp=REGULATED,
        title_field="title",
        fields=fields | (extra or {}),
        states=(
            w.State("draft"),
            w.State("in_review"),
            w.State("in_approval"),
            w.State("approved", locked=True),
            w.State("effective", locked=True, effective=True),
            w.State("superseded", terminal=True, locked=True),
            w.State("obsolete", terminal=True, locked=True),
        ),
        create=w.Making(("AUT",), "draft"),
        edit=w.Editing(("AUT",), ("draft",)),
        persons={"author": w.Signer("authored"), "reviewer": w.Signer("reviewed"), "editors": w.Touched()},
        transitions=_transitions(),
        provides=provides,
        revisions=True,
        retention=w.Retention("DOC"),
        summary=("title", "criticality", "effective_date"),
        predicate_rules=predicate_rules,
    )
