"""Records: lists, one record, its history and rendering, and every act on it.

There is no route that deletes: a DELETE answers 405 and is recorded.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request

from coverslip.api.access import ContextOf, ServicesOf, row_for
from coverslip.api.services import Services
from coverslip.api.shapes import Act, NewRecord, Signing, receipt_value, record_value
from coverslip.errors import Invalid, NotFound
from coverslip.kernel import history
from coverslip.kernel.change import Change, Context, Credential, Receipt
from coverslip.kernel.definition import Definition
from coverslip.kernel.drafts import expand
from coverslip.kernel.events import Event
from coverslip.kernel.identity import ENROLMENT_HOURS
from coverslip.kernel.rows import Row
from coverslip.kernel.view import render, shown_hash

router = APIRouter(tags=["records"])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=100)]


@router.get("/algorithms")
def algorithms(services: ServicesOf, context: ContextOf) -> list[dict[str, Any]]:
    """List the bundled algorithms as the server would run them: hashes, limits, parameters."""
    return services.algorithms()


@router.get("/records")
def page(
    services: ServicesOf,
    context: ContextOf,
    type: Annotated[str, Query(max_length=80)] = "",
    state: Annotated[str, Query(max_length=80)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=300)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    tag: Annotated[str, Query(max_length=80)] = "",
    overdue: bool = False,
    voided: bool = False,
) -> dict[str, Any]:
    """List records, newest change first.

    Voided ones are left out unless ``voided``, a state or a search asks for them.
    """
    if type and services.catalogue.get(type) is None:
        raise NotFound("NOT_FOUND", what="record type", record=type)
    narrowed = services.working.narrowed(tag, overdue=overdue, everything=voided or bool(state or q))
    rows, following = services.reading.page(type, state, q, cursor, limit, narrowed)
    shown = [record_value(r, services.catalogue.under(r.type, r.definition)) for r in rows]
    return {"records": shown, "next": following}


@router.post("/records", status_code=201)
def create(
    body: NewRecord, request: Request, services: ServicesOf, context: ContextOf, key: Key = ""
) -> dict[str, Any]:
    """Make a record."""
    request.state.action = "create"
    if body.signature is not None:
        _require_shown(body.signature, _preview(services, body), "")
    change = Change(
        "create",
        type=body.type,
        number=body.number,
        fields=body.fields,
        reason=body.reason,
        shown=body.signature.shown if body.signature else "",
        idempotency_key=key,
        occurred_at=body.occurred_at,
    )
    receipt = services.door.submit(change, context, _credential(body.signature))
    return _written(services, receipt)


@router.post("/records/preview")
def preview(body: NewRecord, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return what a new record will look like, so that it can be read before it is signed."""
    text = _preview(services, body)
    return {"text": text, "shown": shown_hash(text)}


def _preview(services: Services, body: NewRecord) -> str:
    definition = services.catalogue.get(body.type)
    if definition is None:
        raise NotFound("NOT_FOUND", what="record type", record=body.type)
    return "\n".join(
        [f"New {definition.type.title.lower()}", *(f"{n}: {v}" for n, v in sorted(body.fields.items()))]
    )


def _require_shown(signing: Signing, text: str, record: str) -> None:
    """Refuse a signature that names another view than the one there is."""
    if signing.shown != shown_hash(text):
        raise Invalid(
            "VAL_FORM",
            record=record,
            field="shown",
            expected="the hash of the record as it is now",
            found="the hash of another view",
        )


@router.get("/records/{number}")
def show(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return one record with what this person may do and why not."""
    row = row_for(request, services, number)
    definition = services.catalogue[row.type]
    return record_value(row, services.catalogue.under(row.type, row.definition)) | {
        "acts": _acts(services, row, definition, context),
        "signatures": history.manifests(services.reading.history(row.uid)),
        "around": services.working.around(row),
    }


@router.get("/records/{number}/view")
def view(number: str, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Return the rendering a signature names; seeing it is an entry."""
    row = row_for(request, services, number)
    text = _view(services, row)
    shown = shown_hash(text)
    services.events.record(
        Event("view", "view", {"record": row.number, "version": row.version, "shown": shown}, row), context
    )
    return {"number": row.number, "version": row.version, "text": text, "shown": shown}


def _view(services: Services, row: Row) -> str:
    manifests = [m["text"] for m in history.manifests(services.reading.history(row.uid))]
    return render(services.catalogue.under(row.type, row.definition), row, manifests)


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
    definition = services.catalogue[row.type]
    refusal = services.door.explain_create(definition, context)
    if refusal is not None:
        raise refusal
    account = services.accounts.account(row.uid)
    if account is None or account.get("verified"):
        raise Invalid(
            "VAL_FORM", field="the account", expected="invited and not yet verified", found=row.state
        )
    code = services.identity.invite(row.uid, context.person)
    services.events.record(Event("credential", "invited", {"record": row.number}, row), context)
    return {"number": row.number, "code": code, "hours": ENROLMENT_HOURS}


def _act(
    number: str, name: str, body: Act, request: Request, services: Services, context: Context, key: str
) -> dict[str, Any]:
    request.state.action = name
    row = row_for(request, services, number)
    if body.signature is not None:
        _require_shown(body.signature, _view(services, row), row.number)
    change = Change(
        name,
        row.type,
        row.number,
        row.revision,
        body.fields,
        body.reason,
        body.expected_version,
        body.signature.shown if body.signature else "",
        key,
        body.occurred_at,
    )
    return _written(services, services.door.submit(change, context, _credential(body.signature)))


def _credential(signing: Signing | None) -> Credential | None:
    return Credential(signing.username, signing.password) if signing else None


def _written(services: Services, receipt: Receipt) -> dict[str, Any]:
    value = receipt_value(receipt)
    first = receipt.entries[0]
    value["receipt"] = services.receipts(first.entry, first.leaf_hash, receipt.at)
    return value


def _acts(services: Services, row: Row, definition: Definition, context: Context) -> list[dict[str, Any]]:
    found = []
    names = ["edit"] if definition.type.edit is not None else []
    names += [
        t.name
        for t in definition.type.transitions
        if not t.consequence and row.state in expand(definition, t.from_)
    ]
    for name in names:
        declared = definition.acts.get(name)
        # In a sandbox no signature is asked, so none is announced.
        signing = declared.signature if declared and not row.content.get("sandbox") else None
        refusal = services.door.explain(row, context, name)
        found.append(
            {
                "act": name,
                "label": declared.label if declared else "Edit",
                "allowed": refusal is None,
                "meaning": signing.meaning if signing else None,
                "meaning_text": signing.text if signing else None,
                "fields": list(declared.fields) if declared else [],
                **(
                    {"why_not": refusal.message, "code": refusal.code, "remedy": refusal.remedy}
                    if refusal
                    else {}
                ),
            }
        )
    return found
