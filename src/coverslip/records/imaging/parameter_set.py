"""Parameter set: values of an algorithm's parameters and the range each may take (DOMAIN 4.18).

Rules kept here: a value outside its allowed range is neither submitted nor approved.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from coverslip.kernel import words as w
from coverslip.kernel.rules import RuleInput, rule
from coverslip.records.imaging._master import in_force, made_with, master_field, master_type


def _problem(row: dict[str, Any]) -> str | None:
    low, high = row.get("allowed_lo"), row.get("allowed_hi")
    if low is None and high is None:
        return None
    try:
        value = Decimal(row["value"])
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        return f"{row['name']}: {row['value']} is not a number, but has a range."
    if (low is not None and value < Decimal(low)) or (high is not None and value > Decimal(high)):
        span = f"{'…' if low is None else low}–{'…' if high is None else high} {row.get('unit', '')}".strip()
        return f"{row['name']}: {row['value']} is outside {span}."
    return None


@rule("values_in_range", 1)
def values_in_range(inp: RuleInput) -> str | None:
    """Ask that every value lies within its allowed range, and that no parameter is named twice."""
    rows = inp.fields.get("values") or ()
    names = [row["name"] for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"Every parameter is given once ({', '.join(twice)})."
    return " ".join(p for p in map(_problem, rows) if p) or None


_IN_RANGE = w.Rule("values_in_range", 1, message="Every value is within its range.", code="VAL_RANGE")

TYPE = master_type(
    name="parameter_set",
    title="Parameter set",
    version=2,
    migration_note="Version 2: a value outside its range is refused as such. Earlier records stay.",
    purpose="The values an algorithm runs with, and the range each may take.",
    prefix="PAR",
    fields={
        "algorithm": made_with("algorithm", "Algorithm"),
        "values": master_field(
            w.Table(
                {
                    "name": w.Column(w.Text(100, 1, "[a-z][a-z0-9_]*")),
                    "value": w.Column(w.Text(500)),
                    "unit": w.Column(w.Text(30), required=False),
                    "allowed_lo": w.Column(w.Decimal(), required=False),
                    "allowed_hi": w.Column(w.Decimal(), required=False),
                    "locked": w.Column(w.Bool(), required=False),
                },
                max_rows=500,
                min_rows=1,
            ),
            "Values",
            required=True,
        ),
        "rationale": w.Field(w.Rich(10_000), "Why these values", required=True),
    },
    ready=(
        _IN_RANGE,
        in_force("algorithm"),
    ),
    summary=("title", "algorithm"),
    predicate_rules=("21 CFR 211.68",),
    retention=w.Retention("SYS"),
)
