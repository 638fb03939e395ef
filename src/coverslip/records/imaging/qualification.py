"""Qualification: that an instrument, method, system or process does what it is for (DOMAIN 4.11).

Rules kept here: installation before operation before performance; what was recorded for a case stays,
a failed case too, and executing it again is another row; a pass has evidence; whoever executed does not
review, and quality approves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rows import Row
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, signing, void

KINDS = ("IQ", "OQ", "PQ", "requal", "DQ", "MSA", "process_validation")
_BEFORE = {"OQ": "IQ", "PQ": "OQ"}
_LATER = ("executing", "executed", "reviewed", "approved", "failed")
_EXECUTORS = ("OPR", "ANL", "MET", "ENG")
_RESULT = ("actual", "outcome", "evidence", "evidence_note")
_PLANNED = ("case", "requirement", "step", "expected")


def of_kind(rows: Iterable[Row], kind: str, subject: str) -> list[Row]:
    """Return the approved qualifications of a kind whose subject is the record ``subject``."""
    return [
        r
        for r in rows
        if r.state == "approved" and r.fields["kind"] == kind and r.fields["subject"]["uid"] == subject
    ]


@rule("qualified_in_order", 1)
def qualified_in_order(inp: RuleInput) -> str | None:
    """Ask for an approved IQ before an OQ, and an approved OQ before a PQ."""
    wanted = _BEFORE.get(str(inp.fields.get("kind")))
    subject = inp.fields["subject"]
    if wanted is None or of_kind(inp.children["qualifications"], wanted, str(subject["uid"])):
        return None
    return f"{wanted} of {subject['number']} is approved before {inp.fields['kind']}."


def _cases(inp: RuleInput) -> list[dict[str, Any]]:
    return list(inp.fields.get("test_cases") or ())


def _before(inp: RuleInput) -> list[dict[str, Any]]:
    return list(inp.record.fields.get("test_cases") or ()) if inp.record is not None else []


def _done(row: dict[str, Any]) -> bool:
    return "outcome" in row


@rule("executed_cases_kept", 1)
def executed_cases_kept(inp: RuleInput) -> str | None:
    """Refuse to change what was recorded for a case, or what was planned; new rows repeat planned cases."""
    before, after = _before(inp), _cases(inp)
    if len(after) < len(before):
        return "Test cases stay; execute one again as another row."
    planned = {row["case"] for row in before}
    for old, new in zip(before, after, strict=False):
        if _done(old) and old != new:
            return f"Case {old['case']} was recorded and is locked; execute it again as another row."
        if any(old.get(name) != new.get(name) for name in _PLANNED):
            return f"Case {old['case']} stays as planned."
    added = [row["case"] for row in after[len(before) :] if row["case"] not in planned]
    return f"Case {added[0]} is not in the plan; a new row executes a planned case again." if added else None


@rule("passes_have_evidence", 1)
def passes_have_evidence(inp: RuleInput) -> str | None:
    """Refuse a pass with neither evidence nor what was seen."""
    bare = [
        str(row["case"])
        for row in _cases(inp)
        if row.get("outcome") == "pass"
        and not (row.get("actual") and (row.get("evidence") or row.get("evidence_note")))
    ]
    return f"Evidence and result are required before a case passes ({', '.join(bare)})." if bare else None


@rule("cases_stamped", 1)
def cases_stamped(inp: RuleInput) -> list[dict[str, Any]]:
    """Return the cases; those recorded now carry who recorded them and when, whatever was sent."""
    before = _before(inp)
    stamped = []
    for index, row in enumerate(_cases(inp)):
        known = index < len(before) and _done(before[index])
        bare = {k: v for k, v in row.items() if k not in ("executed_by", "executed_at")}
        if known:
            bare = row
        elif _done(row):
            bare |= {"executed_by": inp.fields["recorder"], "executed_at": inp.now}
        stamped.append(bare)
    return stamped


def _last(inp: RuleInput) -> dict[str, dict[str, Any]]:
    """Return the last row of every case."""
    return {str(row["case"]): row for row in _cases(inp)}


@rule("cases_executed", 1)
def cases_executed(inp: RuleInput) -> str | None:
    """Ask that every row has an outcome."""
    open_ = [str(row["case"]) for row in _cases(inp) if not _done(row)]
    return f"Every test case is executed (open: {', '.join(open_[:10])})." if open_ else None


@rule("cases_pass", 1)
def cases_pass(inp: RuleInput) -> str | None:
    """Ask that the last execution of every case passed or does not apply."""
    failed = [name for name, row in _last(inp).items() if row.get("outcome") not in ("pass", "n_a")]
    return f"Every test case passes in the end (failed: {', '.join(failed[:10])})." if failed else None


_CASES = w.Table(
    {
        "case": w.Column(w.Text(40)),
        "requirement": w.Column(w.Text(300), required=False),
        "step": w.Column(w.Rich(5000)),
        "expected": w.Column(w.Rich(2000)),
        "actual": w.Column(w.Rich(5000), required=False),
        "outcome": w.Column(w.Enum(("pass", "fail", "n_a")), required=False),
        "evidence": w.Column(w.File(), required=False),
        "evidence_note": w.Column(w.Text(1000), required=False),
        "executed_by": w.Column(w.Link(("user",), "none"), required=False),
        "executed_at": w.Column(w.Instant(), required=False),
    },
    max_rows=2000,
    min_rows=1,
)
_ALL_EXECUTED = w.Rule("cases_executed", 1, message="Every test case is executed.")
_EVIDENCE = w.Rule("passes_have_evidence", 1, message="A pass has evidence.", code="VAL_REQ")
NO_RESULTS = w.Filled(
    "test_cases", ("step", "expected"), message="Every test case says step and expectation."
)


@rule("nothing_recorded_yet", 1)
def nothing_recorded_yet(inp: RuleInput) -> str | None:
    """Refuse a plan that already carries results."""
    filled = [str(row["case"]) for row in _cases(inp) if any(name in row for name in _RESULT)]
    return f"A plan carries no results ({', '.join(filled[:10])})." if filled else None


_PLAN_ONLY = w.Rule("nothing_recorded_yet", 1, message="A plan carries no results.")

TYPE = w.Type(
    name="qualification",
    title="Qualification",
    version=1,
    purpose="That something was installed, works and performs as it must, case by case.",
    number=w.Number("QLF"),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "subject": w.Field(
            w.Link((), "version"), "What is qualified", required=True, immutable_at=_LATER, critical=True
        ),
        "kind": w.Field(w.Enum(KINDS), "Kind", required=True, immutable_at=_LATER, critical=True),
        "protocol": w.Field(
            w.Link((), "version"), "Protocol", required=True, immutable_at=_LATER, critical=True
        ),
        "software_versions": w.Field(w.Text(500), "Software and firmware qualified", critical=True),
        "planned_on": w.Field(w.Date(), "To be executed by"),
        "test_cases": w.Field(
            _CASES,
            "Test cases",
            required_at=("executing",),
            critical=True,
            help="What was recorded stays; to execute a case again, add a row with the same case.",
        ),
        "recorder": w.Field(w.Link(("user",), "none"), "Recorded by", source="computed"),
        "deviations": w.Field(w.Link(("deviation",), "none"), "Deviations", many=True, critical=True),
        "conclusion": w.Field(w.Rich(20_000), "Conclusion", required_at=("executed",), critical=True),
        "approved_on": w.Field(w.Date(), "Approved on", source="computed"),
    },
    states=(
        w.State("planned"),
        w.State("executing"),
        w.State("executed"),
        w.State("reviewed"),
        w.State("approved", terminal=True, locked=True),
        w.State("failed", terminal=True, locked=True),
        VOIDED,
    ),
    create=w.Making(
        (*_EXECUTORS, "AUT", "QA"),
        "planned",
        requires=(_PLAN_ONLY,),
        effects=(computed_title(subject=("subject",)),),
    ),
    edit=w.Editing((*_EXECUTORS, "AUT", "QA"), ("planned",), requires=(_PLAN_ONLY,)),
    persons={
        "executor": w.Actor("record"),
        "signer": w.Signer("executed"),
        "reviewer": w.Signer("reviewed"),
        "editors": w.Touched(),
    },
    transitions=(
        w.Transition(
            "start",
            "Start",
            ("planned",),
            "executing",
            _EXECUTORS,
            requires=(
                w.Current(("protocol",), "Protocol {number} is in force (it is {state})."),
                NO_RESULTS,
                w.Rule(
                    "qualified_in_order",
                    1,
                    {"subject": ("subject",)},
                    {"qualifications": (("subject",), "qualification", "subject")},
                    "What comes before is approved.",
                ),
            ),
            effects=(w.Snapshot(("subject",), "subject"), w.Snapshot(("protocol",), "protocol")),
        ),
        w.Transition(
            "record",
            "Record results",
            ("executing",),
            "",
            _EXECUTORS,
            fields=("test_cases", "deviations", "software_versions"),
            requires=(
                w.Rule("executed_cases_kept", 1, message="What was recorded stays.", code="LOCKED"),
                _EVIDENCE,
            ),
            effects=(
                w.Set("recorder", w.Value("actor")),
                w.Compute("test_cases", w.Rule("cases_stamped", 1, message="Who and when.")),
            ),
        ),
        w.Transition(
            "finish",
            "Finish",
            ("executing",),
            "executed",
            _EXECUTORS,
            fields=("conclusion",),
            requires=(_ALL_EXECUTED,),
            signature=signing("executed", "I executed these cases and recorded what I saw.", _EXECUTORS),
        ),
        w.Transition(
            "review",
            "Review",
            ("executed",),
            "reviewed",
            ("REV", "MET"),
            signature=signing(
                "reviewed",
                "I reviewed execution and evidence of this qualification.",
                ("REV", "MET"),
                ("executor", "signer", "editors"),
            ),
        ),
        w.Transition(
            "send_back",
            "Send back",
            ("executed", "reviewed"),
            "executing",
            ("REV", "MET", "QA"),
            reason=w.Reason(),
            clears=("executed", "reviewed"),
        ),
        w.Transition(
            "approve",
            "Approve",
            ("reviewed",),
            "approved",
            ("QA",),
            requires=(
                w.Rule("cases_pass", 1, message="Every test case passes in the end."),
                w.InState(
                    ("deviations",),
                    ("closed",),
                    "Deviation {number} is closed (it is {state}).",
                    empty_ok=True,
                ),
            ),
            effects=(w.Set("approved_on", w.Value("today")),),
            signature=signing(
                "approved",
                "I approve this qualification.",
                ("QA",),
                ("executor", "signer", "reviewer", "editors"),
            ),
        ),
        w.Transition(
            "fail",
            "Record as failed",
            ("executed", "reviewed"),
            "failed",
            ("QA",),
            signature=signing(
                "rejected", "What was qualified does not do what it must.", ("QA",), ("executor", "signer")
            ),
            reason=w.Reason(20),
            aside=True,
        ),
        void(("planned", "executing")),
    ),
    retention=w.Retention("SYS"),
    summary=("title", "kind", "subject", "planned_on"),
    predicate_rules=(
        "21 CFR 11.10(a)",
        "21 CFR 211.68",
        "21 CFR 211.110",
        "ISO 13485 7.5.6",
        "ISO 13485 4.1.6",
    ),
    due="planned_on",
)
