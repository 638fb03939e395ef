"""Inspections: which there are, the log of requests and answers, and what each inspector opened.

Rules kept here: an inspector sees the log and writes nothing in it; what they opened is shown to them as to
those who accompany them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.application import inspecting, people
from coverslip.application.finding import find
from coverslip.errors import CoverslipError, Invalid, NotFound, Refused
from coverslip.kernel import roles
from coverslip.kernel.rows import Row
from coverslip.ledger.identity import uuid7
from coverslip.web.templating import page, ref
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
_PAGE = 50


@router.get("/inspections")
def inspections(request: Request, visit: VisitOf) -> Response:
    """Show audits that come from outside and the accounts of inspectors."""
    services = visit.services
    found = inspecting.inspections(services)
    own = [r for r in inspecting.inspectors(services) if not visit.reader or r.uid == visit.session.person]
    asked = {row.uid: inspecting.requests(services, row) for row in found}
    return page(
        request,
        visit,
        "inspections.html",
        nav="inspections",
        audits=found,
        open={uid: sum(1 for _ in inspecting.waiting(one)) for uid, one in asked.items()},
        asked=asked,
        inspectors=own,
        audit_definition=services.catalogue[inspecting.AUDIT],
        definition=services.catalogue[people.ACCOUNT],
        may_create=services.door.explain_create(services.catalogue[inspecting.AUDIT], visit.context) is None,
    )


@router.get("/inspections/opened/{reference}")
def opened(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    cursor: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """Show what one inspector opened and was refused."""
    request.state.action = "read the trail"
    row = find(visit.services, reference)
    if row.fields.get("kind") != "inspector":
        raise NotFound("NOT_FOUND", what="inspector", record=reference[:60])
    if not people.may_look(visit.services, visit.context, row):
        held, wanted = roles.all_of(visit.roles), roles.any_of(sorted(people.LOOKERS))
        raise Refused("AUTH_ROLE", record=row.number, role=wanted, action="read", roles=held)
    found = inspecting.opened(visit.services, row, cursor, _PAGE)
    return page(
        request, visit, "inspector_opened.html", nav="inspections", row=row, found=found, cursor=cursor
    )


def _audit(request: Request, visit: Visit, reference: str) -> Row:
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type != inspecting.AUDIT:
        raise NotFound("NOT_FOUND", what="inspection", record=reference[:60])
    return row


@router.get("/inspections/{reference}")
def inspection(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show one inspection: its scope, what was asked and what was answered."""
    return _page(request, visit, _audit(request, visit, reference))


def _page(request: Request, visit: Visit, row: Row, error: CoverslipError | None = None) -> Response:
    services = visit.services
    found = inspecting.requests(services, row)
    return page(
        request,
        visit,
        "inspection.html",
        error.status if error else 200,
        nav="inspections",
        row=row,
        definition=services.catalogue.under(row.type, row.definition),
        requests=found,
        open=sum(1 for _ in inspecting.waiting(found)),
        request_definition=services.catalogue[inspecting.REQUEST],
        may_ask=services.door.explain_create(services.catalogue[inspecting.REQUEST], visit.context) is None,
        may_answer={o.row.uid: services.door.explain(o.row, visit.context, "answer") is None for o in found},
        key=str(uuid7()),
        error=error,
    )


@router.post("/inspections/{reference}/requests")
def ask(request: Request, visit: WritingVisit, form: FormOf, reference: Reference) -> Response:
    """Write down what an inspector asked."""
    request.state.action = "create"
    row = _audit(request, visit, reference)
    try:
        inspecting.ask(
            visit.services, visit.context, row, str(form.get("text", "")), str(form.get("key", ""))
        )
    except CoverslipError as error:
        return _refused(request, visit, row, error, "create")
    return RedirectResponse(f"/inspections/{ref(row)}#requests", 303)


@router.post("/inspections/{reference}/requests/{number}")
def answer(
    request: Request, visit: WritingVisit, form: FormOf, reference: Reference, number: Reference
) -> Response:
    """Write down what was answered."""
    request.state.action = "answer"
    row, asked = _audit(request, visit, reference), find(visit.services, number)
    version = str(form.get("expected_version", ""))
    if not version.isdigit():
        raise Invalid("VAL_FORM", field="expected_version", expected="the version read", found="none")
    try:
        inspecting.answer(visit.services, visit.context, asked, str(form.get("answer", "")), int(version))
    except CoverslipError as error:
        return _refused(request, visit, row, error, "answer")
    return RedirectResponse(f"/inspections/{ref(row)}#requests", 303)


def _refused(request: Request, visit: Visit, row: Row, error: CoverslipError, action: str) -> Response:
    if error.spec.family in ("environment", "evidence"):
        raise error
    visit.services.events.refuse(error, visit.context, action, row)
    return _page(request, visit, row, error)
