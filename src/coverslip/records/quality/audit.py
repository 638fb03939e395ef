"""Audit, internal, of a supplier, by a customer or by an authority (DOMAIN 8.10).

Rules kept here: nobody audits the area they work in; what is looked at is planned before it is done; an audit
is closed when each of its findings is.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void


@rule("auditors_outside_area", 1)
def auditors_outside_area(inp: RuleInput) -> Refusal | None:
    """Ask that no auditor works in the area audited, and that somebody audits."""
    auditors = {str(p["uid"]): str(p["number"]) for p in inp.fields.get("auditors") or ()}
    if not auditors and not inp.fields.get("external_auditors"):
        said = "Somebody audits: auditors of this laboratory or from outside are named"
        return Refusal("VAL_REQ", said, {})
    own = sorted(
        number
        for uid, number in auditors.items()
        if uid in {str(p["uid"]) for p in inp.fields.get("auditees") or ()}
    )
    return Refusal("AUTH_SELF", f"Nobody audits their own area ({', '.join(own)})", {}) if own else None


_PLANNED = ("executed", "reported", "closed", "voided")
_CHECKLIST = w.Table(
    {
        "question": w.Column(w.Text(500)),
        "clause": w.Column(w.Text(100), required=False),
        "answer": w.Column(w.Enum(("conforms", "does_not", "not_seen", "not_applicable")), required=False),
        "note": w.Column(w.Text(2000), required=False),
        "evidence": w.Column(w.Link(()), required=False),
    },
    max_rows=1000,
)
_PLANNERS = ("QA", "QAL")
_OUTSIDE = w.Rule("auditors_outside_area", 1, message="Nobody audits their own area.")

TYPE = w.Type(
    name="audit",
    title="Audit",
    version=1,
    purpose="An independent look at how an area works, and what was found.",
    number=w.Number("AUD", 3, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "Title", required=True),
        "kind": w.Field(
            w.Enum(("internal", "supplier", "customer", "authority", "for_cause")),
            "Kind",
            required=True,
            immutable_at=_PLANNED,
            critical=True,
        ),
        "scope": w.Field(w.Rich(10_000), "Scope", required=True, immutable_at=_PLANNED, critical=True),
        "area": w.Field(w.Text(200), "Area audited", required=True, immutable_at=_PLANNED),
        "auditees": w.Field(
            w.Link(("user",), "none"), "People of the area", many=True, immutable_at=_PLANNED, critical=True
        ),
        "criteria": w.Field(
            w.Link(()), "Judged against", many=True, immutable_at=_PLANNED, help="Documents in force."
        ),
        "auditors": w.Field(
            w.Link(("user",), "none"), "Auditors", many=True, immutable_at=_PLANNED, critical=True
        ),
        "external_auditors": w.Field(
            w.Text(200), "Auditors from outside", many=True, immutable_at=_PLANNED, help="Name, organisation."
        ),
        "supplier": w.Field(w.Link(("supplier",), "none"), "Supplier", immutable_at=_PLANNED),
        "programme": w.Field(w.Text(40), "Annual programme", help="Such as 2027."),
        "planned_on": w.Field(w.Date(), "Planned for", required=True, immutable_at=_PLANNED),
        "plan": w.Field(w.Rich(20_000), "Plan", required_at=("executed",), immutable_at=_PLANNED),
        "checklist": w.Field(
            _CHECKLIST, "Checklist", required_at=("executed",), immutable_at=("reported", "closed", "voided")
        ),
        "executed_on": w.Field(w.Date(), "Carried out on", required_at=("executed",), immutable_at=_PLANNED),
        "report": w.Field(
            w.Rich(50_000), "Report", required_at=("reported",), immutable_at=("reported", "closed")
        ),
        "report_file": w.Field(w.File(), "Report as received", immutable_at=("reported", "closed")),
    },
    states=(
        w.State("planned"),
        w.State("executed"),
        w.State("reported"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(_PLANNERS, "planned", requires=(_OUTSIDE,)),
    edit=w.Editing(_PLANNERS, ("planned",), ("auditors",), requires=(_OUTSIDE,)),
    persons={
        "auditors": w.PersonAt(("auditors",)),
        "auditees": w.PersonAt(("auditees",)),
        "reporter": w.Signer("authored"),
    },
    transitions=(
        w.Transition(
            "execute",
            "Record as carried out",
            ("planned",),
            "executed",
            ("QA", "QAL"),
            ("auditors",),
            independent_of=("auditees",),
            fields=("executed_on", "checklist", "plan"),
            requires=(
                _OUTSIDE,
                w.Reached(("executed_on",), "The audit was carried out by today (it says {date})."),
                w.When(
                    w.Compare(("kind",), "eq", "supplier"),
                    (w.Compare(("supplier",), "present", message="The supplier audited is named."),),
                ),
            ),
        ),
        w.Transition(
            "report",
            "Report",
            ("executed",),
            "reported",
            ("QA", "QAL"),
            ("auditors",),
            fields=("report", "report_file", "checklist"),
            requires=(
                w.Filled("checklist", ("answer",), 1, message="Every question of the checklist is answered."),
            ),
            signature=signing("authored", "This is what the audit found.", (), ("auditees",)),
        ),
        w.Transition(
            "return_to_auditor",
            "Send back",
            ("reported",),
            "executed",
            _PLANNERS,
            independent_of=("reporter",),
            reason=w.Reason(),
            clears=("authored",),
        ),
        w.Transition(
            "close",
            "Close",
            ("reported",),
            "closed",
            ("QA", "QAL"),
            requires=(
                w.NoOpen((), "audit_finding", "audit", message="Finding {number} is closed (it is {state})."),
            ),
            signature=signing(
                "closed",
                "Every finding of this audit is closed.",
                ("QA", "QAL"),
                ("reporter", "auditees"),
            ),
            reason=w.Reason(),
        ),
        void(("planned", "executed", "reported")),
    ),
    retention=w.Retention("DOC"),
    summary=("title", "kind", "area", "planned_on"),
    predicate_rules=("ISO 13485 8.2.4", "21 CFR 58.35", "ICH Q10"),
    due="planned_on",
)
