"""OOS: a result out of specification or trend, investigated before it may be set aside (DOMAIN 8.14).

Rules kept here: from its first moment the results are held; the laboratory phase answers every check
before a cause is named; a retest is planned, its number fixed and approved by quality before the first;
a result is set aside only with an assignable cause and by quality; nothing is averaged away.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import REGULATED, TITLE, VOIDED, computed_title, sandbox, signing, void

CHECKS = (
    "sample_id",
    "layout",
    "focus_exposure",
    "artefact",
    "calibration",
    "suitability",
    "algorithm_parameters",
    "exclusion_list",
    "calculation",
)
"""What phase 1 looks at, every one."""
_EVER = (
    "open",
    "phase1_done",
    "phase2_planned",
    "phase2",
    "concluded",
    "confirmed",
    "invalidated",
)
_FROM_PHASE_2 = ("phase2", "concluded", "confirmed", "invalidated")
_AFTER_PHASE_1 = ("phase1_done", "phase2_planned", *_FROM_PHASE_2)
_LABORATORY = ("ANL", "REV")
_RUNS: dict[str, tuple[w.Path, str, str]] = {"runs": ((), "analysis_run", "oos")}
_RUN_ENDS = ("accepted", "rejected", "failed", "aborted")


@rule("phase1_complete", 1)
def phase1_complete(inp: RuleInput) -> str | None:
    """Ask that every check of phase 1 has a finding."""
    done = {str(row["check"]) for row in inp.fields.get("phase1", ())}
    open_ = [c.replace("_", " ") for c in CHECKS if c not in done]
    return f"Every check of phase 1 has a finding (open: {', '.join(open_)})." if open_ else None


@rule("other_analyst_named", 1)
def other_analyst_named(inp: RuleInput) -> str | None:
    """Ask that retests are done by somebody who did not make the original result."""
    analyst = inp.fields.get("other_analyst")
    if analyst is None:
        return "Another analyst is named for the retests."
    for run in inp.reads["run"]:
        if analyst["uid"] in {*run.people.get("create", ()), *run.people.get("signed_executed", ())}:
            return f"Retests are done by somebody other than who executed {run.number}."
    return None


@rule("results_individual", 1)
def results_individual(inp: RuleInput) -> str | None:
    """Refuse an average among the individual results."""
    if any(row["kind"] == "average" for row in inp.fields.get("individual_results", ())):
        number = inp.record.number if inp.record is not None else "the OOS"
        return f"Averaging hides an OOS; report individual values (see {number})."
    return None


@rule("retests_as_planned", 1)
def retests_as_planned(inp: RuleInput) -> str | None:
    """Ask for exactly the retests planned, every one decided and its results reported one by one."""
    planned = int(inp.fields.get("retest_number", 0))
    runs = inp.children["runs"]
    open_ = [r.number for r in runs if r.state not in _RUN_ENDS]
    if open_:
        return f"Every retest is decided (open: {', '.join(open_)})."
    done = sum(r.state in ("accepted", "rejected") for r in runs)
    if done != planned:
        return f"{planned} retests were planned and approved ({done} were done)."
    rows = sum(row["kind"] in ("retest", "resample") for row in inp.fields.get("individual_results", ()))
    return None if rows >= planned else f"Every retest is reported ({rows} of {planned} are)."


@rule("cause_for_invalidation", 1)
def cause_for_invalidation(inp: RuleInput) -> str | None:
    """Refuse to call it a laboratory error without an assignable cause."""
    if inp.fields.get("conclusion") != "lab_error_invalidated":
        return None
    if inp.fields.get("assignable_cause") == "yes" and inp.fields.get("cause"):
        return None
    return "A result is invalidated only with an assignable cause."


_CAUSE = w.Rule(
    "cause_for_invalidation", 1, message="Invalidation needs an assignable cause.", code="VAL_REQ"
)
_INDIVIDUAL = w.Rule("results_individual", 1, message="Results are individual.")
_PHASE_1 = w.Table(
    {
        "check": w.Column(w.Enum(CHECKS)),
        "finding": w.Column(w.Rich(5000)),
        "evidence": w.Column(w.File(), required=False),
    },
    max_rows=200,
)
_RESULTS = w.Table(
    {
        "kind": w.Column(w.Enum(("original", "retest", "resample", "average"))),
        "position": w.Column(w.Text(100)),
        "quantity_name": w.Column(w.Text(100)),
        "value": w.Column(w.Decimal(places=15)),
        "unit": w.Column(w.Text(30)),
        "run": w.Column(w.Link(("analysis_run",), "none"), required=False),
    },
    max_rows=1000,
)
_ROWS = w.Table(
    {
        "position": w.Column(w.Text(100)),
        "quantity_name": w.Column(w.Text(100)),
        "value": w.Column(w.Decimal(places=15)),
        "limit": w.Column(w.Text(200), required=False),
    },
    max_rows=1000,
    min_rows=1,
)
_PEOPLE = ("opener", "investigator", "planner", "concluder", "executor", "requester", "editors")


def _decision(name: str, label: str, text: str, from_: str, to: str, *asked: w.Guard) -> w.Transition:
    """Return quality's decision: signed, with a reason, by nobody who made or investigated the result."""
    return w.Transition(
        name,
        label,
        (from_,),
        to,
        ("QA",),
        fields=("impact",),
        requires=(
            *asked,
            w.Compare(("impact",), "present", message="The effect on other work is stated."),
        ),
        signature=signing("approved", text, ("QA",), _PEOPLE),
        reason=w.Reason(40),
    )


