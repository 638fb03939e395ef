"""Lineage of any record, and the page of a run: inputs as frozen, results, runs beside each other.

Rules kept here: every run on the same set is shown, none is edited; computing one again records nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.application.finding import find
from coverslip.errors import NotFound
from coverslip.kernel.rows import Row
from coverslip.web import fields
from coverslip.web.framing import frame
from coverslip.web.lineage import lineage
from coverslip.web.templating import page, ref
from coverslip.web.visit import Visit, VisitOf, WritingVisit

router = APIRouter()
RUN = "analysis_run"
Reference = Annotated[str, Path(max_length=80)]
Shown = Annotated[Literal["", "graph", "table"], Query()]


@router.get("/r/{reference}/lineage")
def of_record(request: Request, visit: VisitOf, reference: Reference, show: Shown = "") -> Response:
    """Show what a record stands on and what stands on it."""
    row = find(visit.services, reference)
    request.state.subject = row
    found = lineage(visit.services.reading, row)
    return page(
        request,
        visit,
        "lineage.html",
        fragment="lineage",
        **frame(visit, row, "Lineage"),
        lineage=found,
        show=show or ("table" if found.table_first else "graph"),
        base=f"/r/{ref(row)}/lineage",
        catalogue=visit.services.catalogue,
    )


@router.get("/runs/{reference}")
def run(request: Request, visit: VisitOf, reference: Reference, show: Shown = "") -> Response:
    """Show a run: lineage, results beside those of other runs on the same set, inputs, environment."""
    return _page(request, visit, _run(request, visit, reference), show)


@router.post("/runs/{reference}/reproduce")
def reproduce(request: Request, visit: WritingVisit, reference: Reference) -> Response:
    """Compute a run again and show how it compares; nothing is recorded."""
    row = _run(request, visit, reference)
    request.state.action = "reproduce"
    return _page(request, visit, row, "", visit.services.reproducing.reproduce(row))


def _run(request: Request, visit: Visit, reference: str) -> Row:
    row = find(visit.services, reference)
    if row.type != RUN:
        raise NotFound("NOT_FOUND", what="run", record=reference[:60])
    request.state.subject = row
    return row


def _page(
    request: Request, visit: Visit, row: Row, show: str, reproduced: dict[str, Any] | None = None
) -> Response:
    reading = visit.services.reading
    found = lineage(reading, row)
    runs = _runs(visit, row)
    shared = frame(visit, row, "Overview")
    shown = fields.shown(shared["definition"], row)
    facts, texts, tables = fields.facts_and_texts(shown)
    return page(
        request,
        visit,
        "run.html",
        **shared,
        lineage=found,
        show=show or ("table" if found.table_first else "graph"),
        base=f"/runs/{ref(row)}",
        runs=runs,
        compared=_compared(runs),
        results=next((r["results"] for r in runs if r["run"].uid == row.uid), None),
        reproduced=reproduced,
        may_reproduce=row.state in ("completed", "in_review", "accepted", "rejected"),
        facts=facts,
        texts=texts,
        tables=tables,
        titles=fields.titles(visit.services, row.fields),
        catalogue=visit.services.catalogue,
    )


def _runs(visit: Visit, row: Row) -> list[dict[str, Any]]:
    """Return every run on the same image set with its results, in the order they were asked for."""
    reading = visit.services.reading
    runs = reading.linked(str(row.fields["image_set"]["uid"]), (RUN,)) or [row]
    wanted = [r.fields["results"] for r in runs if r.fields.get("results")]
    results = {r.uid: r for r in reading.rows_of([(str(x["type"]), str(x["uid"])) for x in wanted])}
    runs.sort(key=lambda r: (int(r.fields.get("run_index", 0)), r.number))
    return [
        {"run": r, "results": results.get(str((r.fields.get("results") or {}).get("uid", "")))} for r in runs
    ]


def _compared(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each run says of a value: ``what``, ``values`` in the order of the runs, ``differs``."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for place, one in enumerate(runs):
        for row in one["results"].fields.get("rows", ()) if one["results"] else ():
            key = (str(row["position"]), str(row["quantity_name"]), str(row["unit"]))
            values = found.setdefault(key, [""] * len(runs))
            values[place] = f"{row.get('value', 'no value')} ({str(row['status']).replace('_', ' ')})"
    return [
        {"what": f"{p}, {q}", "unit": u, "values": values, "differs": len(set(values)) > 1}
        for (p, q, u), values in found.items()
    ][:500]
