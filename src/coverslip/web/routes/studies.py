"""Studies: where a study stands, and its results on the plate they came from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.application.finding import find
from coverslip.errors import NotFound
from coverslip.kernel.rows import Row
from coverslip.web import plate, special
from coverslip.web.routes.records import overview_values
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf

router = APIRouter()
TYPE = "study"
special.PAGES[TYPE] = "/studies/{}"
Short = Annotated[str, Query(max_length=120)]
_SHOWN = 12
OPEN_TYPES = ("deviation", "oos", "review_case")
COUNTED = ("image", "analysis_run", "container", "acquisition_session")
MOST = 1000
"""Records of a type that are counted; of more it is said that there are more."""
_READ = ("analysis_run", "container", "image")


@router.get("/studies/{reference}")
def study(
    request: Request,
    visit: VisitOf,
    reference: Annotated[str, Path(max_length=80)],
    result: Short = "",
    measure: Short = "",
    container: Short = "",
    well: Annotated[str, Query(pattern="^([A-P][0-9]{2})?$")] = "",
) -> Response:
    """Show a study: counts, the plate of one result set, its wells, and what is open."""
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type != TYPE:
        raise NotFound("NOT_FOUND", what="study", record=reference[:60])
    reading = visit.services.reading
    by_type: dict[str, list[Row]] = {}
    for one in reading.linked(row.uid, _READ):
        by_type.setdefault(one.type, []).append(one)
    runs = sorted(by_type.get("analysis_run", []), key=lambda r: r.number, reverse=True)
    results = _results(visit, runs)
    chosen = next((r for r in results if r.number == result), results[0] if results else None)
    return page(
        request,
        visit,
        "study.html",
        **overview_values(visit, row, "Overview") | {"nav": "study"},
        counts=reading.linked_states(row.uid, COUNTED, MOST),
        most=MOST,
        runs=runs[:_SHOWN],
        results=results,
        chosen=chosen,
        **_laid_out(by_type, chosen, measure, container),
        well=well,
        open_items=reading.linked_open(row.uid, {name: _ends(visit, name) for name in OPEN_TYPES}),
        catalogue=visit.services.catalogue,
    )


def _ends(visit: Visit, kind: str) -> list[str]:
    return [state.name for state in visit.services.catalogue[kind].type.states if state.terminal]


def _results(visit: Visit, runs: list[Row]) -> list[Row]:
    """Return the result sets of runs, newest run first."""
    numbers = [str(r.fields["results"]["number"]) for r in runs if "results" in r.fields]
    return [one for one in (visit.services.reading.find(n) for n in numbers[:50]) if one is not None]


def _laid_out(
    by_type: dict[str, list[Row]], chosen: Row | None, measure: str, container: str
) -> dict[str, Any]:
    """Return the plate to show, the measures to choose from, and the images by well."""
    images = by_type.get("image", [])
    wells = {one.number: _well(one) for one in images}
    rows = chosen.fields.get("rows", []) if chosen else []
    measures = list(dict.fromkeys(str(r["quantity_name"]) for r in rows))
    shown = measure if measure in measures else (measures[0] if measures else "")
    plates = by_type.get("container", [])
    plated = next((p for p in plates if p.number == container), plates[0] if plates else None)
    layout = plated.fields.get("layout", []) if plated else []
    roles = {plate.well_of(str(r["position"])): str(r["role"]) for r in layout}
    by_well: dict[str, list[Row]] = {}
    for one in images:
        by_well.setdefault(wells[one.number], []).append(one)
    return {
        "plate": plate.plate(rows, shown, wells, {w: r for w, r in roles.items() if w}),
        "measures": measures,
        "measure": shown,
        "plates": plates,
        "plated": plated,
        "by_well": by_well,
    }


def _well(image: Row) -> str:
    return plate.well_of(str(image.fields.get("position", ""))) or plate.well_of(
        str(image.fields.get("name", ""))
    )
