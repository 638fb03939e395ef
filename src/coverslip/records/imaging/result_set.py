"""Result set: everything one run measured or derived (DOMAIN 4.21).

Rules kept here: results are computed, never typed; they name the method, algorithm and parameters of
their run and no others; they become final only by the signed acceptance of that run.
"""

from __future__ import annotations

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records._shared import HASH, REGULATED, sandbox

_EVER = ("provisional", "final")
MAX_ROWS = 500


@rule("results_match_run", 1)
def results_match_run(inp: RuleInput) -> str | None:
    """Ask that method, algorithm and parameters are those of the run."""
    for run in inp.reads["run"]:
        if inp.fields["method"]["uid"] != run.fields["method"]["uid"]:
            return f"Results name the method of {run.number}."
    for method in inp.reads["method"]:
        for name in ("algorithm", "parameters"):
            if inp.fields[name]["uid"] != method.fields[name]["uid"]:
                return f"Results name the {name} of {method.label}."
    return None


def _delivered(kind: w.Kind, label: str, *, required: bool = True, critical: bool = True) -> w.Field:
    return w.Field(kind, label, required=required, immutable_at=_EVER, critical=critical, source="import")


_ROWS = w.Table(
    {
        "position": w.Column(w.Text(100)),
        "quantity_name": w.Column(w.Text(100)),
        "unit": w.Column(w.Text(30)),
        "value": w.Column(w.Decimal(places=15), required=False),
        "raw_value": w.Column(w.Decimal(places=15), required=False),
        "digits": w.Column(w.Int(0, 12)),
        "status": w.Column(w.Enum(("within", "out_of_limits", "not_evaluable", "no_limit"))),
    },
    max_rows=MAX_ROWS,
    min_rows=1,
)
_FLAGGED = w.Table(
    {"image": w.Column(w.Link(("image",), "version")), "reason": w.Column(w.Text(1000))}, max_rows=5000
)

TYPE = w.Type(
    name="result_set",
    title="Result set",
    version=1,
    purpose="The values of one run, with the hashes that hold every row.",
    number=w.Number("RES", 5, yearly=True),
    gxp=REGULATED,
    title_field="title",
    fields={
        "title": _delivered(w.Text(300), "Title", critical=False),
        "run": _delivered(w.Link(("analysis_run",), "none"), "Run"),
        "method": _delivered(w.Link(("analysis_method",), "version"), "Method"),
        "algorithm": _delivered(w.Link(("algorithm",), "version"), "Algorithm"),
        "parameters": _delivered(w.Link(("parameter_set",), "version"), "Parameters"),
        "csv": _delivered(w.File(), "Values (CSV)"),
        "table": _delivered(w.File(), "Values (table)", required=False),
        "row_hashes_root": _delivered(HASH, "Root of the row hashes"),
        "row_count": _delivered(w.Int(0), "Rows in the file", required=False),
        "rows": _delivered(_ROWS, "Summary"),
        "flagged": _delivered(_FLAGGED, "Flagged images", required=False),
    },
    states=(w.State("provisional"), w.State("final", locked=True)),
    create=w.Making(
        ("SVC",),
        "provisional",
        requires=(
            w.InState(("run",), ("running",), "{number} is running (it is {state})."),
            w.Rule(
                "results_match_run",
                1,
                {"run": ("run",), "method": ("method",)},
                message="Results name method, algorithm and parameters of their run.",
            ),
        ),
    ),
    transitions=(w.Transition("finalise", "Make final", ("provisional",), "final", consequence=True),),
    retention=w.Retention(longest_of=("run", "study")),
    summary=("title", "run", "method"),
    predicate_rules=("21 CFR 211.194(a)", "21 CFR 211.165"),
    sandbox=sandbox("run", "study"),
)
