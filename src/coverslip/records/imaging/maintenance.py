"""Maintenance: planned or corrective work on an instrument, and what it does to its qualification (5.18).

Rules kept here: whoever did the work does not verify it; work that touches what was qualified takes the
instrument out of service, and quality says what must be qualified again before it goes back.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void
from coverslip.records.imaging._service import NOT_IN_USE

_WORKERS = ("MET", "ENG", "OPR")
_REQUALIFY = w.Compare(("impact",), "eq", "requalify")
_TASKS = w.Table(
    {
        "task": w.Column(w.Text(500)),
        "result": w.Column(w.Enum(("done", "not_done", "n_a")), required=False),
        "note": w.Column(w.Text(1000), required=False),
    },
    max_rows=200,
    min_rows=1,
)
_PARTS = w.Table(
    {
        "part": w.Column(w.Text(200)),
        "serial": w.Column(w.Text(100), required=False),
        "replaces": w.Column(w.Text(200), required=False),
    },
    max_rows=200,
)
_DONE_FIELDS = ("tasks", "parts", "impact", "findings")
_ALL_DONE = w.Filled("tasks", ("result",), message="Every task has a result.")
_EXECUTED = signing("executed", "I did this work as recorded.", _WORKERS)

TYPE = w.Type(
    name="maintenance",
    title="Maintenance",
    version=1,
    purpose="What was done to an instrument, by whom, and whether it must be qualified again.",
    number=w.Number("MNT"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "instrument": w.Field(
            w.Link(("instrument",), "none"),
            "Instrument",
            required=True,
            immutable_at=("in_progress", "done", "verified"),
            critical=True,
        ),
        "kind": w.Field(w.Enum(("planned", "corrective")), "Kind", required=True),
        "planned_on": w.Field(w.Date(), "To be done by", required=True),
        "description": w.Field(w.Rich(10_000), "What is to be done", required=True),
        "tasks": w.Field(_TASKS, "Tasks", required=True, critical=True),
        "parts": w.Field(_PARTS, "Parts"),
        "provider": w.Field(w.Text(300), "Done by (outside the laboratory)"),
        "impact": w.Field(
            w.Enum(("none", "requalify")),
            "Effect on qualification",
            required_at=("done",),
            critical=True,
            help="Requalify when anything that was qualified was changed; quality then assesses it.",
        ),
        "findings": w.Field(w.Rich(10_000), "What was found", critical=True),
        "assessment": w.Field(w.Rich(10_000), "Assessment by quality", critical=True),
        "requalification": w.Field(w.Enum(("not_needed", "needed")), "Requalification", critical=True),
        "finished_on": w.Field(w.Date(), "Finished on", source="computed"),
    },
    states=(
        w.State("planned"),
        w.State("in_progress"),
        w.State("done"),
        w.State("verified", terminal=True, locked=True),
        w.State("cancelled", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making((*_WORKERS, "QA"), "planned", effects=(computed_title(instrument=("instrument",)),)),
    edit=w.Editing((*_WORKERS, "QA"), ("planned", "in_progress")),
    persons={
        "worker": w.Signer("executed"),
        "starter": w.Actor("start"),
        "editors": w.Touched(),
        "assessor": w.Signer("assessed"),
    },
    transitions=(
        w.Transition("start", "Start", ("planned",), "in_progress", _WORKERS),
        w.Transition(
            "finish",
            "Finish",
            ("in_progress",),
            "done",
            _WORKERS,
            fields=_DONE_FIELDS,
            requires=(
                _ALL_DONE,
                w.Compare(
                    ("impact",),
                    "eq",
                    "none",
                    message="Work that touches what was qualified is finished as such.",
                ),
            ),
            effects=(w.Set("finished_on", w.Value("today")),),
            signature=_EXECUTED,
        ),
        w.Transition(
            "finish_for_requalification",
            "Finish, to be qualified again",
            ("in_progress",),
            "done",
            _WORKERS,
            fields=_DONE_FIELDS,
            requires=(
                _ALL_DONE,
                w.Compare(("impact",), "eq", "requalify", message="The effect is: requalify."),
            ),
            effects=(
                w.Set("finished_on", w.Value("today")),
                w.Do(("instrument",), "stand_down", NOT_IN_USE),
            ),
            signature=_EXECUTED,
        ),
        w.Transition(
            "assess",
            "Assess effect",
            ("done",),
            "",
            ("QA",),
            fields=("assessment", "requalification"),
            requires=(
                w.Compare(("assessment",), "present", message="The assessment is written."),
                w.Compare(("requalification",), "present", message="It is said whether to qualify again."),
            ),
            signature=signing(
                "assessed",
                "I assessed what this work does to the qualification.",
                ("QA",),
                ("worker", "starter", "editors"),
            ),
        ),
        w.Transition(
            "verify",
            "Verify",
            ("done",),
            "verified",
            ("MET", "REV", "QA"),
            requires=(
                w.When(
                    _REQUALIFY,
                    (w.Signed("assessed", message="Quality assessed the effect of this work."),),
                ),
            ),
            signature=signing(
                "verified",
                "I checked this work and its record.",
                ("MET", "REV", "QA"),
                ("worker", "starter", "editors"),
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("done",),
            "in_progress",
            ("MET", "REV", "QA"),
            reason=w.Reason(),
            clears=("executed", "assessed"),
        ),
        w.Transition(
            "cancel",
            "Cancel",
            ("planned", "in_progress"),
            "cancelled",
            (*_WORKERS, "QA"),
            reason=w.Reason(),
            aside=True,
        ),
        void(("planned", "in_progress", "done")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "kind", "planned_on", "impact"),
    predicate_rules=("21 CFR 211.67", "21 CFR 211.182", "21 CFR 58.63", "ISO 13485 6.3"),
    due="planned_on",
)
