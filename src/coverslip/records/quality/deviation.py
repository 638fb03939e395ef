"""Deviation: what went otherwise than written, found or planned (DOMAIN 8.4).

Rules kept here: anybody raises one, at once and not for a day long past; a planned one is raised and
approved before it begins; its class follows from the severity matrix; "human error" alone is no cause;
every record affected is assessed, and so is what else could be affected; a critical one needs the
quality lead, a CAPA and the question whether an authority must be told.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rules import Refusal, RuleInput, rule
from coverslip.records._shared import REGULATED
from coverslip.records.quality import _case
from coverslip.records.quality._severity import (
    COMPUTE_CLASS,
    COMPUTE_DUE,
    RATED,
    rated_fields,
)

_WEEKEND = (5, 6)
_ALWAYS = (*_case.OPEN, "closed")


def _day(text: object) -> dt.date:
    return dt.date.fromisoformat(str(text)[:10])


def working_day_before(day: dt.date) -> dt.date:
    """Return the last weekday before ``day``; public holidays are a site's and not known here."""
    day -= dt.timedelta(days=1)
    while day.weekday() in _WEEKEND:
        day -= dt.timedelta(days=1)
    return day


@rule("found_within_a_working_day", 1)
def found_within_a_working_day(inp: RuleInput) -> str | None:
    """Ask that what was found is raised within one working day, and happened before it was found."""
    found, today = _day(inp.fields["found_at"]), _day(inp.now)
    if str(inp.fields["found_at"]) > inp.now:
        return f"Found at {inp.fields['found_at']} is not past."
    first = working_day_before(today)
    if found < first:
        return (
            f"{found} is outside {first}–{today}: a deviation is raised within one working day of discovery."
        )
    if str(inp.fields.get("occurred_at", "")) > str(inp.fields["found_at"]):
        return "What was found happened before it was found."
    return None


@rule("planned_beforehand", 1)
def planned_beforehand(inp: RuleInput) -> Refusal | None:
    """Ask that a planned deviation has not begun; one approved once already may be looked at again."""
    if inp.fields.get("kind") != "planned":
        return None
    starts = str(inp.fields.get("starts_on") or "")
    if not starts or not inp.fields.get("ends_on"):
        return Refusal("VAL_REQ", "A planned deviation says from when to when", {})
    if str(inp.fields["ends_on"]) < starts:
        return Refusal("VAL_RANGE", "A planned deviation ends on or after the day it begins", {})
    again = inp.record is not None and "reopen" in inp.record.people
    if starts < inp.today and not again:
        said = f"A planned deviation comes before the fact; this one began {starts}. Raise an unplanned one"
        return Refusal("SEQ_STATE", said, {})
    return None


@rule("cause_beyond_human_error", 1)
def cause_beyond_human_error(inp: RuleInput) -> str | None:
    """Refuse a root cause that names nothing but a person's mistake."""
    kinds = {str(row["category"]) for row in inp.fields.get("root_cause", ())}
    return "Human error needs a contributing cause." if kinds == {"human_error"} else None


@rule("affected_assessed", 1)
def affected_assessed(inp: RuleInput) -> str | None:
    """Ask that the impact on every record affected is stated."""
    stated = {str(row["record"]["uid"]) for row in inp.fields.get("impact", ())}
    open_ = [str(link["number"]) for link in inp.fields.get("affected", ()) if link["uid"] not in stated]
    return f"The impact on every record affected is stated (open: {', '.join(open_)})." if open_ else None


@rule("capa_by_class", 1)
def capa_by_class(inp: RuleInput) -> str | None:
    """Ask for a CAPA where the class is critical, for a decision about one where it is major."""
    severity = inp.fields.get("severity")
    if severity == "critical" and not inp.fields.get("capa"):
        return "A critical class needs a CAPA."
    if severity == "major" and not (inp.fields.get("capa") or inp.fields.get("capa_decision")):
        return "A major class needs a CAPA or the reason why none."
    return None


@rule("authority_assessed", 1)
def authority_assessed(inp: RuleInput) -> str | None:
    """Ask, where the class is critical, whether an authority must be told and when management was."""
    told = inp.fields.get("regulatory_assessment") and inp.fields.get("management_told_on")
    if inp.fields.get("severity") == "critical" and not told:
        return "A critical class says whether an authority must be told, and when management was."
    return None


