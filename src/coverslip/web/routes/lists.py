"""Lists: every record type there is, the records of one, and search.

Rules kept here: filter and order are in the address; what a list leaves out is said beside it; what is taken
away as a table carries its filter and is an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from coverslip.application import tables
from coverslip.application.finding import type_named
from coverslip.application.leaving import written
from coverslip.application.listing import Asked, columns, listed, sortable
from coverslip.kernel.content import parse_reference
from coverslip.kernel.definition import Definition
from coverslip.web import navigation
from coverslip.web.fields import summary
from coverslip.web.routes.leaving import download
from coverslip.web.templating import page
from coverslip.web.visit import Visit, VisitOf, WritingVisit

router = APIRouter()
Short = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str, Query(max_length=600)]
TypeName = Annotated[str, Path(max_length=80)]
Most = Annotated[int, Query(ge=1, le=200)]
_PAGE = 50
_QUICK = 8


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address of a list asks."""

    state: str
    q: str
    tag: str
    person: str
    since: str
    until: str
    overdue: bool
    voided: bool
    sort: str

    def asked(self, name: str) -> Asked:
        """Return the question about the records of a type."""
        return Asked(
            types=(name,),
            states=(self.state,) if self.state else (),
            text=self.q,
            person=self.person,
            changed_from=self.since,
            changed_to=self.until,
            tag=self.tag,
            overdue=self.overdue,
            voided=self.voided,
            sort=self.sort or "-changed_at",
        )

    def query(self, **other: str) -> str:
        """Return the query of an address with this filter, some of it replaced; empty parts are left out."""
        own = {
            "state": self.state, "q": self.q, "tag": self.tag, "person": self.person, "since": self.since,
            "until": self.until, "overdue": "true" if self.overdue else "",
            "voided": "true" if self.voided else "", "sort": self.sort,
        }  # fmt: skip
        return urlencode({k: v for k, v in (own | other).items() if v})


def _filter(
    state: Short = "",
    q: Short = "",
    tag: Short = "",
    person: Short = "",
    since: Short = "",
    until: Short = "",
    overdue: bool = False,
    voided: bool = False,
    sort: Short = "",
) -> Filter:
    return Filter(state, q, tag, person, since, until, overdue, voided, sort)


FilterOf = Annotated[Filter, Depends(_filter)]


@router.get("/types")
def types(request: Request, visit: VisitOf) -> Response:
    """Show every record type of the installation by area."""
    return page(request, visit, "types.html", areas=navigation.by_area(visit.services))


@router.get("/types/{name}")
def records(
    request: Request, visit: VisitOf, name: TypeName, given: FilterOf, cursor: Cursor = ""
) -> Response:
    """Show the records of a type, newest change first unless sorted otherwise."""
    definition = type_named(visit.services, name)
    question = listed(visit.services, given.asked(name))
    found, counted = visit.services.lists.counted_page(question, cursor, _PAGE)
    return page(
        request,
        visit,
        "list.html",
        fragment="results",
        nav=name,
        definition=definition,
        rows=found.rows,
        following=found.next,
        count=counted,
        cursor=cursor,
        columns=_columns(definition),
        summary=summary,
        given=given,
        sorted_by=given.sort or "-changed_at",
        may_create=_may_create(visit, name),
    )


def _columns(definition: Definition) -> list[tuple[str, str, bool]]:
    """Return name, label and whether it sorts, of the fields a list shows."""
    sorts = sortable(definition)
    return [(n, definition.type.fields[n].label, n in sorts) for n in columns(definition)]


@router.post("/types/{name}/csv")
def as_csv(request: Request, visit: WritingVisit, name: TypeName, given: FilterOf) -> StreamingResponse:
    """Return a list as a table to take away; the filter stands in its head, and the export is an entry."""
    request.state.action = "export"
    type_named(visit.services, name)
    found = written(
        f"{name}.csv", lambda out: tables.list_csv(visit.services, given.asked(name), visit.context, out)
    )
    return download(found, "text/csv")


def _may_create(visit: Visit, name: str) -> str:
    """Return why this person may not make a record of a type; empty when they may."""
    definition = visit.services.catalogue[name]
    if definition.type.create.consequence:
        return "Records of this type are made by what happens to others."
    refusal = visit.services.door.explain_create(definition, visit.context)
    return f"{refusal.message} {refusal.remedy}" if refusal else ""


@router.get("/search/quick")
def quick(request: Request, visit: VisitOf, q: Short = "") -> list[dict[str, str]]:
    """Answer the first records for what is being typed: where each stands, what it is, its title."""
    request.state.entered = True
    found = visit.services.searching.search(q.strip(), (), _QUICK) if len(q.strip()) > 1 else None
    return [
        {
            "href": navigation.href(hit),
            "label": f"{hit.number} v{hit.revision}" if hit.revision else hit.number,
            "type": visit.services.catalogue[hit.type].type.title,
            "title": hit.title,
            "state": hit.state.replace("_", " "),
        }
        for hit in (found.hits if found else ())
    ]


@router.get("/search")
def search(
    request: Request,
    visit: VisitOf,
    q: Short = "",
    type: Short = "",
    most: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Find records by number, title, person or text; a number typed whole leads straight to its record."""
    text = q.strip()
    exact = parse_reference(text.upper())
    if exact is not None and not type and visit.services.reading.find(*exact) is not None:
        return RedirectResponse(f"/r/{exact[0]}{f'v{exact[1]}' if exact[1] else ''}", 303)
    found: Any = visit.services.searching.search(text, (type,) if type else (), most) if text else None
    return page(
        request,
        visit,
        "search.html",
        fragment="results",
        query=q,
        found=found,
        type=type,
        catalogue=visit.services.catalogue,
    )
