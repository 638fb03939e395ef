"""Qualification of a supplier for what it delivers (DOMAIN 8.13).

Rules kept here: supplier management reviews it and quality approves it, each of them somebody other than who
prepared it; the supplier's own state follows the decision in the same act; a certificate that runs out
restricts the supplier by itself and tells people, and a condition that runs out suspends it; the next
qualification starts itself when it is due.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void

_HOSTING = (
    "hosting_location",
    "encryption_in_transit",
    "encryption_at_rest",
    "backup",
    "exit_plan",
    "breach_notice_hours",
    "right_to_audit",
)
_DAYS_CONDITIONAL = 90


@rule("certificates_in_date", 1)
def certificates_in_date(inp: RuleInput) -> str | None:
    """Ask that no certificate listed has run out."""
    out = [
        f"{row['kind']} {row['certificate_number']} until {row['valid_to']}"
        for row in inp.fields.get("certificates") or ()
        if str(row["valid_to"]) < inp.today
    ]
    return f"Every certificate is in date ({'; '.join(out)})." if out else None


@rule("first_certificate_lapse", 1)
def first_certificate_lapse(inp: RuleInput) -> str | None:
    """Return the day after the first certificate runs out; ``None`` without certificates."""
    days = [str(row["valid_to"]) for row in inp.fields.get("certificates") or ()]
    return (dt.date.fromisoformat(min(days)) + dt.timedelta(days=1)).isoformat() if days else None


@rule("certificate_alert", 1)
def certificate_alert(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the alert that tells which certificates have run out; one for each day that this happens."""
    out = [
        f"{row['kind'].replace('_', ' ')} {row['certificate_number']} (until {row['valid_to']})"
        for row in inp.fields.get("certificates") or ()
        if str(row["valid_to"]) < inp.today
    ]
    number = inp.record.number if inp.record is not None else ""
    escalate = dt.datetime.fromisoformat(inp.now) + dt.timedelta(days=1)
    said = f"{inp.fields.get('title', '')[:200]}: a certificate has run out and the supplier is restricted"
    return [
        {
            "what": f"{said}: {', '.join(out)}"[:1000],
            "bucket": f"certificate_expired/{number}/{inp.today}",
            "escalate_at": escalate.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "recipients": ["PUR", "QA"],
        }
    ]


@rule("facts_fit_supplier", 1)
def facts_fit_supplier(inp: RuleInput) -> str | None:
    """Ask for what its kind and criticality need: hosting facts, ISO/IEC 17025, an agreement, an audit."""
    kinds = {str(row.fields["kind"]) for row in inp.reads["supplier"]}
    missing = []
    if "cloud_it" in kinds:
        missing += [n.replace("_", " ") for n in _HOSTING if inp.fields.get(n) in (None, "")]
    held = {str(row["kind"]) for row in inp.fields.get("certificates") or ()}
    if "calibration" in kinds and "iso_17025" not in held:
        missing.append("an ISO/IEC 17025 certificate")
    if inp.fields.get("criticality") == "high":
        missing += [n.replace("_", " ") for n in ("quality_agreement", "audit") if n not in inp.fields]
    return f"The file of this supplier is complete (missing: {', '.join(missing)})." if missing else None


_QUESTIONS = w.Table(
    {
        "question": w.Column(w.Text(500)),
        "answer": w.Column(w.Text(2000)),
        "acceptable": w.Column(w.Bool()),
    },
    max_rows=500,
    min_rows=1,
)
_CERTIFICATES = w.Table(
    {
        "kind": w.Column(
            w.Enum(("iso_9001", "iso_13485", "iso_17025", "iso_27001", "soc_2", "gmp", "other"))
        ),
        "certificate_number": w.Column(w.Text(100)),
        "issued_by": w.Column(w.Text(200), required=False),
        "valid_to": w.Column(w.Date()),
        "file": w.Column(w.File(), required=False),
    },
    max_rows=100,
)
_SCORES = w.Table(
    {
        "period": w.Column(w.Text(40)),
        "quality": w.Column(w.Int(0, 100)),
        "delivery": w.Column(w.Int(0, 100)),
    },
    max_rows=200,
)
_LAPSE = w.Compute("certificates_lapse_on", w.Rule("first_certificate_lapse", 1))
_TELL = w.Create(
    "alert",
    "about",
    {
        "kind": w.Value("literal", "certificate_expired"),
        "severity": w.Value("literal", "warning"),
        "raised_at": w.Value("now"),
    },
    each=w.Rule("certificate_alert", 1),
)
_NEXT = w.Set("requal_due", w.Value("today", months_at=("requal_months",)))
_IN_DATE = w.Rule("certificates_in_date", 1, message="Every certificate is in date.")
_COMPLETE = w.Rule(
    "facts_fit_supplier", 1, {"supplier": ("supplier",)}, message="The file of this supplier is complete."
)
_REPLACES = w.Do(("previous",), "supersede", ("superseded", "expired", "disapproved", "voided"))
_OTHERS = ("preparer", "editors", "reviewer")
_AFTER = (
    "reviewed",
    "approved",
    "conditional",
    "requalifying",
    "superseded",
    "expired",
    "disapproved",
    "voided",
)
_NOT_NOW = ("suspended", "disapproved", "retired", "voided")


