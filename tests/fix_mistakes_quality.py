"""Mistakes that people make in review, release and quality work, as DOMAIN names them."""

from __future__ import annotations

from typing import Any

from fix_mistakes import Mistake, always, broken, created, done, new, once
from fix_world import World, example


def _reviewer_of_own(w: World) -> str:
    run = w.create("analysis_run", by="otto")
    w.to(run, "completed")
    w.do(run, "submit", by="otto")
    return next(r.number for r in w.linked(run, "review_case") if r.state == "queued")


def _released_by_reviewer(w: World, number: str) -> Any:
    row = w.row(number)
    return w.do(number, "release", by=w.someone(min(w.people_named(row, "qa_reviewer"))))


def _decided_lot(w: World, number: str) -> Any:
    return w.create("inspection", subject=w.row(number).fields["subject"]["number"])


def _hasty(w: World) -> str:
    number = w.new("inspection", "testing")
    w.do(number, "record")
    return number


def _yes(w: World, number: str) -> Any:
    unit = w.row(number).fields["samples"][0]["unit"]
    return w.do(number, "record", readings=[{"sample": unit, "characteristic": "scratch", "passed": "yes"}])


def _held(w: World) -> str:
    subject = w.row(w.new("ncr", "contained")).fields["subject"]
    return str(subject["number"])


def _two_seats(w: World, number: str) -> Any:
    w.do(number, "vote_qa", by="otto")
    return w.do(number, "vote_eng", by="otto")


def _safety(w: World) -> str:
    number = w.new(
        "disposition",
        "voting",
        ncr=w.new("ncr", "under_review", safety_characteristic=True),
        lines=[{"item": "Box 7", "quantity": 50, "action": "use_as_is"}],
    )
    w.do(number, "justify")
    w.do(number, "vote_qa")
    return number


def _implemented(w: World) -> str:
    number = w.new("capa", "effectiveness_check", owner=w.number_of("otto"))
    w.step(number, "sign_lessons")
    return number


_capa = once("capa", _implemented)
_METRIC = {"metric": "Wrong filters", "baseline": "3", "target": "9", "sample_size": "1"}


def _overdue(w: World) -> str:
    number = w.new("audit_finding")
    w.do(number, "respond", capa=[w.new("capa")])
    for act in ("accept", "start_actions"):
        w.step(number, act)
    w.step(number, "verify")
    w.pass_days(5)
    return number


def _undecided(w: World) -> str:
    return w.new("complaint", "resolved")


def _without_cause(w: World) -> str:
    number = w.new("oos")
    w.do(number, "finish_phase1", assignable_cause="no")
    return number


def _retested(w: World) -> str:
    number = w.new("oos", "phase2")
    example("oos").before["conclude"](w, w.row(number))
    return number


def _once_more(w: World, number: str) -> Any:
    row = w.row(number)
    images = w.along(row, ("results", "run"))[0].fields["image_set"]["number"]
    analyst = w.someone(row.fields["other_analyst"]["uid"])
    return w.create("analysis_run", by=analyst, image_set=images, reason="investigation", oos=number)


def _too_early(w: World, number: str) -> Any:
    return w.create("analysis_run", reason="investigation", oos=number)


def _account_lives(w: World) -> str:
    return w.new("incident", "verification", account=w.any("user"))


def _blank(w: World) -> str:
    return w.new("deviation", "investigating")


REVIEW = (
    Mistake(
        "review_case", "AUTH_SELF", "must be done by someone other than",
        done("start", by="otto"), _reviewer_of_own,
    ),
    Mistake(
        "review_case", "SEQ_PRE", "checklist is filled in", done("technical"), new("review_case", "in_review")
    ),
    Mistake(
        "release_decision", "AUTH_SELF", "must be done by someone other than",
        _released_by_reviewer, new("release_decision"),
    ),
)  # fmt: skip