_PHASE_2 = (
    w.Transition(
        "plan_retests",
        "Plan phase 2",
        ("phase1_done",),
        "phase2_planned",
        _LABORATORY,
        fields=("plan", "retest_number", "other_analyst", "resample_justification"),
        requires=(
            w.Compare(("plan",), "present", message="The plan is written."),
            w.Compare(("retest_number",), "present", message="The number of retests is fixed in advance."),
            w.Rule(
                "other_analyst_named", 1, {"run": ("results", "run")}, message="Another analyst is named."
            ),
        ),
        signature=signing("authored", "I plan these retests before the first is done.", _LABORATORY),
    ),
    w.Transition(
        "return_plan", "Send plan back", ("phase2_planned",), "phase1_done", ("QA",), reason=w.Reason()
    ),
    w.Transition(
        "approve_plan",
        "Approve plan",
        ("phase2_planned",),
        "phase2",
        ("QA",),
        signature=signing(
            "approved",
            "I approve these retests and their number.",
            ("QA",),
            ("planner", "executor", "editors"),
        ),
    ),
    w.Transition(
        "conclude",
        "Conclude phase 2",
        ("phase2",),
        "concluded",
        _LABORATORY,
        fields=("individual_results", "conclusion", "assignable_cause", "cause"),
        requires=(
            w.Compare(("conclusion",), "present", message="There is a conclusion."),
            _INDIVIDUAL,
            w.Rule("retests_as_planned", 1, {}, _RUNS, "The retests planned were done."),
            _CAUSE,
        ),
        signature=signing("executed", "I report every result, one by one.", _LABORATORY),
    ),
    w.Transition(
        "return_conclusion",
        "Send conclusion back",
        ("concluded",),
        "phase2",
        ("QA",),
        reason=w.Reason(20),
    ),
)

