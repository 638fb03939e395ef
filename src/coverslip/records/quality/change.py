"""Change: nothing controlled changes before its effects were looked at and approved (DOMAIN 8.11).

Rules kept here: all ten areas are assessed, each says what it suffers or why nothing; for a system the
validation impact is stated; whoever answers for an area reviewed it; quality approves and is not the
author; every planned action is done and shown before the change is verified; the document versions made
under it come into force together with it, or nothing does; an emergency is assessed
within three days, later only by the quality lead and with a deviation.
"""

from __future__ import annotations

from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED, VOIDED, signing, void
from coverslip.records.documents._document import DOCUMENT_TYPES
from coverslip.records.quality import _case

AREAS = (
    "product_quality",
    "validation",
    "regulatory_filing",
    "training",
    "documents",
    "stock_and_open_orders",
    "risk_file",
    "suppliers",
    "data_integrity",
    "security",
)
SYSTEMS = ("computer_system", "configuration")
_AREA_ROLES = ("QA", "QAL", "ENG", "REV", "MET", "TRN", "SEC", "PUR", "WHS", "SDR", "AUT")
_SAY = "Say 'none' and why."
_APPROVED = ("approved", "implementing", "verified", "effective", "closed")
_UNAPPROVED = ("draft", "in_review", "in_approval")
_ASSESSED = ("assessed", *_APPROVED)


def _unsaid(sentence: str) -> Refusal:
    return Refusal("VAL_REQ", sentence, {})


@rule("impact_on_all_areas", 1)
def impact_on_all_areas(inp: RuleInput) -> Refusal | None:
    """Ask for one row for each of the ten areas: an effect with its owner, or none and why."""
    rows = {str(row["area"]): row for row in inp.fields.get("impact", ())}
    missing = [a.replace("_", " ") for a in AREAS if a not in rows]
    if missing:
        return _unsaid(f"{_SAY} Not assessed: {', '.join(missing)}")
    unsaid = [a.replace("_", " ") for a in AREAS if rows[a]["effect"] == "none" and not rows[a].get("why")]
    if unsaid:
        return _unsaid(f"{_SAY} No reason: {', '.join(unsaid)}")
    author = inp.record.created_by if inp.record is not None else inp.actor
    own = [a.replace("_", " ") for a in AREAS if rows[a].get("owner", {}).get("uid") == author]
    if own:
        said = f"An area is answered for by somebody other than the author ({', '.join(own)})"
        return Refusal("AUTH_SELF", said, {})
    idle = [a.replace("_", " ") for a in AREAS if rows[a]["effect"] != "none" and not rows[a].get("owner")]
    return _unsaid(f"Every area with an effect has an owner (none: {', '.join(idle)})") if idle else None


@rule("validation_impact_stated", 1)
def validation_impact_stated(inp: RuleInput) -> str | None:
    """Ask, for a system, what its validation suffers: test cases named, or none and why."""
    if inp.fields.get("kind") not in SYSTEMS:
        return None
    outcome = inp.fields.get("validation_outcome")
    rows = inp.fields.get("validation", ())
    if not outcome:
        return f"The outcome for validation is stated. {_SAY}"
    if outcome == "none" and not inp.fields.get("validation_reason"):
        return _SAY
    if outcome in ("rerun_oq", "rerun_oq_and_pq") and not any(row["rerun"] for row in rows):
        return f"The test cases to run again are named. {_SAY}"
    return None


@rule("reruns_passed", 1)
def reruns_passed(inp: RuleInput) -> str | None:
    """Ask that every test case to run again was run and passed."""
    open_ = [r["test_case"] for r in inp.fields.get("validation", ()) if r["rerun"] and not r.get("evidence")]
    return f"Every test case was run again, with evidence (open: {', '.join(open_)})." if open_ else None


