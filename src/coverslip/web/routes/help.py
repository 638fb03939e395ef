"""Help: the manual of this build, what each control serves, and how each record type works."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from markupsafe import Markup

from coverslip import clauses
from coverslip.application.finding import type_named
from coverslip.errors import CATALOGUE, NotFound
from coverslip.web import manual
from coverslip.web.templating import page
from coverslip.web.visit import VisitOf

router = APIRouter()


@router.get("/help")
def contents(request: Request, visit: VisitOf, q: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Show what the manual holds, or the pages that have all words."""
    return page(
        request,
        visit,
        "help.html",
        nav="help",
        parts=manual.contents(),
        q=q,
        hits=manual.find(q) if q else None,
    )


@router.get("/help/controls")
def controls(request: Request, visit: VisitOf) -> Response:
    """Show every control of the regulation this system serves, and the refusals that name it."""
    served: dict[str, list[str]] = {}
    for code, spec in CATALOGUE.items():
        if spec.rule and clauses.known(spec.rule):
            served.setdefault(clauses.control_of(spec.rule).rule_id, []).append(code)
    return page(
        request, visit, "help_controls.html", nav="help", controls=clauses.CATALOGUE.values(), served=served
    )


@router.get("/help/types/{name}")
def type_help(request: Request, visit: VisitOf, name: Annotated[str, Path(max_length=80)]) -> Response:
    """Show how records of a type live: states, acts, who does them, what is signed, by which rule."""
    return page(request, visit, "help_type.html", nav="help", definition=type_named(visit.services, name))


@router.get("/help/notebooks/{name}.ipynb")
def notebook(visit: VisitOf, name: Annotated[str, Path(max_length=80)]) -> Response:
    """Hand out a notebook of the manual, to be run."""
    found = manual.notebook(f"notebooks/{name}")
    if found is None:
        raise NotFound("NOT_FOUND", what="notebook of the manual", record=name[:60])
    headers = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return Response(found.read_bytes(), media_type="application/x-ipynb+json", headers=headers)


@router.get("/help/{name:path}")
def manual_page(request: Request, visit: VisitOf, name: Annotated[str, Path(max_length=120)]) -> Response:
    """Show one page of the manual."""
    if not manual.known(name):
        raise NotFound("NOT_FOUND", what="page of the manual", record=name[:60])
    title = next(p.title for _, pages in manual.contents() for p in pages if p.name == name)
    return page(
        request,
        visit,
        "help_page.html",
        nav="help",
        title=title,
        notebook=manual.notebook(name) is not None and f"/help/{name}{manual.NOTEBOOK}",
        body=Markup(manual.rendered(name)),  # noqa: S704 -- of this package, raw HTML is off
    )
