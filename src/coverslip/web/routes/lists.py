"""Lists: every record type there is, the records of one, and search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from coverslip.application.finding import type_named
from coverslip.web import navigation
from coverslip.web.fields import summary
from coverslip.web.templating import page
from coverslip.web.visit import VisitOf

router = APIRouter()
Short = Annotated[str, Query(max_length=200)]
Cursor = Annotated[str, Query(max_length=300)]
_PAGE = 50


@router.get("/types")
def types(request: Request, visit: VisitOf) -> Response:
    """Show every record type of the installation by area."""
    return page(request, visit, "types.html", areas=navigation.by_area(visit.services))


@router.get("/types/{name}")
def records(
    request: Request,
    visit: VisitOf,
    name: Annotated[str, Path(max_length=80)],
    state: Short = "",
    q: Short = "",
    tag: Short = "",
    overdue: bool = False,
    voided: bool = False,
    cursor: Cursor = "",
) -> Response:
    """Show the records of a type, newest change first; the filter is in the address."""
    definition = type_named(visit.services, name)
    everything = voided or bool(state or q)
    narrowed = visit.services.working.narrowed(tag, overdue=overdue, everything=everything)
    rows, following = visit.services.reading.page(name, state, q, cursor, _PAGE, narrowed)
    return page(
        request,
        visit,
        "list.html",
        fragment="results",
        nav=name,
        definition=definition,
        rows=rows,
        following=following,
        cursor=cursor,
        columns=[(f, definition.type.fields[f].label) for f in definition.type.summary],
        summary=summary,
        given={"state": state, "q": q, "tag": tag, "overdue": overdue, "voided": voided},
        may_create=_may_create(visit, name),
    )


def _may_create(visit: VisitOf, name: str) -> str:
    """Return why this person may not make a record of a type; empty when they may."""
    definition = visit.services.catalogue[name]
    if definition.type.create.consequence:
        return "Records of this type are made by what happens to others."
    refusal = visit.services.door.explain_create(definition, visit.context)
    return f"{refusal.message} {refusal.remedy}" if refusal else ""


@router.get("/search")
def search(request: Request, visit: VisitOf, q: Short = "", cursor: Cursor = "") -> Response:
    """Find records by number or title; a number typed whole leads straight to its record."""
    rows, following = visit.services.reading.page("", "", q, cursor, _PAGE) if q.strip() else ([], "")
    return page(
        request,
        visit,
        "search.html",
        fragment="results",
        query=q,
        rows=rows,
        following=following,
        catalogue=visit.services.catalogue,
    )
