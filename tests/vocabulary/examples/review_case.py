"""The case that a run submitted for review opens."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World


def _case(w: World) -> str:
    run = w.new("analysis_run", "in_review")
    return next(r.number for r in w.linked(run, "review_case") if r.state == "queued")


def _answers(w: World, row: Row) -> dict[str, Any]:
    items = row.fields["exceptions"]["items"]
    return {
        "checklist": [{"question": "Are all images there?", "answer": "yes"}],
        "answers": [{"exception": item["key"], "answer": "Seen and understood."} for item in items],
        "conclusion": "The values follow from the images.",
    }


EXAMPLE = Example(
    made_by=_case,
    acts={"answer": _answers},
    breaks={
        "qa_decide": {
            "flags about it are settled": lambda w, row: w.new(
                "anomaly", subjects=[row.fields["subject"]["number"]]
            )
        }
    },
    before={"technical": lambda w, row: w.do(row.number, "answer")},
)
