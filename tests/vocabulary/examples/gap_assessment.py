"""An assessment in which two clauses are gaps, one of a high risk."""

from __future__ import annotations

from typing import Any

from coverslip.kernel.rows import Row
from fix_world import Example, World

_HIGH, _LOW = "11.10(e)", "11.300(e)"


def _rated(w: World, row: Row) -> None:
    def gap(risk: str) -> dict[str, Any]:
        return {
            "rating": "gap",
            "risk": risk,
            "action": "Switch the trail on.",
            "owner": w.number_of("bench1"),
            "due": w.day(30),
        }

    met = {"rating": "met", "evidence": w.any("document_sop")}
    ratings = {_HIGH: gap("H"), _LOW: gap("L")}
    w.do(
        row.number,
        "edit",
        clauses=[
            {"clause": r["clause"], "requirement": r["requirement"], **ratings.get(r["clause"], met)}
            for r in row.fields["clauses"]
        ],
    )


def _rate(w: World, row: Row, **rating: str) -> None:
    rows = [{k: r[k] for k in ("clause", "requirement")} | rating for r in row.fields["clauses"]]
    w.do(row.number, "edit", clauses=rows)


def _progress(w: World, *clauses: str) -> dict[str, Any]:
    return {"progress": [{"clause": c, "done_on": w.day(), "result": "Done and seen."} for c in clauses]}


EXAMPLE = Example(
    create=lambda w: {
        "title": "Spreadsheets of the laboratory",
        "system": w.any("scope_item"),
        "option": "remediate",
        "due_on": w.day(90),
    },
    acts={"record_progress": lambda w, row: _progress(w, _HIGH)},
    breaks={
        "assess": {
            "Evidence is required": lambda w, row: _rate(w, row, rating="met"),
            "Every gap has": lambda w, row: _rate(w, row, rating="gap", risk="H"),
        },
        "record_progress": {"high risks come first": lambda w, row: _progress(w, _LOW)},
    },
    before={
        "assess": _rated,
        "close": lambda w, row: w.do(row.number, "record_progress", **_progress(w, _HIGH, _LOW)),
    },
)
