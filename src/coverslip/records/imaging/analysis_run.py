"""Analysis run: one execution of a method on a frozen image set (DOMAIN 4.20, 12.1).

Rules kept here: runs on a set are counted, failed, aborted and rejected ones included; a run computes
only in the environment its algorithm was approved with; nobody accepts a run by itself, only the
signed review does; a run is never corrected, another run is made.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, sandbox, signing

STATES = (
    w.State("queued"),
    w.State("running"),
    w.State("completed"),
    w.State("in_review"),
    w.State("accepted", locked=True),
    w.State("rejected", terminal=True, locked=True),
    w.State("failed", terminal=True, locked=True),
    w.State("aborted", terminal=True, locked=True),
)
_EVER = tuple(s.name for s in STATES)
_COMPUTED = ("completed", "in_review", "accepted", "rejected", "failed", "aborted")
_ON_SET: dict[str, tuple[w.Path, str, str]] = {"runs": (("image_set",), "analysis_run", "image_set")}


@rule("run_permitted", 2)
def run_permitted(inp: RuleInput) -> str | None:
    """Refuse a run beyond what the method permits on this image set, or what was permitted beside it.

    Counted are the earlier planned runs on the set by any version of the same method, whatever became of
    them; of two runs that wait, the one with the lower number goes first. A reprocessing request permits
    one run and no more, an OOS investigation as many retests as its approved plan says.
    """
    if inp.reads["request"] or inp.reads["oos"]:
        return _permitted_beside(inp)
    if inp.record is None:
        return None
    mine = str(inp.fields["method"]["number"])
    earlier = [
        run
        for run in inp.children["runs"]
        if run.uid != inp.record.uid
        and run.fields["method"]["number"] == mine
        and not {"request", "oos"} & run.fields.keys()
        and (run.state != "queued" or run.number < inp.record.number)
    ]
    for method in inp.reads["method"]:
        permitted = int(method.fields["permitted_runs"])
        if len(earlier) >= permitted:
            target = next((row.label for row in inp.reads["image_set"]), "this image set")
            return (
                f"{method.label} allows {permitted} run{'' if permitted == 1 else 's'} on {target}. "
                "Request reprocessing with a reason."
            )
    return None


def _permitted_beside(inp: RuleInput) -> str | None:
    own = inp.record.uid if inp.record is not None else ""
    for request in inp.reads["request"]:
        others = [r.number for r in inp.children["requested"] if r.uid != own]
        if others:
            return f"{request.number} permits one run, which is {others[0]}."
    for original in inp.reads["original"]:
        if original.fields["image_set"]["uid"] != inp.fields["image_set"]["uid"]:
            return f"The run is on the image set of {original.number}, whose repetition was permitted."
    for oos in inp.reads["oos"]:
        planned = int(oos.fields.get("retest_number", 0))
        before = [r for r in inp.children["retests"] if r.uid != own]
        if len(before) >= planned:
            return f"Plan allows {planned}; this is number {len(before) + 1} ({oos.number})."
    return None


@rule("retest_by_analyst_named", 1)
def retest_by_analyst_named(inp: RuleInput) -> str | None:
    """Ask that a retest is asked for by the analyst its plan names."""
    for oos in inp.reads["oos"]:
        analyst = oos.fields.get("other_analyst")
        if analyst is not None and analyst["uid"] != inp.actor:
            return f"Retests of {oos.number} are made by {analyst['number']}."
    return None


@rule("run_index_on_set", 1)
def run_index_on_set(inp: RuleInput) -> int:
    """Return 1 + the number of other runs already on the image set."""
    own = inp.record.uid if inp.record is not None else ""
    return 1 + sum(run.uid != own for run in inp.children["runs"])


@rule("suitability_passed", 1)
def suitability_passed(inp: RuleInput) -> str | None:
    """Ask that every suitability control of the run passed."""
    failed = [str(row["control"]) for row in inp.fields.get("suitability", ()) if row["pass"] is not True]
    return f"Suitability controls pass (failed: {', '.join(failed)})." if failed else None


@rule("set_of_study", 1)
def set_of_study(inp: RuleInput) -> str | None:
    """Ask that the image set was made for the study the run belongs to."""
    study = inp.fields["study"]["uid"]
    wrong = [row.number for row in inp.reads["image_set"] if row.fields["study"]["uid"] != study]
    return f"The image set belongs to the study named ({', '.join(wrong)} does not)." if wrong else None


_SUITABILITY = w.Table(
    {
        "control": w.Column(w.Text(200)),
        "limit": w.Column(w.Text(200)),
        "value": w.Column(w.Text(200)),
        "pass": w.Column(w.Bool()),
    },
    max_rows=200,
)


def _computed(
    kind: w.Kind, label: str, *, needed: bool = False, critical: bool = False, many: bool = False
) -> w.Field:
    """Return a field that the execution fills."""
    return w.Field(
        kind,
        label,
        required_at=("completed",) if needed else (),
        immutable_at=_COMPUTED,
        critical=critical,
        many=many,
        source="import",
    )


def _fixed(kind: w.Kind, label: str, *, required: bool = True, default: str | None = None) -> w.Field:
    """Return a field that is settled when the run is asked for."""
    return w.Field(kind, label, required=required, immutable_at=_EVER, critical=True, default=default)


_PERMITTED = w.Rule(
    "run_permitted",
    2,
    {
        "method": ("method",),
        "image_set": ("image_set",),
        "request": ("request",),
        "original": ("request", "run"),
        "oos": ("oos",),
    },
    _ON_SET
    | {
        "requested": (("request",), "analysis_run", "request"),
        "retests": (("oos",), "analysis_run", "oos"),
    },
    "The method permits this run.",
)
_WHY = (
    w.When(
        w.Compare(("reason",), "eq", "planned"),
        (
            w.Compare(("request",), "absent", message="A planned run names no reprocessing request."),
            w.Compare(("oos",), "absent", message="A planned run names no OOS investigation."),
            w.Count(
                ("image_set",),
                "analysis_run",
                "image_set",
                "lt",
                limit=("method", "permitted_runs"),
                message=(
                    "The method allows {limit} run(s) on {target}, which has {n}. Request reprocessing with "
                    "a reason."
                ),
            ),
        ),
    ),
    w.When(
        w.Compare(("reason",), "eq", "reprocess"),
        (
            w.InState(
                ("request",), ("approved",), "A reprocessing request is approved ({number} is {state})."
            ),
            w.Compare(("oos",), "absent", message="A repeated run names no OOS investigation."),
        ),
    ),
    w.When(
        w.Compare(("reason",), "eq", "investigation"),
        (
            w.InState(
                ("oos",), ("phase2",), "An OOS plan is approved ({number} is {state}).", code="SEQ_STATE"
            ),
            w.Compare(("request",), "absent", message="A retest names no reprocessing request."),
            w.Rule(
                "retest_by_analyst_named", 1, {"oos": ("oos",)}, message="The analyst named makes the retest."
            ),
        ),
    ),
)

TYPE = w.Type(
    name="analysis_run",
    title="Analysis run",
    version=2,
    purpose="One execution of a method on frozen images, whatever came of it.",
    number=w.Number("RUN", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": _fixed(w.Text(300), "Purpose"),
        "study": _fixed(w.Link(("study",), "version"), "Study"),
        "image_set": _fixed(w.Link(("image_set",), "version", ("frozen", "used")), "Image set"),
        "method": _fixed(w.Link(("analysis_method",), "version", ("effective",)), "Method"),
        "reason": _fixed(
            w.Enum(("planned", "reprocess", "investigation")), "Reason", required=False, default="planned"
        ),
        "request": _fixed(w.Link(("reprocessing_request",), "none"), "Reprocessing request", required=False),
        "oos": _fixed(w.Link(("oos",), "none"), "OOS investigation", required=False),
        "run_index": w.Field(w.Int(1), "Run on this set", source="computed"),
        "env_digest": _computed(HASH, "Environment hash", needed=True, critical=True),
        "environment": _computed(w.Json(50_000), "System and processor"),
        "seed": _computed(w.Int(), "Seed"),
        "log": _computed(w.File(), "Log", needed=True),
        "outputs": _computed(w.Link(("image",), "version"), "Images made", many=True),
        "results": _computed(w.Link(("result_set",), "none"), "Results", needed=True, critical=True),
        "suitability": _computed(_SUITABILITY, "Suitability controls", critical=True),
        "error": _computed(w.Rich(20_000), "What went wrong"),
        "started_at": w.Field(w.Instant(), "Started", source="computed"),
        "ended_at": w.Field(w.Instant(), "Ended", source="computed"),
        "interpretation": w.Field(
            w.Rich(20_000),
            "Interpretation",
            critical=True,
            immutable_at=("in_review", "accepted", "rejected", "failed", "aborted"),
        ),
        "notes": w.Field(w.Rich(20_000), "Notes"),
    },
    states=STATES,
    create=w.Making(
        ("ANL",),
        "queued",
        requires=(
            w.InState(("study",), ("in_progress",), "Study {number} is in progress (it is {state})."),
            w.InState(("image_set",), ("frozen", "used"), "{number} is frozen (it is {state})."),
            w.Compare(("image_set", "study"), "present", message="The image set belongs to a study."),
            w.Rule(
                "set_of_study",
                1,
                {"image_set": ("image_set",)},
                message="The image set belongs to the study named.",
            ),
            *_WHY,
            _PERMITTED,
            w.Trained(("method", "sop"), "You are trained on the procedure of the method."),
            w.NotOnHold(("study",), "The study is not on hold."),
            w.NotOnHold(("image_set",), "The image set is not on hold."),
        ),
        effects=(
            w.Compute("run_index", w.Rule("run_index_on_set", 1, children=_ON_SET, message="Counts runs.")),
            w.Do(("request",), "execute"),
        ),
    ),
    edit=w.Editing(("ANL",), ("completed",)),
    persons={"requester": w.Actor("create"), "executor": w.Signer("executed"), "editors": w.Touched()},
    transitions=(
        w.Transition(
            "start",
            "Start",
            ("queued",),
            "running",
            ("SVC",),
            requires=(
                w.InState(("image_set",), ("frozen", "used"), "{number} is frozen (it is {state})."),
                w.InState(("image_set", "members"), ("available",), "Every image is available."),
                w.Current(("method",), "{number} is in force (it is {state})."),
                _PERMITTED,
                w.NotOnHold(("study",), "The study is not on hold."),
                w.NotOnHold(("image_set",), "The image set is not on hold."),
            ),
            effects=(
                w.Set("started_at", w.Value("now")),
                w.Snapshot(("method",), "method"),
                w.Snapshot(("method", "algorithm"), "algorithm"),
                w.Snapshot(("method", "parameters"), "parameters"),
                w.Do(("image_set",), "use", ("used",)),
            ),
        ),
        w.Transition(
            "finish",
            "Finish",
            ("running",),
            "completed",
            ("SVC",),
            fields=("env_digest", "environment", "seed", "log", "outputs", "results", "suitability"),
            requires=(
                w.Compare(
                    ("env_digest",),
                    "eq",
                    other=("method", "algorithm", "env_digest"),
                    message="The run was computed in the environment its algorithm was approved with.",
                ),
                w.Compare(("results",), "present", message="Results are present."),
            ),
            effects=(w.Set("ended_at", w.Value("now")),),
        ),
        w.Transition(
            "submit",
            "Submit for review",
            ("completed",),
            "in_review",
            ("ANL",),
            requires=(
                w.InState(
                    ("results",), ("provisional",), "Results {number} are provisional (they are {state})."
                ),
                w.Rule("suitability_passed", 1, message="Suitability controls pass."),
                w.Trained(("method", "sop"), "You are trained on the procedure of the method."),
                w.NotOnHold((), "The run is not on hold."),
            ),
            effects=(w.Create("review_case", "subject", {"title": w.Value("path", path=("title",))}),),
            signature=signing(
                "executed", "I executed this analysis and submit its results for review.", ("ANL",)
            ),
        ),
        w.Transition(
            "accept",
            "Accept",
            ("in_review",),
            "accepted",
            consequence=True,
            effects=(w.Do(("results",), "finalise"),),
        ),
        w.Transition("reject", "Reject", ("in_review",), "rejected", consequence=True),
        w.Transition("reopen", "Return to executor", ("in_review",), "completed", consequence=True),
        w.Transition(
            "fail",
            "Record failure",
            ("queued", "running"),
            "failed",
            ("SVC",),
            fields=("error", "log", "env_digest", "environment"),
            effects=(w.Set("ended_at", w.Value("now")),),
            reason=w.Reason(),
            aside=True,
        ),
        w.Transition(
            "abort",
            "Abort",
            ("queued", "running"),
            "aborted",
            ("ANL",),
            effects=(w.Set("ended_at", w.Value("now")),),
            reason=w.Reason(20),
            aside=True,
        ),
    ),
    retention=w.Retention(longest_of=("study",)),
    summary=("title", "image_set", "method", "run_index"),
    predicate_rules=("21 CFR 211.194(a)", "21 CFR 211.165", "21 CFR 58.130"),
    sandbox=sandbox("study"),
    migration_note="Version 2: a run names the reprocessing request or the OOS investigation that permits it"
    " beside the planned ones. Older runs are planned ones.",
)
