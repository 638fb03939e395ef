"""Dated events that start a retention clock, as a table that a type may carry (RET-E2).

Rules kept here: an event has a date, or a month, and says where it is known from; entering or changing one is
an act with a reason. A circumstance is entered as an event too, with the day it was established.
"""

from __future__ import annotations

import datetime as dt

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule

EVENTS = (
    "administration",
    "application_support_ended",
    "approval",
    "authorisation_end",
    "block",
    "certification",
    "completion",
    "cytology_slide",
    "device_lifetime",
    "discontinued",
    "disposition",
    "distribution",
    "event",
    "expected_life_end",
    "expiry",
    "fda_notified",
    "histology_slide",
    "last_distribution",
    "last_placed_on_market",
    "last_trial_ended",
    "marketing_end",
    "national_period_end",
    "no_submission",
    "procedure_discontinued",
    "processing_completed",
    "release",
    "report",
    "shelf_life",
    "submission",
    "termination",
    "test",
    "transaction",
    "trial_end",
    "use_discontinued",
    "useful_life_end",
)
"""Events of the rule table that people enter; creation, employment and system are known otherwise."""
CIRCUMSTANCES = (
    "biologic",
    "component",
    "correction_removal",
    "equipment_or_process",
    "expiry_exempt",
    "glp_facility",
    "hctp",
    "ide",
    "implantable",
    "imp",
    "ind_ide",
    "investigator",
    "mdr_event",
    "no_expiry",
    "no_shelf_life",
    "not_approved",
    "oecd",
    "pet",
    "reserve_sample",
    "small_business",
    "supports_authorisation",
    "traceability",
    "tracked",
    "udi",
    "wet_specimen",
)
CLASSES = (
    "DRUG", "SUPP", "DEVICE", "GLP", "CLIN", "FOOD", "DSCSA", "COSM", "BLOOD", "PATH", "DOC", "PERS", "SYS",
)  # fmt: skip
DAY = w.Text(10, 7, r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")


@rule("retention_days_exist", 1)
def retention_days_exist(inp: RuleInput) -> str | None:
    """Ask that every day of the events is in the calendar; a month stands for its last day."""
    for row in inp.fields.get("retention_events", ()):
        try:
            dt.date.fromisoformat(f"{row['on']}-01"[:10])
        except ValueError:
            return f"{row['on']} is a day of the calendar."
    return None


def retention_events() -> w.Field:
    """Return the field; declare it as ``retention_events`` and name it among the retention's events."""
    table = w.Table(
        {
            "event": w.Column(w.Enum((*EVENTS, *CIRCUMSTANCES))),
            "on": w.Column(DAY),
            "months": w.Column(w.Int(0, 1200), required=False),
            "source": w.Column(w.Text(300)),
        },
        max_rows=200,
    )
    return w.Field(
        table,
        "Events for retention",
        critical=True,
        help="What starts the clocks, each with its date (a month will do) and where it is known from."
        " A lifetime is given in months.",
    )


def record_events(from_: tuple[str, ...], who: tuple[str, ...]) -> w.Transition:
    """Return the act that enters or corrects events, with a reason."""
    return w.Transition(
        "record_events",
        "Record events for retention",
        from_,
        "",
        who,
        fields=("retention_events",),
        requires=(w.Rule("retention_days_exist", 1, message="Every day is in the calendar."),),
        reason=w.Reason(),
    )
