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
OPEN_SHOWN = 40
"""Open records of each type that are listed."""
COUNTED = ("image", "analysis_run", "container", "acquisition_session")
MOST = 1000
"""Records of a type that are counted; of more it is said that there are more."""
_READ = {"analysis_run": 50, "container": 50, "image": 400}
"""How many of a type are looked at, the newest; where there are more, the page says so."""


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
    by_type = {kind: reading.linked_newest(row.uid, kind, most) for kind, most in _READ.items()}
    runs = sorted(by_type["analysis_run"], key=lambda r: r.number, reverse=True)
    results = _results(visit, runs)
    counts = reading.linked_states(row.uid, COUNTED, MOST)
    by_type["container"] = _plates(visit, row, by_type["container"])
    all_of = {kind: sum(counts.get(kind, {}).values()) for kind in _READ}
    all_of["container"] = max(all_of["container"], len(by_type["container"]))
    chosen = next((r for r in results if r.number == result), results[0] if results else None)
    return page(
        request,
        visit,
        "study.html",
        **overview_values(visit, row, "Overview") | {"nav": "study"},
        counts=counts,
        most=MOST,
        runs=runs[:_SHOWN],
        all_of=all_of,
        looked={kind: len(found) for kind, found in by_type.items() if len(found) < all_of[kind]},
        results=results,
        chosen=chosen,
        **_laid_out(by_type, chosen, measure, container),
        well=well,
        open_items=reading.linked_open(row.uid, {n: _open(visit, n) for n in OPEN_TYPES}, OPEN_SHOWN + 1),
        open_shown=OPEN_SHOWN,
        catalogue=visit.services.catalogue,
    )


def _plates(visit: Visit, row: Row, own: list[Row]) -> list[Row]:
    """Return the plates of a study: those that name it, and those its sessions imaged."""
    sessions = visit.services.reading.linked_newest(row.uid, "acquisition_session", _READ["container"])
    named = [link for one in sessions for link in one.fields.get("containers", ())]
    there = {one.uid for one in own}
    wanted = {(str(link["type"]), str(link["uid"])) for link in named if str(link["uid"]) not in there}
    found = visit.services.reading.rows_of(sorted(wanted)) if wanted else []
    return own + sorted(found, key=lambda one: one.number)


def _open(visit: Visit, kind: str) -> list[str]:
    return [state.name for state in visit.services.catalogue[kind].type.states if not state.terminal]


def _results(visit: Visit, runs: list[Row]) -> list[Row]:
    """Return the result sets of runs, newest run first."""
    links = [r.fields["results"] for r in runs if "results" in r.fields]
    found = visit.services.reading.rows_of([(str(one["type"]), str(one["uid"])) for one in links])
    place = {str(one["uid"]): n for n, one in enumerate(links)}
    return sorted(found, key=lambda one: place.get(one.uid, len(place)))


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
