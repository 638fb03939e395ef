"""A complaint about an image set; a reportable one is reported before it is closed."""

from __future__ import annotations

from coverslip.kernel.rows import Row
from fix_world import Example, World

_RULE = "21 CFR 803.50 (30 days)"


def _reportable(w: World, row: Row) -> None:
    """Decide that it is reportable, where need be by going back to where that is decided."""
    if row.state == "resolved":
        w.do(row.number, "reopen")
    w.do(
        row.number,
        "decide_reportability",
        reportable="yes",
        report_rule=_RULE,
        reportable_because="A wrong count could lead to a wrong dose.",
    )
    if row.state == "resolved":
        w.step(row.number, "resolve")


def _triaged_without(w: World, row: Row) -> None:
    w.do(
        row.number,
        "triage",
        investigation_needed="no",
        no_investigation_because="The same lamp was looked at before and found worn.",
    )


def _decided(w: World, row: Row) -> None:
    """Take the record back to where reportability can be decided, and decide."""
    w.do(row.number, "reopen")
    w.step(row.number, "decide_reportability")
    w.step(row.number, "resolve")


EXAMPLE = Example(
    create=lambda w: {
        "title": "Counts twice as high as by hand",
        "received_at": w.lab.accounts.now()[:19] + "Z",
        "channel": "e_mail",
        "complainant_name": "Dr. A. Customer",
        "complainant_address": "2 Hospital Way",
        "product": "Cell count kit",
        "nature": "The count is twice what we count by hand.",
        "allegation": "performance",
    },
    acts={
        "correct": lambda w, row: {"lot": "24A17"},
        "record_events": lambda w, row: {
            "retention_events": [{"event": "release", "on": "2026-01", "source": "Batch record."}]
        },
        "triage": lambda w, row: {"investigation_needed": "yes"},
        "decide_reportability": lambda w, row: {
            "reportable": "no",
            "reportable_because": "Nobody was harmed and nobody could have been.",
        },
        "record_report": lambda w, row: {"reported_on": w.day(), "report_reference": "MDR-2026-1"},
        "resolve": lambda w, row: {"investigation": "The lamp was worn; counts were compared anew."},
        "resolve_without": lambda w, row: {"investigation": "As in the earlier investigation."},
        "close": lambda w, row: {"correction": "The lamp was replaced.", "reply": "We replaced the lamp."},
    },
    breaks={
        "create": {"received by now": lambda w, row: {"received_at": f"{w.day(2)}T00:00:00Z"}},
        "decide_reportability": {
            "in time": lambda w, row: w.do(row.number, "correct", received_at=f"{w.day(-9)}T00:00:00Z")
        },
        "record_events": {
            "in the calendar": lambda w, row: {
                "retention_events": [{"event": "release", "on": "2026-02-30", "source": "Batch record."}]
            }
        },
    },
    before={
        "record_report": _reportable,
        "resolve_without": _triaged_without,
        "close": _decided,
    },
)