TYPE = w.Type(
    name="oos",
    title="OOS investigation",
    version=1,
    purpose="Why a result is out of specification, and whether it stands.",
    number=w.Number("OOS", 4, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": TITLE,
        "results": w.Field(
            w.Link(("result_set",), "version"), "Results", required=True, immutable_at=_EVER, critical=True
        ),
        "study": w.Field(w.Link(("study",), "version"), "Study", source="computed"),
        "kind": w.Field(
            w.Enum(("out_of_specification", "out_of_trend", "unexpected_image")),
            "Kind",
            required=True,
            immutable_at=_EVER,
            critical=True,
        ),
        "rows": w.Field(_ROWS, "Values concerned", required=True, immutable_at=_EVER, critical=True),
        "what": w.Field(w.Rich(10_000), "What was seen", required=True, critical=True),
        "due": w.Field(w.Date(), "Due", critical=True),
        "phase1": w.Field(_PHASE_1, "Phase 1", critical=True, immutable_at=_AFTER_PHASE_1),
        "assignable_cause": w.Field(
            w.Enum(("yes", "no")), "Assignable cause", required_at=("phase1_done",), critical=True
        ),
        "cause": w.Field(w.Rich(10_000), "The cause", critical=True),
        "plan": w.Field(w.Rich(20_000), "Plan of phase 2", immutable_at=_FROM_PHASE_2, critical=True),
        "retest_number": w.Field(
            w.Int(1, 20),
            "Number of retests",
            immutable_at=_FROM_PHASE_2,
            critical=True,
            help="Fixed in advance: not more and not fewer are done.",
        ),
        "other_analyst": w.Field(
            w.Link(("user",), "none"), "Analyst of the retests", immutable_at=_FROM_PHASE_2, critical=True
        ),
        "resample_justification": w.Field(
            w.Rich(10_000), "Why a new sample is taken", immutable_at=_FROM_PHASE_2, critical=True
        ),
        "individual_results": w.Field(_RESULTS, "Individual results", critical=True),
        "conclusion": w.Field(
            w.Enum(("confirmed_oos", "lab_error_invalidated", "inconclusive")), "Conclusion", critical=True
        ),
        "impact": w.Field(w.Rich(20_000), "Effect on other work, lots and studies", critical=True),
    },
    states=(
        w.State("open", blocking=True),
        w.State("phase1_done", blocking=True),
        w.State("phase2_planned", blocking=True),
        w.State("phase2", blocking=True),
        w.State("concluded", blocking=True),
        w.State("confirmed", terminal=True, locked=True),
        w.State("invalidated", terminal=True, locked=True, blocking=True),
        VOIDED,
    ),
    create=w.Making(
        ("ANL", "REV", "QA"),
        "open",
        effects=(
            computed_title(results=("results",)),
            w.Set("study", w.Value("path", path=("results", "run", "study"))),
        ),
    ),
    edit=w.Editing((*_LABORATORY, "QA"), ("open", "phase2"), requires=(_INDIVIDUAL, _CAUSE)),
    persons={
        "opener": w.Actor("create"),
        "investigator": w.Actor("finish_phase1"),
        "planner": w.Signer("authored"),
        "concluder": w.Actor("conclude"),
        "executor": w.Signer("executed", ("results", "run")),
        "requester": w.Actor("create", ("results", "run")),
        "editors": w.Actor("edit"),
    },
    transitions=(
        w.Transition(
            "finish_phase1",
            "Finish phase 1",
            ("open",),
            "phase1_done",
            _LABORATORY,
            fields=("phase1", "assignable_cause", "cause"),
            requires=(
                w.Rule("phase1_complete", 1, message="Every check of phase 1 has a finding."),
                w.When(
                    w.Compare(("assignable_cause",), "eq", "yes"),
                    (w.Compare(("cause",), "present", message="The cause is stated."),),
                ),
            ),
            signature=signing("executed", "I looked at every point and recorded what I found.", _LABORATORY),
        ),
        _decision(
            "invalidate",
            "Invalidate for a laboratory error",
            "The result is set aside for the cause assigned; it stays on record.",
            "phase1_done",
            "invalidated",
            w.Compare(
                ("assignable_cause",),
                "eq",
                "yes",
                message="A result is invalidated only with an assignable cause.",
                code="VAL_REQ",
            ),
        ),
        *_PHASE_2,
        _decision(
            "confirm",
            "Confirm result",
            "The original result stands.",
            "concluded",
            "confirmed",
            w.Compare(
                ("conclusion",),
                "ne",
                "lab_error_invalidated",
                message="A laboratory error is invalidated, not confirmed.",
            ),
        ),
        _decision(
            "invalidate_after_retests",
            "Invalidate after phase 2",
            "The result is set aside for the cause assigned; every result stays on record.",
            "concluded",
            "invalidated",
            w.Compare(
                ("conclusion",),
                "eq",
                "lab_error_invalidated",
                message="The conclusion is a laboratory error.",
            ),
        ),
        void(("open",)),
    ),
    blocks="results",
    retention=w.Retention(longest_of=("results", "run", "study")),
    summary=("title", "kind", "results", "due"),
    predicate_rules=("21 CFR 211.192", "21 CFR 211.165(f)", "21 CFR 211.160(b)", "21 CFR 211.194(a)"),
    sandbox=sandbox("results", "run", "study"),
    due="due",
)