QUALITY = (
    Mistake("inspection", "SEQ_PRE", "5 needed, 1 recorded", done("complete"), _hasty),
    Mistake(
        "inspection", "SEQ_PRE", "Re-inspection needs a disposition",
        _decided_lot, new("inspection", "accepted"),
    ),
    Mistake("inspection", "VAL_FORM", "true or false", _yes, new("inspection", "testing")),
    Mistake("deviation", "VAL_REQ", "required before in review", done("submit"), _blank),
    Mistake(
        "deviation", "REASON", "Human error needs a contributing cause",
        broken("deviation", "submit", "contributing cause"), _blank,
    ),
    Mistake(
        "deviation", "VAL_RANGE", "within one working day of discovery",
        created("deviation", found_at=lambda w: f"{w.day(-9)}T08:00:00Z"),
    ),
    Mistake(
        "deviation", "SEQ_STATE", "comes before the fact",
        created(
            "deviation", kind=always("planned"), found_at=always(None), occurred_at=always(None),
            starts_on=lambda w: w.day(-1), ends_on=lambda w: w.day(5),
        ),
    ),
    Mistake(
        "ncr", "SEQ_PRE", "12 of 62 pieces have no disposition",
        broken("ncr", "close", "12 of 62 pieces have no disposition"), new("ncr", "executed"),
    ),
    Mistake("ncr", "HOLD", "is on hold", done("submit"), _held),
    Mistake("disposition", "AUTH_SELF", "someone other than", _two_seats, new("disposition", "voting")),
    Mistake("disposition", "SEQ_PRE", "never decided on a safety characteristic", done("decide"), _safety),
    Mistake(
        "disposition", "VAL_RANGE", "cover 49 of 50 pieces",
        created("disposition", lines=always([{"item": "Box 7", "quantity": 49, "action": "scrap"}])),
    ),
    Mistake("capa", "SEQ_PRE", "Effectiveness window ends", done("close", by="quality1"), _implemented),
    Mistake("capa", "AUTH_SELF", "someone other than", done("close", by="otto"), _capa),
    Mistake("capa", "LOCKED", "is fixed", done("edit", by="quality1", criterion=[_METRIC]), _capa),
    Mistake(
        "complaint", "VAL_REQ", "Justification is required before no investigation",
        done("triage", investigation_needed="no"), new("complaint"),
    ),
    Mistake("complaint", "SEQ_PRE", "Reportability is decided by quality", done("close"), _undecided),
    Mistake(
        "audit", "AUTH_SELF", "Nobody audits their own area",
        created("audit", auditors=lambda w: [w.number_of("bench1")]),
    ),
    Mistake(
        "change", "SEQ_STATE", "only allowed from approved", done("implement", by="bench1"), new("change")
    ),
    Mistake(
        "change", "VAL_REQ", "Say 'none' and why",
        broken("change", "submit", "outcome for validation"), new("change"),
    ),
    Mistake(
        "change", "VAL_REQ", "Not assessed: product quality",
        broken("change", "submit", "Not assessed: product quality"), new("change"),
    ),
    Mistake(
        "risk_assessment", "SEQ_PRE", "Every high risk has an action",
        broken("risk_assessment", "approve", "Every high risk"), new("risk_assessment", "submitted"),
    ),
    Mistake(
        "supplier", "HOLD", "is an approved supplier (it is proposed)",
        created("calibration", provider=new("supplier")),
    ),
    Mistake("oos", "SEQ_STATE", "An OOS plan is approved", _too_early, new("oos")),
    Mistake("oos", "VAL_REQ", "only with an assignable cause", done("invalidate"), _without_cause),
    Mistake("oos", "SEQ_PRE", "Plan allows 1; this is number 2", _once_more, _retested),
    Mistake("incident", "SEQ_PRE", "can no longer act", done("close"), _account_lives),
    Mistake(
        "audit_trail_review", "SEQ_PRE", "Every critical entry is answered",
        broken("audit_trail_review", "review", "Every critical entry"),
        new("audit_trail_review", "in_review"),
    ),
    Mistake(
        "audit_trail_review", "SEQ_PRE", "is not covered by any review",
        broken("audit_trail_review", "start", "No day is left out"), new("audit_trail_review"),
    ),
    Mistake(
        "restore_test", "SEQ_PRE", "Restored audit trail differs from live", done("accept"),
        new("restore_test", "reviewed", result="differs", found=1, differences=["event 7"]),
    ),
    Mistake(
        "system_review", "SEQ_PRE", "Every required input",
        broken("system_review", "approve", "Every required input"), new("system_review", "in_review"),
    ),
    Mistake(
        "scope_item", "REASON", "Say why", done("exclude", out_of_scope_because=None),
        new("scope_item", "assessed"),
    ),
    Mistake(
        "gap_assessment", "VAL_REQ", "Evidence is required before a clause is met",
        broken("gap_assessment", "assess", "Evidence is required"), new("gap_assessment"),
    ),
    Mistake(
        "disposal", "RETENTION", "must be kept until", done("propose"),
        new("disposal", records=lambda w: [w.any("study")]),
    ),
)  # fmt: skip

LATER = (Mistake("audit_finding", "SEQ_PRE", "No corrective action is overdue", done("close"), _overdue),)
"""What is tried only once days have passed: last, so that nothing else is late because of it."""
