"""Making, changing and acting: the forms of every type, and what they send to the door.

Rules kept here:

* What an act asks for, and why it is not open, comes from the declaration and the door.
* Before a signature the record is shown as it will print; that it was sent is an entry, and its hash is what
  is signed.
* A form carries the version that was read and a key of its own: sent twice, it is done once.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from coverslip.application import acting, credentials, viewing
from coverslip.application.acting import Wish
from coverslip.application.finding import find, type_named
from coverslip.application.open_acts import OpenAct, open_acts
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel import history, words as w
from coverslip.kernel.change import Credential
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.ledger.identity import uuid7
from coverslip.web import conditions, fields, forms, refusals
from coverslip.web.framing import frame, row_at
from coverslip.web.templating import page, ref
from coverslip.web.typed import Typed
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
Name = Annotated[str, Path(max_length=80)]


@router.get("/types/{name}/new")
def new(
    request: Request, visit: VisitOf, name: Name, number: Annotated[str, Query(max_length=80)] = ""
) -> Response:
    """Ask for what a new record needs. Values may be given by the address, field by field (``f.FIELD``)."""
    definition = type_named(visit.services, name)
    refusal = visit.services.door.explain_create(definition, visit.context)
    if refusal is not None:
        raise refusal
    given = {k.removeprefix("f."): v for k, v in request.query_params.items() if k.startswith("f.")}
    return _new_page(request, visit, definition, number, given)


def _new_page(
    request: Request,
    visit: Visit,
    definition: Definition,
    number: str,
    values: dict[str, Any],
    error: CoverslipError | None = None,
    form: FormData | None = None,
    rows: int = forms.BLANK_ROWS,
    view: viewing.View | None = None,
) -> Response:
    making = definition.type.create
    declared = {n: f for n, f in definition.type.fields.items() if f.source == "typed"}
    inputs = forms.inputs(
        declared,
        {n: f.default for n, f in declared.items() if f.default is not None} | values,
        required=lambda n, f: f.required or making.state in f.required_at,
        choices=lambda kind: _choices(visit, kind),
        errors=_beside(error, declared, making.requires),
        blank_rows=rows,
        zone=visit.zone,
    )
    return page(
        request,
        visit,
        "record_new.html",
        error.status if error else 200,
        nav=definition.name,
        definition=definition,
        number=number,
        groups=forms.grouped(
            forms.carrying(inputs, values) if form else inputs,
            declared,
            conditions.asked_for(making.requires),
        ),
        signature=making.signature,
        view=view,
        changed=bool(view and form and form.get("shown") not in (None, view.shown)),
        reason=making.reason,
        given_reason=str(form.get("reason", "")) if form else "",
        key=str(form["key"]) if form and "key" in form else str(uuid7()),
        **_why(error),
    )


@router.post("/types/{name}/new")
def create(request: Request, visit: WritingVisit, form: FormOf, name: Name) -> Response:
    """Make a record of a type from its form."""
    request.state.action = "create"
    definition = type_named(visit.services, name)
    number = str(form.get("number", ""))
    wish = new_wish(visit, name, form)
    values = wish.fields
    if "more" in form:
        return _new_page(request, visit, definition, number, values, form=form, rows=5)
    view = viewing.preview(visit.services, name, values) if definition.type.create.signature else None
    if view is not None and form.get("shown") != view.shown:
        # Nobody signs what was not before them: what was typed is shown first, and again once it changed.
        return _new_page(request, visit, definition, number, values, form=form, view=view)
    try:
        signing = _signing(form, str(form.get("shown", "")))
        receipt = acting.create(visit.services, visit.context, name, wish, number, signing)
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, "create")
        return _new_page(request, visit, definition, number, values, error, form, view=view)
    made = receipt.entries[0]
    row = find(visit.services, f"{made.number}v{made.revision}" if made.revision else made.number)
    return _done(row, made.entry)


def new_wish(visit: Visit, name: str, form: FormData) -> Wish:
    """Read what the form of a new record asks for."""
    fields = type_named(visit.services, name).type.fields
    declared = {n: f for n, f in fields.items() if f.source == "typed"}
    values = _typed(visit, form).fields(declared)
    return Wish(values, str(form.get("reason", "")), None, str(form.get("key", "")))


@router.get("/r/{reference}/do/{act}")
def ask(request: Request, visit: VisitOf, reference: Reference, act: Name) -> Response:
    """Ask for what an act needs: values, a reason, a signature over the record as it prints."""
    row = row_at(request, visit, reference)
    one = _act_of(visit, row, act)
    if one.refusal is not None:
        request.state.action = act
        raise one.refusal
    return _act_page(request, visit, row, one, {})


def _act_of(visit: Visit, row: Row, act: str) -> OpenAct:
    found = [one for one in open_acts(visit.services, row, visit.context) if one.name == act]
    if not found:
        declared = visit.services.catalogue[row.type].acts.get(act)
        refusal = visit.services.door.explain(row, visit.context, act) if declared else None
        raise refusal or NotFound("NOT_FOUND", what="act", record=f"{act[:40]} of {row.label}")
    return found[0]


def _asked(visit: Visit, row: Row, one: OpenAct) -> dict[str, w.Field]:
    """Return the fields an act asks for; of an edit, all that people type."""
    declared = visit.services.catalogue[row.type].type.fields
    if one.declared is not None:
        return {n: declared[n] for n in one.declared.fields if n in declared}
    return {n: f for n, f in declared.items() if f.source == "typed" and row.state not in f.immutable_at}


def _act_page(
    request: Request,
    visit: Visit,
    row: Row,
    one: OpenAct,
    values: dict[str, Any],
    error: CoverslipError | None = None,
    form: FormData | None = None,
    rows: int = forms.BLANK_ROWS,
) -> Response:
    definition = visit.services.catalogue[row.type]
    target = one.declared.to if one.declared else ""
    asked = _asked(visit, row, one)
    inputs = forms.inputs(
        asked,
        row.fields | values,
        required=lambda n, f: (f.required or target in f.required_at) and n not in row.fields,
        choices=lambda kind: _choices(visit, kind),
        errors=_beside(error, asked, one.declared.requires if one.declared else ()),
        blank_rows=rows,
        zone=visit.zone,
    )
    reason = one.declared.reason if one.declared else definition.type.edit and definition.type.edit.reason
    view = viewing.open_view(visit.services, row, visit.context) if one.signature else None
    return page(
        request,
        visit,
        "record_act.html",
        error.status if error else 200,
        **frame(visit, row, "") | {"acts": [], "primary": None, "new_version": ""},
        one=one,
        target=target,
        groups=forms.grouped(inputs, asked),
        reason=reason,
        given_reason=str(form.get("reason", "")) if form else "",
        view=view,
        beside=fields.beside(visit.services, row) if view else {},
        # A stale form stays stale: what was read is what is signed or changed, or nothing.
        version=str(form["expected_version"]) if form and "expected_version" in form else row.version,
        key=str(form["key"]) if form and "key" in form else str(uuid7()),
        **_why(error),
    )


@router.post("/r/{reference}/do/{act}")
def do(request: Request, visit: WritingVisit, form: FormOf, reference: Reference, act: Name) -> Response:
    """Do an act on the version that was read."""
    request.state.action = act
    row = row_at(request, visit, reference)
    one = _act_of(visit, row, act)
    wish = act_wish(visit, row, act, form)
    values = wish.fields
    if "more" in form:
        return _act_page(request, visit, row, one, values, form=form, rows=5)
    try:
        signing = _signing(form, str(form.get("shown", "")))
        receipt = acting.act(visit.services, visit.context, row, act, wish, signing)
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, act, row)
        return _act_page(request, visit, row, one, values, error, form)
    if form.get("then") == "work":
        return RedirectResponse(f"/work?just={quote(row.number)}", 303)
    return _done(find(visit.services, ref(row)), receipt.entries[0].entry)


def act_wish(visit: Visit, row: Row, act: str, form: FormData) -> Wish:
    """Read what the form of an act asks for."""
    one = _act_of(visit, row, act)
    base = _read_before(visit, row, form) if one.declared is None else None
    values = _typed(visit, form).fields(_asked(visit, row, one), base)
    return Wish(values, str(form.get("reason", "")), _version(form), str(form.get("key", "")))


def _read_before(visit: Visit, row: Row, form: FormData) -> dict[str, Any]:
    """Return the fields of the version a form was made from: what differs from it is what was typed."""
    version = _version(form)
    if version == row.version:
        return row.fields
    found = history.contents(visit.services.reading.history(row.uid))
    return dict(found.get(version or 0, {}).get("fields", row.fields))


def _version(form: FormData) -> int | None:
    given = str(form.get("expected_version", ""))
    if not given.isdigit():
        raise Invalid("VAL_FORM", field="expected_version", expected="the version read", found="none")
    return int(given)


def _signing(form: FormData, shown: str) -> acting.Signing | None:
    """Return the components a form gives, or a passkey's answer; without either the door asks for them."""
    answered = credentials.answer_in(str(form.get("passkey", "")))
    if answered is not None:
        return acting.Signing(Credential(assertion=answered), shown)
    secret = str(form.get("password", ""))
    if not secret:
        return None
    return acting.Signing(Credential(str(form.get("username", "")), secret), shown)