CAPA_GUARD = w.Rule("capa_by_class", 1, message="A CAPA, or the decision about one, stands where needed.")
AUTHORITY_GUARD = w.Rule("authority_assessed", 1, message="Reporting to authorities was assessed.")
_PLANNED = w.Rule("planned_beforehand", 1, message="A planned deviation comes before the fact.")
_FOUND = w.When(
    w.Compare(("kind",), "eq", "unplanned"),
    (
        w.Compare(("found_at",), "present", message="When it was found is said.", code="VAL_REQ"),
        w.Compare(("occurred_at",), "present", message="When it happened is said.", code="VAL_REQ"),
        w.When(
            w.Compare(("found_at",), "present"),
            (
                w.Rule(
                    "found_within_a_working_day",
                    1,
                    message="It is raised within one working day.",
                    code="VAL_RANGE",
                ),
            ),
        ),
    ),
)
_CAUSE = w.Rule(
    "cause_beyond_human_error", 1, message="Human error needs a contributing cause.", code="REASON"
)
_ASSESSED = w.Rule("affected_assessed", 1, message="The impact on every record affected is stated.")

ROOT_CAUSE = w.Table(
    {
        "method": w.Column(w.Enum(("five_why", "fishbone", "fta", "is_isnot"))),
        "category": w.Column(
            w.Enum(
                (
                    "human_error",
                    "training",
                    "procedure",
                    "equipment",
                    "software",
                    "material",
                    "method",
                    "environment",
                    "organisation",
                    "supplier",
                    "design",
                )
            )
        ),
        "cause": w.Column(w.Text(1000, 5)),
    },
    max_rows=100,
    min_rows=1,
)
CLASSIFY = w.Transition(
    "classify",
    "Classify",
    ("open", "investigating"),
    "",
    ("QA", "QAL"),
    fields=RATED,
    effects=(COMPUTE_CLASS, COMPUTE_DUE),
    reason=w.Reason(),
)

TYPE = w.Type(
    name="deviation",
    title="Deviation",
    version=1,
    purpose="What went otherwise than written, why, what it touched and what was done.",
    number=w.Number("DEV", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": w.Field(w.Text(300, 5), "Title", required=True),
        "kind": w.Field(
            w.Enum(("unplanned", "planned")), "Kind", required=True, critical=True, immutable_at=_ALWAYS
        ),
        "found_at": w.Field(w.Instant(), "Found at", critical=True, immutable_at=_ALWAYS),
        "occurred_at": w.Field(w.Instant(), "Happened at", critical=True, immutable_at=_ALWAYS),
        "starts_on": w.Field(w.Date(), "Planned from", critical=True, immutable_at=_case.FIXED),
        "ends_on": w.Field(w.Date(), "Planned until", critical=True, immutable_at=_case.FIXED),
        "place": w.Field(w.Text(300), "Where", required=True),
        "what": w.Field(
            w.Rich(20_000),
            "What differs from what is written",
            required=True,
            critical=True,
            immutable_at=_case.FIXED,
        ),
        "immediate_action": w.Field(w.Rich(20_000), "Immediate action", required=True),
        **rated_fields(),
        "affected": w.Field(
            w.Link((), "none"),
            "Records affected",
            many=True,
            critical=True,
            help="Runs, lots, studies, documents: while this is open and major, none is released.",
        ),
        "impact": w.Field(
            w.Table(
                {
                    "record": w.Column(w.Link((), "none")),
                    "assessment": w.Column(w.Rich(5000)),
                },
                max_rows=1000,
            ),
            "Impact",
            critical=True,
        ),
        "root_cause": w.Field(
            ROOT_CAUSE, "Root cause", required_at=("in_review",), critical=True, immutable_at=_case.FIXED
        ),
        "other_batches": w.Field(
            w.Rich(10_000),
            "Effect on other work considered",
            required_at=("in_review",),
            help="21 CFR 211.192: the investigation extends to other batches.",
        ),
        "capa": w.Field(w.Link(("capa",), "none"), "CAPA"),
        "capa_decision": w.Field(w.Rich(5000), "Why no CAPA"),
        "regulatory_assessment": w.Field(w.Rich(10_000), "Must an authority be told"),
        "management_told_on": w.Field(w.Date(), "Management told on"),
        **_case.fields(),
    },
    states=_case.STATES,
    create=w.Making(("*",), "open", requires=(_FOUND, _PLANNED), effects=(COMPUTE_CLASS, COMPUTE_DUE)),
    edit=_case.edit(("QA", "QAL")),
    persons=_case.persons(),
    transitions=_case.transitions(
        "deviation",
        submit=(_CAUSE, _ASSESSED),
        approve=(
            _PLANNED,
            _CAUSE,
            _ASSESSED,
            CAPA_GUARD,
            w.When(w.Compare(("severity",), "eq", "critical"), (_case.ENDORSED,)),
        ),
        close=(_ASSESSED, CAPA_GUARD, AUTHORITY_GUARD),
        more=(CLASSIFY, _case.close_minor("deviation", (_ASSESSED,))),
    ),
    retention=w.Retention("DRUG"),
    due="due",
    summary=("title", "kind", "severity", "owner", "due"),
    predicate_rules=("21 CFR 211.100(b)", "21 CFR 211.160(a)", "21 CFR 211.192", "ISO 13485 8.3"),
)
