"""Series: several records of one kind signed one after the other, each looked at and confirmed by itself.

Rules kept here:

* One signature per record, over that record as it prints. What was not confirmed is not signed.
* With a password one form gives the components once and they are checked at every record; with a passkey
  each record has a statement of its own and an answer of its own (21 CFR 11.200(a)(1)(i) asks no less).
* What ends the series is anything wrong with who signs, or with the server. Everything else is one record's
  own: it is refused alone, and the others go on.
* What could not be signed is listed with why; what was signed before stands. Sent twice, it is signed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from coverslip.application import acting, credentials, viewing
from coverslip.application.acting import Signing, Wish
from coverslip.application.finding import find, type_named
from coverslip.application.refusing import recorded
from coverslip.application.viewing import View
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel import words as w
from coverslip.kernel.change import Credential
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row
from coverslip.ledger.identity import uuid7
from coverslip.web import badges, fields, refusals
from coverslip.web.templating import page, ref
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit

router = APIRouter()
MOST = 20
ENDING = frozenset(
    {"SIG_REAUTH", "ACCOUNT_LOCKED", "THROTTLED", "IDENTITY_NOT_VERIFIED", "AUTH_REQUIRED", "SESSION_LOCKED"}
)
"""Refusals of who signs: nothing further of the series is tried."""
_LOOKED_AT = 100
Name = Annotated[str, Query(max_length=80)]


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a series: as it prints, under what key it is sent, and what became of it.

    ``error`` empty: signed. ``row`` is ``None`` where what was named is no record of the series.
    """

    label: str
    row: Row | None = None
    view: View | None = None
    key: str = ""
    error: CoverslipError | None = None
    beside: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Titles and addresses of the records it links to; they are no part of what is signed."""


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
    for state in expand(type_named(visit.services, type), declared.from_):
        for row in visit.services.reading.page(type, state, "", "", _LOOKED_AT)[0]:
            if len(found) < MOST and visit.services.door.explain(row, visit.context, declared.name) is None:
                found.append(row)
    return found


def _shown(visit: Visit, type: str, declared: w.Transition) -> list[Item]:
    """Return the records of a series as they print; that they were sent is an entry of each."""
    return [
        Item(
            row.label,
            row,
            viewing.open_view(visit.services, row, visit.context),
            str(uuid7()),
            beside=fields.beside(visit.services, row),
        )
        for row in _open(visit, type, declared)
    ]


@router.get("/series")
def ask(request: Request, visit: VisitOf, type: Name, act: Name) -> Response:
    """Show the records of a series as they print, each with its own confirmation."""
    declared = _transition(visit, type, act)
    return _page(request, visit, type, declared, _shown(visit, type, declared))


def _page(
    request: Request,
    visit: Visit,
    type: str,
    declared: w.Transition,
    items: list[Item],
    done: list[Item] | None = None,
    left: list[str] | None = None,
    error: CoverslipError | None = None,
    reason: str = "",
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
        left=left or [],
        most=MOST,
        looked_at=_LOOKED_AT,
        given_reason=reason,
        passkeys=visit.services.identity.ring.in_force(visit.session.person),
        error=error,
        title=refusals.title(error) if error else "",
        clause_text=refusals.clause(error) if error else "",
    )


# --- all confirmed in one form ---------------------------------------------------------------------


@router.post("/series")
def sign(request: Request, visit: WritingVisit, form: FormOf, type: Name, act: Name) -> Response:
    """Sign the records that were confirmed, one signature each, with user ID and password."""
    request.state.action = act
    declared = _transition(visit, type, act)
    chosen = list(dict.fromkeys(str(one) for one in form.getlist("confirm")))[:MOST]
    if not chosen:
        error = Invalid("VAL_FORM", field="confirm", expected="at least one record confirmed", found="none")
        items, reason = _shown(visit, type, declared), str(form.get("reason", ""))
        return _page(request, visit, type, declared, items, error=error, reason=reason)
    done: list[Item] = []
    for place, number in enumerate(chosen):
        item = _signed(visit, type, declared, number, form)
        if item.error is not None and _ends(item.error):
            return _page(request, visit, type, declared, [], done, chosen[place:], item.error)
        done.append(item)
    return _page(request, visit, type, declared, [], done)


def _signed(visit: Visit, type: str, declared: w.Transition, number: str, form: FormData) -> Item:
    """Sign one record as it was shown, and return what became of it; a refusal is an entry."""
    row: Row | None = None
    try:
        row = _row(visit, type, number)
        signing = Signing(_components(form), str(form.get(f"shown.{number}", "")))
        acting.act(visit.services, visit.context, row, declared.name, _wish(form, number), signing)
    except CoverslipError as error:
        found = recorded(visit.services.events, error, visit.context, declared.name, row)
        return Item(row.label if row else number[:60], row, error=found)
    after = find(visit.services, ref(row))
    return Item(after.label, after)


def _ends(error: CoverslipError) -> bool:
    return error.code in ENDING or error.spec.family == "environment"


def _row(visit: Visit, type: str, number: str) -> Row:
    row = find(visit.services, number)
    if row.type != type:
        raise NotFound("NOT_FOUND", what="record of this series", record=number[:60])
    return row


def _wish(form: FormData, number: str) -> Wish:
    version = str(form.get(f"version.{number}", ""))
    return Wish(
        reason=str(form.get("reason", "")),
        expected_version=int(version) if version.isdigit() and len(version) < 10 else 0,
        key=str(form.get(f"key.{number}", "")),
    )


def _components(form: FormData) -> Credential:
    answered = credentials.answer_in(str(form.get("passkey", "")))
    if answered is not None:
        return Credential(assertion=answered)
    return Credential(str(form.get("username", "")), str(form.get("password", "")))


# --- one at a time, for a script -------------------------------------------------------------------


@router.post("/series/passkey")
def prepare_one(request: Request, visit: WritingVisit, form: FormOf, type: Name, act: Name) -> Response:
    """Prepare what a passkey signs for the one record confirmed, and for no other."""
    request.state.action = act

    def work(row: Row, number: str) -> dict[str, Any]:
        wish, shown = _wish(form, number), str(form.get(f"shown.{number}", ""))
        ready = acting.prepare_act(visit.services, visit.context, row, act, wish, shown)
        return credentials.asked(visit.services, ready)

    return _answer(visit, form, type, act, work)


@router.post("/series/one")
def sign_one(request: Request, visit: WritingVisit, form: FormOf, type: Name, act: Name) -> Response:
    """Sign the one record confirmed, with a passkey's answer or both components."""
    request.state.action = act

    def work(row: Row, number: str) -> dict[str, Any]:
        signing = Signing(_components(form), str(form.get(f"shown.{number}", "")))
        acting.act(visit.services, visit.context, row, act, _wish(form, number), signing)
        after = find(visit.services, ref(row))
        badge = badges.badge(visit.services.catalogue[after.type], after.state)
        return {"number": number, "state": badge.label}

    return _answer(visit, form, type, act, work)


def _answer(
    visit: Visit, form: FormData, type: str, act: str, work: Callable[[Row, str], dict[str, Any]]
) -> Response:
    """Answer a script: the value, or the refusal in its own words, and whether it ends the series."""
    row: Row | None = None
    try:
        _transition(visit, type, act)
        number = _only(form)
        row = _row(visit, type, number)
        return JSONResponse(work(row, number), headers={"Cache-Control": "no-store"})
    except CoverslipError as error:
        found = recorded(visit.services.events, error, visit.context, act, row)
        said = {"message": found.message, "remedy": found.remedy, "code": found.code, "ends": _ends(found)}
        return JSONResponse(said, found.status, headers={"Cache-Control": "no-store"})


def _only(form: FormData) -> str:
    chosen = [str(one) for one in form.getlist("confirm")]
    if len(chosen) != 1:
        raise Invalid("VAL_FORM", field="confirm", expected="one record confirmed", found=f"{len(chosen)}")
    return chosen[0]
