"""A review of a quarter's refusals and voids in one system."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _sampled(w: World, state: str) -> str:
    """Return a review with an act of otto in its sample."""
    number = w.new("audit_trail_review", "in_review")
    values = _looked_at(w, w.row(number))
    values["items"][0]["person"] = w.number_of("otto")
    w.do(number, "record", **values)
    if state == "reviewed":
        w.do(number, "review")
    return number


def _looked_at(w: World, row: Row) -> dict[str, Any]:
    return {
        "query": "Refusals and voids of the period.",
        "result_hash": "0" * 64,
        "items": [
            {
                "event": "IMG-2026-00001 voided",
                "person": w.number_of("maker1"),
                "critical": True,
                "question": "Why was the image voided?",
                "answer": "It was captured twice.",
            }
        ],
        "conclusion": "Nothing is left open.",
    }


def _unanswered(w: World, row: Row) -> None:
    values = _looked_at(w, row)
    del values["items"][0]["answer"]
    w.do(row.number, "record", **values)


def _own(w: World, row: Row) -> dict[str, Any]:
    values = _looked_at(w, row)
    values["items"][0]["person"] = w.number_of("quality1")
    return values


def _earlier(w: World, row: Row) -> None:
    """Let the last review of the system end ten days before this one begins."""
    w.new(
        "audit_trail_review",
        system=row.fields["system"]["number"],
        period_from=w.day(-200),
        period_to=w.day(-100),
    )


EXAMPLE = Example(
    create=lambda w: {
        "title": "Image analysis",
        "system": w.new("scope_item"),
        "period_from": w.day(-90),
        "period_to": w.day(-1),
        "due_on": w.day(14),
        "event_classes": ["refusals", "voids"],
        "risk_basis": "Quarterly, as the risk is medium.",
        "sample_rule": "all_critical",
    },
    selves={"sampled": _sampled},
    acts={"record": _looked_at},
    breaks={
        "start": {"No day is left out": _earlier},
        "draw": {"drawn once": lambda w, row: w.do(row.number, "record")},
        "record": {"Nobody reviews what they did": _own},
        "review": {"Every critical entry": _unanswered},
    },
    before={"review": lambda w, row: w.do(row.number, "record")},
)
