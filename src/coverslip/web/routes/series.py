"""Series: several records of one kind signed one after the other, each looked at and confirmed by itself.

Rules kept here:

* One signature per record, over that record as it prints. What was not confirmed is not signed.
* One ceremony gives the components once; they are checked at every record (21 CFR 11.200(a)(1)(i) asks no
  less). A wrong component ends the series at once.
* What could not be signed is listed with why; what was signed before stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import FormData

from coverslip.application import acting, viewing
from coverslip.application.acting import Wish
from coverslip.application.finding import find, type_named
from coverslip.application.viewing import View
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel import words as w
from coverslip.kernel.change import Credential
from coverslip.kernel.rows import Row
from coverslip.web import refusals
from coverslip.web.templating import page, ref
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit

router = APIRouter()
MOST = 20
_LOOKED_AT = 100
Name = Annotated[str, Query(max_length=80)]


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a series: as it prints, and what became of it (``error`` empty: signed)."""

    row: Row
    view: View | None = None
    error: str = ""


def _transition(visit: Visit, type: str, act: str) -> w.Transition:
    found = type_named(visit.services, type).acts.get(act)
    if found is None or found.signature is None or found.fields:
        raise NotFound(
            "NOT_FOUND", what="act that is signed in a series", record=f"{act[:40]} of {type[:40]}"
        )
    return found


def _open(visit: Visit, type: str, declared: w.Transition) -> list[Row]:
    """Return the records this person may sign for now, at most ``MOST``."""
    found: list[Row] = []
    for state in declared.from_:
        for row in visit.services.reading.page(type, state, "", "", _LOOKED_AT)[0]:
            if len(found) < MOST and visit.services.door.explain(row, visit.context, declared.name) is None:
                found.append(row)
    return found


@router.get("/series")
def ask(request: Request, visit: VisitOf, type: Name, act: Name) -> Response:
    """Show the records of a series as they print, each with its own confirmation."""
    declared = _transition(visit, type, act)
    items = [
        Item(row, viewing.open_view(visit.services, row, visit.context))
        for row in _open(visit, type, declared)
    ]
    return _page(request, visit, type, declared, items)


def _page(
    request: Request,
    visit: Visit,
    type: str,
    declared: w.Transition,
    items: list[Item],
    done: list[Item] | None = None,
    error: CoverslipError | None = None,
) -> Response:
    return page(
        request,
        visit,
        "series.html",
        error.status if error else 200,
        nav=type,
        definition=type_named(visit.services, type),
        declared=declared,
        items=items,
        done=done,
        most=MOST,
        error=error,
        title=refusals.title(error) if error else "",
        clause_text=refusals.clause(error) if error else "",
    )


@router.post("/series")
def sign(request: Request, visit: WritingVisit, form: FormOf, type: Name, act: Name) -> Response:
    """Sign the records that were confirmed, one signature each."""
    request.state.action = act
    declared = _transition(visit, type, act)
    chosen = [str(one) for one in form.getlist("confirm")][:MOST]
    if not chosen:
        error = Invalid("VAL_FORM", field="confirm", expected="at least one record confirmed", found="none")
        items = [Item(r, viewing.view(visit.services, r)) for r in _open(visit, type, declared)]
        return _page(request, visit, type, declared, items, error=error)
    done, stopped = _signed(visit, declared, chosen, form)
    return _page(request, visit, type, declared, [], done, stopped)


def _signed(
    visit: Visit, declared: w.Transition, chosen: list[str], form: FormData
) -> tuple[list[Item], CoverslipError | None]:
    credential = Credential(str(form.get("username", "")), str(form.get("password", "")))
    done: list[Item] = []
    for number in chosen:
        row = find(visit.services, number)
        version, shown = str(form.get(f"version.{number}", "0")), str(form.get(f"shown.{number}", ""))
        wish = Wish(
            reason=str(form.get("reason", "")), expected_version=int(version) if version.isdigit() else 0
        )
        try:
            acting.act(
                visit.services, visit.context, row, declared.name, wish, acting.Signing(credential, shown)
            )
        except CoverslipError as error:
            visit.services.events.refuse(error, visit.context, declared.name, row)
            if error.code in ("SIG_REAUTH", "ACCOUNT_LOCKED") or error.spec.family == "environment":
                return done, error
            done.append(Item(row, error=f"{error.code}: {error.message}"))
        else:
            done.append(Item(find(visit.services, ref(row))))
    return done, None