def _text(label: str) -> w.Field:
    return w.Field(w.Text(500), label, immutable_at=_AFTER)


TYPE = w.Type(
    name="supplier_qualification",
    title="Supplier qualification",
    version=1,
    purpose="What a supplier may deliver, on what evidence, and until when that holds.",
    number=w.Number("SQL", 3, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "supplier": w.Field(
            w.Link(("supplier",), "none"),
            "Supplier",
            required=True,
            immutable_at=("draft", *_AFTER),
            critical=True,
        ),
        "previous": w.Field(
            w.Link(("supplier_qualification",), "none"),
            "Qualification before",
            immutable_at=("draft", *_AFTER),
        ),
        "scope": w.Field(
            w.Rich(10_000),
            "Qualified for",
            required=True,
            immutable_at=_AFTER,
            critical=True,
            help="Parts and services; what is not named is not covered.",
        ),
        "criticality": w.Field(
            w.Enum(("high", "medium", "low")),
            "Criticality",
            required=True,
            immutable_at=_AFTER,
            critical=True,
        ),
        "questionnaire": w.Field(_QUESTIONS, "Questionnaire", required_at=("reviewed",), immutable_at=_AFTER),
        "audit": w.Field(w.Link(("audit",)), "Audit", immutable_at=_AFTER),
        "certificates": w.Field(_CERTIFICATES, "Certificates", critical=True),
        "certificates_lapse_on": w.Field(w.Date(), "First certificate runs out before", source="computed"),
        "quality_agreement": w.Field(w.Link(()), "Quality agreement", immutable_at=_AFTER),
        "scores": w.Field(_SCORES, "Scores"),
        "rating": w.Field(w.Enum(("A", "B", "C")), "Rating", required_at=("reviewed",), immutable_at=_AFTER),
        "hosting_location": _text("Where data are kept"),
        "encryption_in_transit": _text("Encryption in transit (TLS 1.2 or later)"),
        "encryption_at_rest": _text("Encryption at rest (AES)"),
        "backup": _text("Backup"),
        "exit_plan": _text("How data come back at the end"),
        "breach_notice_hours": w.Field(w.Int(1, 720), "Told of a breach within (hours)", immutable_at=_AFTER),
        "right_to_audit": w.Field(w.Bool(), "Right to audit agreed", immutable_at=_AFTER),
        "conditions": w.Field(w.Text(2000, 10), "Conditions", required_at=("conditional",)),
        "conditional_until": w.Field(
            w.Date(), "Conditional until", required_at=("conditional",), critical=True
        ),
        "requal_months": w.Field(
            w.Int(1, 36), "Qualified again every (months)", default=24, immutable_at=_AFTER
        ),
        "requal_due": w.Field(w.Date(), "Next qualification due", source="computed"),
    },
    states=(
        w.State("draft"),
        w.State("reviewed"),
        w.State("approved", locked=True, resting=True),
        w.State("conditional", locked=True),
        w.State("requalifying", locked=True),
        w.State("superseded", terminal=True, locked=True),
        w.State("expired", terminal=True, locked=True),
        w.State("disapproved", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(("PUR", "QA"), "draft", effects=(computed_title(supplier=("supplier",)),)),
    edit=w.Editing(("PUR",), ("draft",)),
    persons={"preparer": w.Actor("create"), "editors": w.Touched(), "reviewer": w.Signer("reviewed")},
    transitions=(
        w.Transition(
            "review",
            "Review",
            ("draft",),
            "reviewed",
            ("PUR",),
            requires=(
                w.InState(
                    ("supplier",),
                    ("proposed", "assessing", "approved", "conditional", "suspended", "disapproved"),
                    "{number} is still a supplier (it is {state}).",
                ),
                w.When(
                    w.Compare(("previous",), "present"),
                    (
                        w.Compare(
                            ("previous", "supplier"),
                            "eq",
                            other=("supplier",),
                            message="The qualification before is one of the same supplier.",
                        ),
                    ),
                ),
            ),
            signature=signing(
                "reviewed",
                "I reviewed what this supplier answered and sent.",
                ("PUR",),
                ("preparer", "editors"),
            ),
        ),
        w.Transition(
            "reject",
            "Send back",
            ("reviewed",),
            "draft",
            ("QA",),
            reason=w.Reason(),
            clears=("reviewed",),
            aside=True,
        ),
        w.Transition(
            "approve",
            "Approve",
            ("reviewed",),
            "approved",
            ("QA",),
            requires=(_IN_DATE, _COMPLETE),
            effects=(_LAPSE, _NEXT, w.Do(("supplier",), "approve", ("approved",)), _REPLACES),
            signature=signing("approved", "I approve this supplier for what is named.", ("QA",), _OTHERS),
        ),
        w.Transition(
            "approve_conditionally",
            "Approve with conditions",
            ("reviewed",),
            "conditional",
            ("QA",),
            fields=("conditions", "conditional_until"),
            requires=(w.InDate(("conditional_until",), "The conditions end on a day to come."),),
            effects=(_NEXT, w.Do(("supplier",), "restrict", ("conditional",)), _REPLACES),
            signature=signing(
                "approved",
                "I approve this supplier under the conditions named, until the day named.",
                ("QA",),
                _OTHERS,
            ),
        ),
        w.Transition(
            "disapprove",
            "Disapprove",
            ("reviewed",),
            "disapproved",
            ("QA",),
            effects=(w.Do(("supplier",), "disapprove", ("disapproved",)), _REPLACES),
            signature=signing("rejected", "Nothing is taken from this supplier.", ("QA",), _OTHERS),
            reason=w.Reason(20),
        ),
        w.Transition(
            "certificate_expired",
            "Restrict as a certificate ran out",
            ("approved",),
            "conditional",
            ("SVC",),
            at="certificates_lapse_on",
            requires=(w.Reached(("certificates_lapse_on",), "A certificate has run out."),),
            effects=(
                w.Set(
                    "conditions",
                    w.Value("literal", "A certificate has run out: tightened inspection until renewed."),
                ),
                w.Set("conditional_until", w.Value("today", days=_DAYS_CONDITIONAL)),
                w.Do(("supplier",), "restrict", ("conditional", *_NOT_NOW)),
                _TELL,
            ),
        ),
        w.Transition(
            "renew",
            "Conditions met",
            ("conditional",),
            "approved",
            ("QA",),
            fields=("certificates", "scores"),
            requires=(_IN_DATE, _COMPLETE),
            effects=(_LAPSE, w.Do(("supplier",), "approve", ("approved", *_NOT_NOW))),
            signature=signing(
                "approved", "The conditions are met; I approve this supplier.", ("QA",), _OTHERS
            ),
            reason=w.Reason(),
        ),
        w.Transition(
            "lapse",
            "Expire as the conditions were not met",
            ("conditional",),
            "expired",
            ("SVC",),
            at="conditional_until",
            requires=(w.Reached(("conditional_until",), "The conditions have run out."),),
            effects=(w.Do(("supplier",), "lapse", _NOT_NOW),),
        ),
        w.Transition(
            "requalify",
            "Start the next qualification",
            ("approved",),
            "requalifying",
            ("SVC",),
            at="requal_due",
            requires=(w.Reached(("requal_due",), "The next qualification is due."),),
            effects=(
                w.Create(
                    "supplier_qualification",
                    "previous",
                    {
                        "title": w.Value("path", path=("title",)),
                        "supplier": w.Value("path", path=("supplier",)),
                        "scope": w.Value("path", path=("scope",)),
                        "criticality": w.Value("path", path=("criticality",)),
                        "requal_months": w.Value("path", path=("requal_months",)),
                        "requal_due": w.Value("today", days=_DAYS_CONDITIONAL),
                    },
                ),
            ),
        ),
        w.Transition(
            "supersede",
            "Supersede",
            ("approved", "conditional", "requalifying"),
            "superseded",
            consequence=True,
        ),
        void(("draft", "reviewed")),
    ),
    retention=w.Retention("DOC"),
    summary=("title", "supplier", "criticality", "requal_due"),
    predicate_rules=("ISO 13485 7.4.1", "21 CFR 211.84(d)(2)", "21 CFR 211.80", "EU GMP Annex 11 §3"),
    due="requal_due",
)