@rule("area_owners", 1)
def area_owners(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the people who answer for the areas that suffer an effect, each once."""
    found = {row["owner"]["uid"]: row["owner"] for row in inp.fields.get("impact", ()) if row.get("owner")}
    return list(found.values())


@rule("answers_for_an_area", 1)
def answers_for_an_area(inp: RuleInput) -> str | None:
    """Ask that who reviews is one of those who answer for an area."""
    known = {link["uid"] for link in inp.fields.get("area_owners", ())}
    return None if inp.actor in known else "Who reviews answers for an area of this change."


@rule("areas_reviewed", 1)
def areas_reviewed(inp: RuleInput) -> str | None:
    """Ask for the review of everybody who answers for an area."""
    done = set(inp.record.people.get("review_area", ())) if inp.record is not None else set()
    open_ = [link["number"] for link in inp.fields.get("area_owners", ()) if link["uid"] not in done]
    return f"Everybody who answers for an area reviewed it (open: {', '.join(open_)})." if open_ else None


@rule("versions_ready", 1)
def versions_ready(inp: RuleInput) -> str | None:
    """Ask that every document version made under the change is approved and its date has come."""
    left = []
    for row in sorted((r for rows in inp.children.values() for r in rows), key=lambda r: r.label):
        if row.state in _UNAPPROVED:
            left.append(f"{row.label} is {row.state.replace('_', ' ')}")
        elif row.state == "approved" and str(row.fields.get("effective_date", "9999")) > inp.today:
            left.append(f"{row.label} is for {row.fields.get('effective_date', 'no day')}")
    return f"Every version made under this change is ready ({'; '.join(left)})." if left else None


_IMPACT = w.Rule("impact_on_all_areas", 1, message="All ten areas are assessed.")
_VALIDATION = w.Rule(
    "validation_impact_stated", 1, message="The validation impact is stated.", code="VAL_REQ"
)
_OWNERS = w.Compute("area_owners", w.Rule("area_owners", 1))
_CLEARED = ("submit", "authored", "review_area", "reviewed", "approve", "approved")
_ASSESS = "I assessed what this change affects, in all ten areas."


def _assess(name: str, label: str, from_: str, *requires: w.Guard) -> w.Transition:
    return w.Transition(
        name,
        label,
        (from_,),
        "assessed",
        persons=("author",),
        requires=(_IMPACT, _VALIDATION, *requires),
        effects=(_OWNERS, w.Set("due", w.Value("today", days=30))),
        signature=signing("authored", _ASSESS),
    )


TYPE = w.Type(
    name="change",
    title="Change",
    version=1,
    purpose="What is to change, what that touches, who approved it and what shows that it was done.",
    number=w.Number("CHG", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300, 5), "Title", required=True, immutable_at=_ASSESSED),
        "kind": w.Field(
            w.Enum(
                (
                    "document",
                    "part",
                    "process",
                    "equipment",
                    "method",
                    "supplier",
                    "computer_system",
                    "configuration",
                )
            ),
            "Kind",
            required=True,
            critical=True,
            immutable_at=_ASSESSED,
        ),
        "description": w.Field(
            w.Rich(20_000), "What changes", required=True, critical=True, immutable_at=_ASSESSED
        ),
        "reason": w.Field(w.Rich(10_000), "Why", required=True, immutable_at=_ASSESSED),
        "change_class": w.Field(
            w.Enum(("minor", "moderate", "major", "emergency")),
            "Class",
            required=True,
            critical=True,
            immutable_at=(*_ASSESSED, "emergency_implemented"),
        ),
        "impact": w.Field(
            w.Table(
                {
                    "area": w.Column(w.Enum(AREAS)),
                    "effect": w.Column(w.Text(500)),
                    "why": w.Column(w.Text(1000), required=False),
                    "action": w.Column(w.Text(500), required=False),
                    "owner": w.Column(_case.USER, required=False),
                },
                max_rows=50,
            ),
            "Impact",
            critical=True,
            immutable_at=_ASSESSED,
            help="One row for each of the ten areas; where nothing is affected say 'none' and why.",
        ),
        "area_owners": w.Field(_case.USER, "Answer for areas", many=True, source="computed"),
        "affected": w.Field(
            w.Link(()),
            "Records affected",
            many=True,
            critical=True,
            immutable_at=_APPROVED,
            help="Of a document the version that is to change.",
        ),
        "validation": w.Field(
            w.Table(
                {
                    "requirement": w.Column(w.Text(200)),
                    "test_case": w.Column(w.Text(200)),
                    "affected": w.Column(w.Bool()),
                    "rerun": w.Column(w.Bool()),
                    "evidence": w.Column(w.Text(500), required=False),
                },
                max_rows=2000,
            ),
            "Validation impact",
            critical=True,
        ),
        "validation_outcome": w.Field(
            w.Enum(("none", "document_only", "rerun_oq", "rerun_oq_and_pq")),
            "Outcome for validation",
            critical=True,
            immutable_at=_ASSESSED,
        ),
        "validation_reason": w.Field(w.Rich(5000), "Why this outcome", immutable_at=_ASSESSED),
        "plan": w.Field(
            _case.action_table(), "Plan", required_at=("assessed",), critical=True, immutable_at=("verified",)
        ),
        "test_plan": w.Field(w.Rich(20_000), "Test plan", required_at=("assessed",), immutable_at=_APPROVED),
        "rollback": w.Field(w.Rich(20_000), "Way back", required_at=("assessed",), immutable_at=_APPROVED),
        "effective_from": w.Field(
            w.Date(), "Effective from", required_at=("assessed",), critical=True, immutable_at=_APPROVED
        ),
        "deviation": w.Field(w.Link(("deviation",), "none"), "Deviation"),
        "implemented_on": w.Field(w.Date(), "Begun on", source="computed"),
        **_case.due_fields(),
    },
    states=(
        w.State("draft"),
        w.State("emergency_implemented"),
        w.State("assessed"),
        w.State("approved"),
        w.State("implementing"),
        w.State("verified"),
        w.State("effective", locked=True, effective=True),
        w.State("closed", terminal=True, locked=True),
        w.State("rejected", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("*",), "draft", effects=(w.Set("due", w.Value("today", days=30)),)),
    edit=w.Editing(
        ("AUT", "ENG", "QA"), ("draft", "emergency_implemented", "implementing"), ("author", "area_owner")
    ),
    persons={
        "author": w.Actor("create"),
        "area_owner": w.PersonAt(("area_owners",)),
        "implementer": w.Actor("implement"),
        "emergency": w.Actor("implement_emergency"),
        "editors": w.Actor("edit"),
    },
    transitions=(
        _assess(
            "submit",
            "Submit as assessed",
            "draft",
            w.Compare(
                ("change_class",),
                "ne",
                "emergency",
                message="An emergency is implemented first, then assessed.",
            ),
        ),
        w.Transition(
            "implement_emergency",
            "Implement as emergency",
            ("draft",),
            "emergency_implemented",
            ("ENG", "QA", "SEC"),
            requires=(
                w.Compare(
                    ("change_class",),
                    "eq",
                    "emergency",
                    message="Only an emergency goes before its approval.",
                ),
            ),
            effects=(
                w.Set("implemented_on", w.Value("today")),
                w.Set("due", w.Value("today", days=3)),
            ),
            signature=signing(
                "executed",
                "I implement this change now, because waiting would do harm.",
                ("ENG", "QA", "SEC"),
            ),
            reason=w.Reason(20),
        ),
        _assess(
            "assess_emergency",
            "Assess",
            "emergency_implemented",
            w.InDate(
                ("due",), "An emergency is assessed within 3 days, by {date}; later a quality lead does."
            ),
        ),
        w.Transition(
            "assess_late",
            "Let it be assessed late",
            ("emergency_implemented",),
            "assessed",
            ("QAL",),
            requires=(
                _IMPACT,
                _VALIDATION,
                w.Compare(
                    ("deviation",), "present", message="A deviation was raised for the late assessment."
                ),
            ),
            effects=(_OWNERS, w.Set("due", w.Value("today", days=30))),
            signature=signing(
                "waived", "I accept that this emergency is assessed late.", ("QAL",), ("author", "emergency")
            ),
            reason=w.Reason(20),
        ),
        w.Transition(
            "review_area",
            "Review for an area",
            ("assessed",),
            "",
            _AREA_ROLES,
            requires=(w.Rule("answers_for_an_area", 1, message="You answer for an area of this change."),),
            signature=signing(
                "reviewed", "I reviewed this change for what I answer for.", _AREA_ROLES, ("author",)
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("assessed",),
            "draft",
            ("QA", "REV"),
            independent_of=("author",),
            requires=(w.Compare(("implemented_on",), "absent", message="Nothing was implemented yet."),),
            reason=w.Reason(20),
            clears=_CLEARED,
        ),
        w.Transition(
            "send_back_emergency",
            "Send back to be assessed anew",
            ("assessed",),
            "emergency_implemented",
            ("QA", "REV"),
            independent_of=("author",),
            requires=(
                w.Compare(("implemented_on",), "present", message="It was implemented as an emergency."),
            ),
            effects=(w.Set("due", w.Value("today", days=3)),),
            reason=w.Reason(20),
            clears=_CLEARED,
        ),
        w.Transition(
            "approve",
            "Approve",
            ("assessed",),
            "approved",
            ("QA",),
            requires=(
                _IMPACT,
                _VALIDATION,
                w.Rule("areas_reviewed", 1, message="Everybody who answers for an area reviewed it."),
            ),
            signature=signing(
                "approved",
                "I approve this change, its plan and its way back.",
                ("QA",),
                ("author", "editors"),
            ),
        ),
        w.Transition(
            "reject",
            "Reject",
            ("assessed",),
            "rejected",
            ("QA",),
            signature=signing("rejected", "I reject this change.", ("QA",), ("author",)),
            reason=w.Reason(20),
            aside=True,
        ),
        w.Transition(
            "implement",
            "Begin",
            ("approved",),
            "implementing",
            ("ENG", "AUT", "QA", "ADM"),
            effects=(w.Set("implemented_on", w.Value("today")),),
        ),
        w.Transition(
            "verify",
            "Verify",
            ("implementing",),
            "verified",
            ("QA", "REV"),
            requires=(
                w.Filled(
                    "plan",
                    ("done_on", "evidence"),
                    message="Every action of the plan is done, with evidence.",
                ),
                w.Rule("reruns_passed", 1, message="Every test case was run again, with evidence."),
            ),
            signature=signing(
                "verified",
                "I saw that every action is done and what shows it.",
                ("QA", "REV"),
                ("author", "implementer", "emergency", "editors"),
            ),
        ),
        w.Transition(
            "make_effective",
            "Make effective",
            ("verified",),
            "effective",
            ("SVC",),
            at="effective_from",
            requires=(
                w.Reached(("effective_from",), "The change becomes effective on {date}."),
                w.Rule(
                    "versions_ready",
                    1,
                    children={t: ((), t, "change_control") for t in DOCUMENT_TYPES},
                    message="Every version made under this change is ready.",
                ),
            ),
            effects=tuple(
                w.DoEach(t, "change_control", "make_effective_with_change") for t in DOCUMENT_TYPES
            ),
        ),
        w.Transition(
            "close",
            "Close",
            ("effective",),
            "closed",
            ("QA", "QAL"),
            signature=signing("closed", "I close this change.", ("QA", "QAL"), ("author",)),
        ),
        _case.extension(("draft", "assessed", "approved", "implementing", "verified"), ("author",)),
        void(("draft", "assessed", "approved")),
    ),
    retention=w.Retention("SYS"),
    due="due",
    summary=("title", "kind", "change_class", "effective_from", "due"),
    predicate_rules=(
        "21 CFR 211.100(a)",
        "21 CFR 211.160",
        "21 CFR 11.10(k)(2)",
        "ISO 13485 4.1.6",
        "ISO 13485 7.3.9",
        "EU GMP Annex 11 §10",
    ),
)
