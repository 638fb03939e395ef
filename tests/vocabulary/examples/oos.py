"""A count below its limit in the results of a run under review; one retest is planned."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

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
VALUE = {"position": "A01", "quantity_name": "count", "value": "12"}

AVERAGE = [VALUE | {"kind": "average", "unit": "1"}]


def _results(w: World) -> str:
    run = w.new("analysis_run", "in_review")
    return str(w.row(run).fields["results"]["number"])


def _phase1(cause: bool) -> dict[str, Any]:
    found = {"phase1": [{"check": c, "finding": "As it must be."} for c in CHECKS]}
    return found | ({"assignable_cause": "yes", "cause": "Wells were swapped."} if cause else {})


def _original(w: World, row: Row) -> Row:
    return w.along(row, ("results", "run"))[0]


def _analyst(w: World, row: Row) -> str:
    """Return an analyst who did not make the original result."""
    run = _original(w, row)
    made = {*run.people["create"], *run.people["signed_executed"]}
    people = (w.person("ANL", n) for n in range(4))
    return w.number_of(next(p for p in people if p.uid not in made))


def _retested(w: World, row: Row) -> None:
    """Let the analyst named make the one retest, and bring it to its end."""
    if any(r.fields.get("oos", {}).get("number") == row.number for r in w.linked(row.number, "analysis_run")):
        return
    analyst = w.someone(row.fields["other_analyst"]["uid"])
    images = _original(w, row).fields["image_set"]["number"]
    run = w.create("analysis_run", by=analyst, image_set=images, reason="investigation", oos=row.number)
    for act in ("start", "finish"):
        w.step(run, act)
    w.do(run, "submit")
    case = next(r for r in w.linked(run, "review_case") if r.state == "queued")
    w.do(case.number, "start")
    w.do(case.number, "reject")


def _conclusion(w: World, row: Row, what: str = "inconclusive") -> dict[str, Any]:
    single = VALUE | {"kind": "retest", "unit": "1"}
    cause = {"assignable_cause": "yes", "cause": "Wells were swapped."}
    return {"conclusion": what, "individual_results": [single]} | (cause if "lab" in what else {})


def _for_error(w: World, row: Row) -> None:
    """Conclude again, that it was a laboratory error."""
    if row.fields["conclusion"] != "lab_error_invalidated":
        w.do(row.number, "return_conclusion")
        w.do(row.number, "conclude", **_conclusion(w, w.row(row.number), "lab_error_invalidated"))


EXAMPLE = Example(
    create=lambda w: {
        "results": _results(w),
        "kind": "out_of_specification",
        "rows": [VALUE],
        "what": "The count is below its limit.",
    },
    acts={
        "finish_phase1": lambda w, row: _phase1(cause=True),
        "invalidate": lambda w, row: {"impact": "None beyond this plate."},
        "plan_retests": lambda w, row: {
            "plan": "Repeat once.",
            "retest_number": 1,
            "other_analyst": _analyst(w, row),
        },
        "conclude": _conclusion,
        "confirm": lambda w, row: {"impact": "None beyond this plate."},
        "invalidate_after_retests": lambda w, row: {"impact": "None beyond this plate."},
    },
    breaks={
        "conclude": {
            "Averaging hides": lambda w, row: _conclusion(w, row) | {"individual_results": AVERAGE},
            "only with an assignable cause": lambda w, row: (
                _conclusion(w, row, "lab_error_invalidated") | {"assignable_cause": "no"}
            ),
        },
        "edit": {
            "Averaging hides": lambda w, row: {"individual_results": AVERAGE},
            "only with an assignable cause": lambda w, row: {"conclusion": "lab_error_invalidated"},
        },
    },
    before={"conclude": _retested, "invalidate_after_retests": _for_error},
)