def _done(row: Row, entry: str) -> Response:
    """Lead on to the record; its page says what was entered."""
    return RedirectResponse(f"/r/{ref(row)}?done={quote(entry)}", 303)


def _typed(visit: Visit, form: FormData) -> Typed:
    return Typed(form, lambda upload: keep(visit, upload), visit.zone)


def keep(visit: Visit, upload: UploadFile) -> dict[str, Any]:
    """Put an uploaded file into the vault and return its file value."""
    visit.services.door.require_writer(visit.context, "attach")
    name = (upload.filename or "file").replace("\\", "/").rpartition("/")[2][:200]
    media = upload.content_type or "application/octet-stream"
    return visit.services.delivery.attach(name, media, upload.file, upload.size or 0)


def _choices(visit: Visit, kind: w.Vocab) -> tuple[str, ...]:
    """Return the values of the controlled list a field draws from that can be chosen."""
    catalogue = visit.services.catalogue
    row = visit.services.reading.find(f"{catalogue.list_prefix}-{kind.name}")
    word = catalogue.list_word(row.type) if row is not None else None
    if row is None or word is None:
        return ()
    values = row.fields.get(word.table, ())
    return tuple(str(one[word.value]) for one in values if one.get(word.retired) is not True)


def _beside(
    error: CoverslipError | None, declared: dict[str, w.Field], guards: tuple[w.Guard, ...]
) -> dict[str, str]:
    """Return by field what is wrong with it, under the name the form gives it."""
    if error is None:
        return {}
    said = [str(o["message"] if isinstance(o, dict) else o) for o in error.values.get("unmet") or ()]
    found = conditions.beside(guards, said)
    for one in error.values.get("problems") or ():
        if isinstance(one, dict):
            found.setdefault(str(one["field"]).split(".")[0].split("[")[0], str(one["message"]))
    if not found and error.values.get("field"):
        found[str(error.values["field"]).split(".")[0]] = error.message
    labels = {name: one.label for name, one in declared.items()}
    return {
        name: labels[name] + text.removeprefix(name) if name in labels and text.startswith(name) else text
        for name, text in found.items()
    }


def _why(error: CoverslipError | None) -> dict[str, Any]:
    if error is None:
        return {"error": None, "title": "", "clause_text": ""}
    return {"error": error, "title": refusals.title(error), "clause_text": refusals.clause(error)}


@router.get("/suggest")
def suggest(request: Request, visit: VisitOf, types: Annotated[str, Query(max_length=2000)] = "") -> Response:
    """Offer records a link may name, by number or title; the text is whatever one field of the form holds."""
    typed = next((v for k, v in request.query_params.items() if k.startswith("f.")), "")[:100]
    wanted = [name for name in types.split(",") if visit.services.catalogue.get(name)][:12] or [""]
    found: list[Row] = []
    for name in wanted:
        found += visit.services.reading.page(name, "", typed, "", 8)[0]
    return page(request, visit, "_suggest.html", rows=found[:20])
