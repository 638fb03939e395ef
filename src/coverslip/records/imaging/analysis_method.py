"""Analysis method: algorithm, parameters, procedure, outputs and permitted runs (DOMAIN 4.19).

Rules kept here: parameters belong to the very algorithm version named; a regulated method names the
procedure its users are trained on.
"""

from __future__ import annotations

from decimal import Decimal

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records.imaging._master import SETTLED, in_force, made_with, master_field, master_type


@rule("method_consistent", 1)
def method_consistent(inp: RuleInput) -> str | None:
    """Ask that the parameters were written for the algorithm version named."""
    named = inp.fields["algorithm"]["uid"]
    for row in inp.reads["parameters"]:
        if row.fields["algorithm"]["uid"] != named:
            return f"{row.label} holds parameters of the algorithm version named here."
    return None


@rule("limits_ordered", 1)
def limits_ordered(inp: RuleInput) -> str | None:
    """Ask that no lower limit lies above its upper limit."""
    wrong = [
        str(row["quantity_name"])
        for row in inp.fields.get("outputs") or ()
        if "limit_lo" in row and "limit_hi" in row and Decimal(row["limit_lo"]) > Decimal(row["limit_hi"])
    ]
    return f"Lower limits lie below upper limits ({', '.join(wrong)})." if wrong else None


TYPE = master_type(
    name="analysis_method",
    title="Analysis method",
    purpose="What is computed, by which algorithm and values, under which procedure.",
    prefix="MTH",
    fields={
        "algorithm": made_with("algorithm", "Algorithm"),
        "parameters": made_with("parameter_set", "Parameters"),
        "sop": master_field(w.Link(("document_sop",), "version", ("approved", "effective")), "Procedure"),
        "permitted_runs": w.Field(
            w.Int(1, 100), "Runs permitted on one image set", default=1, immutable_at=SETTLED, critical=True
        ),
        "channel": master_field(w.Text(100), "Channel", critical=False),
        "input_requirements": master_field(w.Json(20_000), "Input requirements", critical=False),
        "outputs": master_field(
            w.Table(
                {
                    "quantity_name": w.Column(w.Text(100, 1, "[a-z][a-z0-9_]*")),
                    "unit": w.Column(w.Text(30)),
                    "digits": w.Column(w.Int(0, 12)),
                    "limit_lo": w.Column(w.Decimal(), required=False),
                    "limit_hi": w.Column(w.Decimal(), required=False),
                },
                max_rows=200,
                min_rows=1,
            ),
            "Outputs",
            required=True,
        ),
        "suitability": master_field(
            w.Table(
                {
                    "control": w.Column(w.Text(200)),
                    "quantity_name": w.Column(w.Text(100), required=False),
                    "limit_lo": w.Column(w.Decimal(), required=False),
                    "limit_hi": w.Column(w.Decimal(), required=False),
                },
                max_rows=100,
            ),
            "Suitability controls",
        ),
        "rounding": w.Field(w.Enum(("half_even", "half_up")), "Rounding", default="half_even"),
        "intended_use": w.Field(w.Rich(10_000), "Intended use", required=True),
    },
    ready=(
        w.Rule(
            "method_consistent", 1, {"parameters": ("parameters",)}, message="Parameters fit the algorithm."
        ),
        w.Rule("limits_ordered", 1, message="Lower limits lie below upper limits."),
        in_force("algorithm"),
        in_force("parameters"),
        w.InState(("sop",), ("approved", "effective"), "The method names a procedure that is approved."),
    ),
    summary=("title", "algorithm", "permitted_runs"),
    predicate_rules=("21 CFR 211.68", "21 CFR 211.165(e)"),
    retention=w.Retention("SYS"),
)
