"""Documents: governed texts with their versions and training; the training matrix; reading to be trained.

Rules kept here: the version in force is the page of a document, and an older one says so; what a person is
trained on is shown whole before they sign that they have read it.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.application.finding import find
from coverslip.errors import NotFound
from coverslip.kernel.rows import Row
from coverslip.records.documents._document import DOCUMENT_TYPES
from coverslip.web import special
from coverslip.web.comparing import compared
from coverslip.web.routes.records import overview_values, revisions
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
special.PAGES |= dict.fromkeys(DOCUMENT_TYPES, "/documents/{}")
_PAGE = 100
PEOPLE = 20
"""People of one page of the training matrix."""
GAPS = 100
"""Gaps that are listed; how many there are is said."""
_IN_FORCE, _ON_THE_WAY = ("effective",), ("draft", "in_review", "in_approval", "approved")


@router.get("/documents")
def documents(
    request: Request,
    visit: VisitOf,
    q: Annotated[str, Query(max_length=200)] = "",
    show: Annotated[str, Query(pattern="^(in_force|on_the_way|all)$")] = "in_force",
) -> Response:
    """Show governed documents: those in force, those on the way, or all versions."""
    wanted = {"in_force": _IN_FORCE, "on_the_way": _ON_THE_WAY, "all": ("",)}[show]
    rows = [
        row
        for kind in DOCUMENT_TYPES
        for state in wanted
        for row in visit.services.reading.page(kind, state, q, "", _PAGE)[0]
    ]
    return page(
        request,
        visit,
        "documents.html",
        fragment="results",
        nav="documents",
        rows=sorted(rows, key=lambda row: (row.number, -row.revision)),
        kinds=[(name, visit.services.catalogue[name].type.title) for name in DOCUMENT_TYPES],
        catalogue=visit.services.catalogue,
        q=q,
        shown=show,
    )


@router.get("/documents/{reference}")
def document(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show a document as people read it, with its versions, signatures and training."""
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type not in DOCUMENT_TYPES:
        raise NotFound("NOT_FOUND", what="document", record=reference[:60])
    found = overview_values(visit, row, "Overview")
    versions = revisions(visit, row)
    cells = [c for c in visit.services.teaching.of_document(versions) if c["document"] == row.label]
    return page(
        request,
        visit,
        "document.html",
        **found | {"nav": "documents", "texts": [t for t in found["texts"] if t.name != "body"]},
        body=row.fields.get("body", ""),
        versions=versions,
        in_force=_in_force(row, versions),
        cells=cells,
        trained=sum(c["state"] == "green" for c in cells),
        mine=[t for t in _own(visit) if str(t.fields["document"]["uid"]) == row.uid],
    )


def _in_force(row: Row, versions: list[Row]) -> Row | None:
    """Return the version in force where this is another one."""
    one = next((v for v in versions if v.state == "effective"), None)
    return one if one is not None and one.revision != row.revision else None


def _own(visit: Visit) -> list[Row]:
    """Return the training of this person, whatever its state."""
    linked = visit.services.reading.linked(visit.session.person, ("training_record",))
    return [row for row in linked if trainee(row) == visit.session.person]


@router.get("/documents/{number}/compare")
def compare(
    request: Request,
    visit: VisitOf,
    number: Reference,
    first: Annotated[int, Query(alias="from", ge=1, le=999_999)],
    second: Annotated[int, Query(alias="to", ge=1, le=999_999)],
) -> Response:
    """Show two versions of a document word by word, old beside new."""
    older, newer = find(visit.services, f"{number}v{first}"), find(visit.services, f"{number}v{second}")
    changes = compared(str(older.fields.get("body", "")), str(newer.fields.get("body", "")))
    return page(
        request, visit, "document_compare.html", nav="documents", older=older, newer=newer, changes=changes
    )


@router.get("/training")
def training(
    request: Request,
    visit: VisitOf,
    role: Annotated[str, Query(pattern="^([A-Z]{2,8})?$")] = "",
    unit: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> Response:
    """Show who may act by what their roles ask: person by document, green, amber or red, and why.

    A page of people at a time; each of them is there whole.
    """
    found = visit.services.teaching.page(role, unit, start, PEOPLE)
    return page(
        request,
        visit,
        "training.html",
        fragment="results",
        nav="training",
        **found | _grid(found["cells"]),
        all_people=found["people"],
        start=start,
        step=PEOPLE,
        role=role,
        unit=unit,
        mine=_mine(visit),
        catalogue=visit.services.catalogue,
    )


@router.get("/training/gaps")
def gaps(
    request: Request, visit: VisitOf, role: Annotated[str, Query(pattern="^([A-Z]{2,8})?$")] = ""
) -> Response:
    """Show how everybody stands, and what is missing: worked out when it is asked, for all people."""
    found = visit.services.teaching.show(role)
    return page(
        request,
        visit,
        "training_gaps.html",
        fragment="results",
        nav="training",
        counts=found["counts"],
        gaps=found["gaps"],
        as_of=found["as_of"],
        role=role,
        most=GAPS,
    )


def _grid(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return people and documents of the matrix, and for each pair the worst of its cells."""
    order = {"red": 0, "amber": 1, "green": 2}
    grid: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        key = (cell["person"], cell["document"])
        if key not in grid or order[cell["state"]] < order[grid[key]["state"]]:
            grid[key] = cell
    everybody = {c["person"] for c in cells}
    return {
        "people": sorted({(c["name"], c["person"]) for c in cells}),
        "documents": sorted({(c["document"], c["title"]) for c in cells}),
        "grid": grid,
        "held": {p: sorted({c["role"] for c in cells if c["person"] == p}) for p in everybody},
    }


def _mine(visit: Visit) -> list[Row]:
    """Return training this person still has to do."""
    return [row for row in _own(visit) if row.state in ("assigned", "acknowledged", "blocked")]


def trainee(row: Row) -> str:
    """Return whose training a record is (uid); empty where that is no longer told."""
    return str(row.fields.get("person", {}).get("uid", ""))


@router.get("/training/{reference}/read")
def read(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show the document of a training record whole, and lead on to the signature that it was read."""
    row = find(visit.services, reference)
    if row.type != "training_record":
        raise NotFound("NOT_FOUND", what="training record", record=reference[:60])
    link = row.fields["document"]
    document = find(visit.services, f"{link['number']}v{link['revision']}")
    return page(
        request,
        visit,
        "training_read.html",
        **overview_values(visit, row, "Read") | {"nav": "training"},
        document=document,
        body=document.fields.get("body", ""),
        kind=visit.services.catalogue[document.type],
    )
