"""Complaint: what somebody outside says is wrong, and what was made of it (DOMAIN 8.9).

Rules kept here: the record holds what 21 CFR 820.35(a) lists; whoever complained is kept in the erasable
section; quality decides within two days whether an authority must be told; no investigation needs a
justification; nothing is closed while reportability is open.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._retention import record_events, retention_events
from coverslip.records._shared import REGULATED, VOIDED, signing, void

_DAYS_TO_TRIAGE, _DAYS_TO_DECIDE, _DAYS_TO_CLOSE = 1, 2, 30
_REPORT_DAYS = {
    "21 CFR 803.50 (30 days)": 30,
    "21 CFR 803.53 (5 work days)": 7,
    "21 CFR 314.80 (15 days)": 15,
    "21 CFR 310.305 (15 days)": 15,
    "21 CFR 806.10 (10 work days)": 14,
    "EU MDR Art. 87 (15 days)": 15,
    "EU MDR Art. 87 (10 days)": 10,
    "EU MDR Art. 87 (2 days)": 2,
}
"""Calendar days from becoming aware; work days as the calendar days of weeks without holidays."""


def _day(text: str, days: int) -> str:
    return (dt.date.fromisoformat(text[:10]) + dt.timedelta(days=days)).isoformat()


@rule("reportability_due", 1)
def reportability_due(inp: RuleInput) -> str:
    """Return the day by which quality decides on reportability."""
    return _day(str(inp.fields["received_at"]), _DAYS_TO_DECIDE)


@rule("report_due", 1)
def report_due(inp: RuleInput) -> str | None:
    """Return the day by which the authority must have the report; ``None`` where none is due."""
    days = _REPORT_DAYS.get(str(inp.fields.get("report_rule", "")))
    if inp.fields.get("reportable") != "yes" or days is None:
        return None
    return _day(str(inp.fields["received_at"]), days)


@rule("reportability_in_time", 1)
def reportability_in_time(inp: RuleInput) -> str | None:
    """Ask for an explanation where reportability is decided after its two days."""
    due = str(inp.fields.get("decide_by") or reportability_due(inp))
    if inp.today <= due or inp.fields.get("late_because"):
        return None
    return f"Reportability was to be decided by {due}; say in 'Decided late because' why it was not."


@rule("complaint_due", 1)
def complaint_due(inp: RuleInput) -> str:
    """Return by when the next step is due: triage, the decision, the report to the authority, the end."""
    received = str(inp.fields["received_at"])
    if inp.record is None:
        return _day(received, _DAYS_TO_TRIAGE)
    if "reportable" not in inp.fields:
        return str(reportability_due(inp))
    report_by = report_due(inp)
    return report_by if report_by and "reported_on" not in inp.fields else _day(received, _DAYS_TO_CLOSE)


@rule("received_not_future", 1)
def received_not_future(inp: RuleInput) -> str | None:
    """Ask that the complaint was not received later than now."""
    received = str(inp.fields["received_at"])
    return (
        None if received[:19] <= inp.now[:19] else f"The complaint was received by now (it says {received})."
    )


_NO_INVESTIGATION = w.When(
    w.Compare(("investigation_needed",), "eq", "no"),
    (
        w.Compare(
            ("no_investigation_because",),
            "present",
            message="Justification is required before no investigation is made: name the earlier one.",
            code="VAL_REQ",
        ),
    ),
)
_REPORTED = w.When(
    w.Compare(("reportable",), "eq", "yes"),
    (
        w.Compare(("report_rule",), "present", message="The rule that asks for a report is named."),
        w.Compare(("reported_on",), "present", message="The authority was told, and when is recorded."),
        w.Compare(("report_reference",), "present", message="The reference of the report is recorded."),
    ),
)
_DECIDED = w.Compare(("reportable",), "present", message="Reportability is decided by quality.")
_DUE = w.Compute("due_on", w.Rule("complaint_due", 1))
_TOLD = (
    "title",
    "received_at",
    "channel",
    "complainant_name",
    "complainant_address",
    "complainant_phone",
    "product",
    "lot",
    "udi",
    "concerns",
    "nature",
    "allegation",
    "harm",
    "happened_on",
    "retention_class",
    "investigation",
    "ncr",
    "capa",
    "correction",
    "reply",
)
"""What may be corrected by itself; decisions are changed by deciding again only."""
_OPEN = ("received", "triaged", "investigating", "resolved")
_HANDLERS = ("QA", "ENG", "REV")
_RECEIVED = ("triaged", "investigating", "resolved", "closed", "voided")


def _told(kind: w.Kind, label: str, *, required: bool = False, help: str = "") -> w.Field:
    """Return a field about what was said; a correction says why, and the trail keeps what was said first."""
    return w.Field(kind, label, help, required=required, critical=True)


def _about_them(length: int, label: str) -> w.Field:
    return w.Field(w.Text(length), label, personal=True)


TYPE = w.Type(
    name="complaint",
    title="Complaint",
    version=1,
    purpose="What a customer or user says is wrong, whether it is reportable, and what was done.",
    number=w.Number("CMP", yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300), "In one line", required=True),
        "received_at": w.Field(w.Instant(), "Received", required=True, immutable_at=_RECEIVED, critical=True),
        "channel": _told(
            w.Enum(("phone", "mail", "e_mail", "in_person", "portal", "literature")), "How", required=True
        ),
        "complainant_name": _about_them(200, "Name of the complainant"),
        "complainant_address": _about_them(500, "Address of the complainant"),
        "complainant_phone": _about_them(100, "Phone of the complainant"),
        "product": _told(w.Text(300), "Product", required=True),
        "lot": _told(w.Text(100), "Lot or serial number"),
        "udi": _told(w.Text(200), "UDI or other identification of the product"),
        "happened_on": _told(w.Date(), "Happened on", help="The event complained of, where there was one."),
        "retention_class": w.Field(
            w.Enum(("DEVICE", "DRUG", "SUPP", "BLOOD", "COSM", "FOOD")),
            "The product is",
            default="DEVICE",
            help="Decides how long the complaint is kept.",
        ),
        "retention_events": retention_events(),
        "concerns": w.Field(w.Link((), "none"), "Records concerned", many=True),
        "nature": _told(w.Rich(20_000), "Nature and details", required=True, help="In their words first."),
        "allegation": _told(
            w.Enum(("quality", "safety", "performance", "labelling", "data")), "Alleges", required=True
        ),
        "harm": _told(w.Text(1000), "Harm to anybody"),
        "decide_by": w.Field(w.Date(), "Reportability to be decided by", source="computed"),
        "due_on": w.Field(w.Date(), "What is next is due by", source="computed"),
        "reportable": w.Field(w.Enum(("yes", "no")), "Reportable to an authority", critical=True),
        "report_rule": w.Field(w.Enum(tuple(_REPORT_DAYS)), "Rule that asks for the report", critical=True),
        "reportable_because": w.Field(w.Text(2000, 10), "Reportable or not because", critical=True),
        "late_because": w.Field(w.Text(2000, 10), "Decided late because"),
        "report_by": w.Field(
            w.Date(), "To be reported by", source="computed", help="Work days are taken as calendar days."
        ),
        "reported_on": w.Field(w.Date(), "Reported on", critical=True),
        "report_reference": w.Field(w.Text(200), "Reference of the report"),
        "investigation_needed": w.Field(w.Enum(("yes", "no")), "Investigation needed", critical=True),
        "no_investigation_because": w.Field(
            w.Text(2000, 10),
            "No investigation because",
            help="Name the earlier investigation.",
            critical=True,
        ),
        "investigation": w.Field(
            w.Rich(50_000), "Investigation, or what stands for it", required_at=("resolved",)
        ),
        "ncr": w.Field(w.Link(("ncr",)), "Nonconformity"),
        "capa": w.Field(w.Link(("capa",)), "Corrective action"),
        "correction": w.Field(w.Rich(20_000), "Correction and corrective action", required_at=("closed",)),
        "reply": w.Field(w.Rich(20_000), "Reply to the complainant", required_at=("closed",)),
    },
    states=(
        w.State("received"),
        w.State("triaged"),
        w.State("investigating"),
        w.State("resolved"),
        w.State("closed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        ("*",),
        "received",
        requires=(
            w.Rule("received_not_future", 1, message="The complaint was received by now.", code="VAL_RANGE"),
        ),
        effects=(w.Compute("decide_by", w.Rule("reportability_due", 1)), _DUE),
    ),
    persons={
        "receiver": w.Actor("create"),
        "investigator": w.Actor("resolve"),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "correct",
            "Correct or complete",
            _OPEN,
            "",
            _HANDLERS,
            fields=_TOLD,
            effects=(w.Compute("decide_by", w.Rule("reportability_due", 1)), _DUE),
            reason=w.Reason(),
            touches=True,
        ),
        w.Transition(
            "triage",
            "Triage",
            ("received", "triaged"),
            "triaged",
            ("QA",),
            fields=("investigation_needed", "no_investigation_because"),
            requires=(
                w.Compare(("investigation_needed",), "present", message="Whether to investigate is decided."),
                _NO_INVESTIGATION,
            ),
            effects=(_DUE,),
        ),
        w.Transition(
            "decide_reportability",
            "Decide on reportability",
            ("received", "triaged", "investigating"),
            "",
            ("QA",),
            fields=("reportable", "report_rule", "reportable_because", "late_because"),
            requires=(
                w.Compare(("reportable",), "present", message="Reportable is yes or no."),
                w.Compare(("reportable_because",), "present", message="The decision is explained."),
                w.When(
                    w.Compare(("reportable",), "eq", "yes"),
                    (
                        w.Compare(
                            ("report_rule",), "present", message="The rule that asks for a report is named."
                        ),
                    ),
                ),
                w.Rule("reportability_in_time", 1, message="Reportability is decided in time."),
            ),
            effects=(w.Compute("report_by", w.Rule("report_due", 1)), _DUE),
            signature=signing(
                "approved", "I decided whether this complaint must be reported.", ("QA",), ("receiver",)
            ),
        ),
        w.Transition(
            "record_report",
            "Record the report",
            ("triaged", "investigating", "resolved"),
            "",
            ("QA",),
            fields=("reported_on", "report_reference"),
            requires=(
                w.Compare(("reportable",), "eq", "yes", message="The complaint is reportable."),
                w.Reached(("reported_on",), "The report was made by today."),
            ),
            effects=(_DUE,),
        ),
        w.Transition(
            "investigate",
            "Investigate",
            ("triaged",),
            "investigating",
            _HANDLERS,
            requires=(
                w.Compare(
                    ("investigation_needed",), "eq", "yes", message="An investigation was found necessary."
                ),
            ),
        ),
        w.Transition(
            "resolve",
            "Resolve",
            ("investigating",),
            "resolved",
            _HANDLERS,
            fields=("investigation", "ncr", "capa"),
        ),
        w.Transition(
            "resolve_without",
            "Resolve without investigation",
            ("triaged",),
            "resolved",
            ("QA",),
            fields=("investigation", "ncr", "capa"),
            requires=(
                w.Compare(
                    ("investigation_needed",), "eq", "no", message="No investigation was found necessary."
                ),
                _NO_INVESTIGATION,
            ),
        ),
        w.Transition(
            "reopen",
            "Investigate again",
            ("resolved",),
            "investigating",
            ("QA",),
            reason=w.Reason(20),
        ),
        w.Transition(
            "close",
            "Close",
            ("resolved",),
            "closed",
            ("QA", "QAL"),
            fields=("correction", "reply"),
            requires=(_DECIDED, _REPORTED),
            signature=signing(
                "closed",
                "This complaint was handled; what must be reported was reported.",
                ("QA", "QAL"),
                ("receiver", "investigator"),
            ),
            reason=w.Reason(),
        ),
        record_events((*_OPEN, "closed"), ("QA",)),
        void(_OPEN),
    ),
    retention=w.Retention(
        "DEVICE",
        events={"event": "happened_on", "listed": "retention_events"},
        class_at="retention_class",
    ),
    summary=("title", "product", "allegation", "due_on", "reportable"),
    predicate_rules=("21 CFR 820.35(a)", "ISO 13485 8.2.2", "21 CFR 211.198"),
    due="due_on",
)
