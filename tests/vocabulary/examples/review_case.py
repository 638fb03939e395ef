"""The case that a run submitted for review opens."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_people import holders
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


def _opened(w: World, row: Row) -> None:
    """Let everybody who might decide open what there is, so that it is not this that stops them."""
    for role in ("REV", "QA"):
        for username in holders(role):
            w.lab.open_items(row.number, w.named(username))


def _looked(w: World, row: Row) -> None:
    w.do(row.number, "answer")
    _opened(w, row)


EXAMPLE = Example(
    made_by=_case,
    acts={"answer": _answers},
    breaks={
        "technical": {
            "entered about the scope": lambda w, row: w.new(
                "deviation", affected=[row.fields["subject"]["number"]]
            )
        },
        "qa_decide": {
            "flags about it are settled": lambda w, row: w.new(
                "anomaly", subjects=[row.fields["subject"]["number"]]
            )
        },
    },
    before={"technical": _looked, "qa_decide": _opened},
)
