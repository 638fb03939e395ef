"""Records: lists, one record, its history and rendering, and every act on it.

There is no route that deletes: a DELETE answers 405 and is recorded.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.api.shapes import Act, NewRecord, Signing, receipt_value, record_value
from coverslip.application import acting, credentials, people, viewing
from coverslip.application.acting import Wish
from coverslip.application.open_acts import OpenAct, open_acts
from coverslip.application.services import Services
from coverslip.errors import NotFound
from coverslip.kernel import history
from coverslip.kernel.change import Context, Credential, Receipt

router = APIRouter(tags=["records"])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=100)]


@router.get("/algorithms")
def algorithms(services: ServicesOf, context: ContextOf) -> list[dict[str, Any]]:
    """List the bundled algorithms as the server would run them: hashes, limits, parameters."""
    return services.algorithms()


@router.post("/records", status_code=201)
def create(
    body: NewRecord, request: Request, services: ServicesOf, context: ContextOf, key: Key = ""
) -> dict[str, Any]:
    """Make a record."""
    request.state.action = "create"
    wish = Wish(body.fields, body.reason, None, key, body.occurred_at)
    receipt = acting.create(services, context, body.type, wish, body.number, _signing(body.signature))
    return _written(services, receipt)


@router.post("/records/preview")
def preview(body: NewRecord, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return what a new record will look like, so that it can be read before it is signed."""
    found = viewing.preview(services, body.type, body.fields)
    return {"text": found.text, "shown": found.shown}


@router.get("/records/{number}")
def show(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return one record with what this person may do and why not."""
    row = row_for(request, services, number)
    return record_value(row, services.catalogue.under(row.type, row.definition)) | {
        "acts": [_act_value(one) for one in open_acts(services, row, context)],
        "signatures": history.manifests(services.reading.history(row.uid)),
        "around": services.working.around(row),
    }


@router.get("/records/{number}/view")
def view(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return the rendering a signature names; seeing it is an entry."""
    row = row_for(request, services, number)
    found = viewing.open_view(services, row, context)
    return {"number": row.number, "version": row.version, "text": found.text, "shown": found.shown}


@router.get("/records/{number}/history")
def trail(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return the whole trail of a record: who, what, when, field, old, new, reason."""
    row = row_for(request, services, number)
    return {"number": row.number, "entries": history.trail(services.reading.history(row.uid))}


@router.get("/records/{number}/diff")
def diff(
    number: str,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    first: Annotated[int, Query(alias="from", ge=1)],
    second: Annotated[int, Query(alias="to", ge=1)],
) -> dict[str, Any]:
    """Return the fields that differ between two entry versions, old beside new."""
    row = row_for(request, services, number)
    found = history.contents(services.reading.history(row.uid))
    for version in (first, second):
        if version not in found:
            raise NotFound("NOT_FOUND", what="version", record=f"{row.number} version {version}")
    return {
        "number": row.number,
        "from": first,
        "to": second,
        "changes": [c.value() for c in history.changes(found[first], found[second])],
    }


@router.get("/records/{number}/links")
def links(number: str, request: Request, services: ServicesOf, context: ContextOf) -> list[dict[str, Any]]:
    """Return the records that link here."""
    row = row_for(request, services, number)
    return [
        {"number": r.label, "type": r.type, "state": r.state, "title": r.title}
        for r in services.reading.linked(row.uid)
    ]


@router.post("/records/{number}/edit")
def edit(
    number: str, body: Act, request: Request, services: ServicesOf, context: ContextOf, key: Key = ""
) -> dict[str, Any]:
    """Change content, with a reason, on the version that was read."""
    return _act(number, "edit", body, request, services, context, key)


@router.post("/records/{number}/acts/{act}")
def act(
    number: str,
    act: str,
    body: Act,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    key: Key = "",
) -> dict[str, Any]:
    """Do a transition."""
    return _act(number, act, body, request, services, context, key)


@router.post("/records/{number}/invitation", status_code=201)
def invite(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return a one-time enrolment code for an invited person; only who may create such accounts."""
    request.state.action = "invite"
    row = row_for(request, services, number)
    made = people.invite(services, row, context)
    return {"number": made.number, "code": made.code, "hours": made.hours}


def _act(
    number: str, name: str, body: Act, request: Request, services: Services, context: Context, key: str
) -> dict[str, Any]:
    request.state.action = name
    row = row_for(request, services, number)
    wish = Wish(body.fields, body.reason, body.expected_version, key, body.occurred_at)
    return _written(services, acting.act(services, context, row, name, wish, _signing(body.signature)))


def _signing(given: Signing | None) -> acting.Signing | None:
    if given is None:
        return None
    answered = credentials.answer(given.passkey.model_dump()) if given.passkey else None
    return acting.Signing(Credential(given.username, given.password, answered), given.shown)


def _written(services: Services, receipt: Receipt) -> dict[str, Any]:
    return receipt_value(receipt) | {"receipt": acting.proof(services, receipt)}


def _act_value(one: OpenAct) -> dict[str, Any]:
    value: dict[str, Any] = {
        "act": one.name,
        "label": one.label,
        "allowed": one.allowed,
        "meaning": one.signature.meaning if one.signature else None,
        "meaning_text": one.signature.text if one.signature else None,
        "fields": list(one.declared.fields) if one.declared else [],
    }
    if one.refusal is not None:
        why = one.refusal
        value |= {"why_not": why.message, "code": why.code, "remedy": why.remedy}
    return value
