"""One record: what it says, its trail, signatures and versions, and every act on it.

Rules kept here:

* One page for every type, made from its declaration. What an act asks for, and why it is not open, comes from
  the door.
* Before a signature the record is shown as it will print; that it was sent is an entry, and its hash is what
  is signed.
* A form carries the version that was read and a key of its own: sent twice, it is done once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from coverslip.application import acting, viewing
from coverslip.application.acting import Wish
from coverslip.application.finding import find, type_named
from coverslip.application.open_acts import OpenAct, open_acts
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel import history, words as w
from coverslip.kernel.change import Credential
from coverslip.kernel.definition import Definition
from coverslip.kernel.rows import Row
from coverslip.ledger.identity import uuid7
from coverslip.web import fields, forms, refusals, special
from coverslip.web.templating import page, ref
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit
from coverslip.work import waiting

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
Name = Annotated[str, Path(max_length=80)]
TRAIL_PAGE = 100


def _found(request: Request, visit: Visit, reference: str) -> Row:
    row = find(visit.services, reference)
    request.state.subject = row
    return row


def frame(visit: Visit, row: Row, tab: str) -> dict[str, Any]:
    """Return what the head of a record's page shows: state, acts, tabs. ``tab`` is the current one."""
    definition = visit.services.catalogue.under(row.type, row.definition)
    acts = open_acts(visit.services, row, visit.context)
    waited = _waited(visit.services.catalogue[row.type], row.state)
    reference = ref(row)
    own = special.PAGES.get(row.type)
    tabs = [
        ("Overview", own.format(reference) if own else f"/r/{reference}", ""),
        *([("Record", f"/r/{reference}/record", "")] if own else []),
        ("Related", f"/r/{reference}/related", ""),
        ("Lineage", f"/r/{reference}/lineage", ""),
        ("Signatures", f"/r/{reference}/signatures", ""),
        ("Versions", f"/r/{reference}/versions", ""),
        ("Audit trail", f"/r/{reference}/audit", ""),
        ("As it prints", f"/r/{reference}/print", ""),
    ]
    return {
        "row": row,
        "definition": definition,
        "acts": acts,
        "primary": _primary(acts, waited),
        "next_step": next_step(acts, waited),
        "new_version": f"/types/{row.type}/new?number={row.number}"
        if definition.type.revisions and definition.state(row.state).effective
        else "",
        "tabs": tabs,
        "tab": tab,
        "sandbox": bool(row.content.get("sandbox")),
        "nav": row.type,
        "where": f"/r/{reference}",
    }


def _waited(definition: Definition, state: str) -> set[str]:
    """Return the acts somebody is waited for to do in a state."""
    if not waiting.waits(definition.state(state)):
        return set()
    return {one.name for one in waiting.acts(definition, state) if one.to != state or one.persons}


def _primary(acts: list[OpenAct], waited: set[str]) -> OpenAct | None:
    """Return the one act that is most likely what this person came for."""
    return next((one for one in acts if one.allowed and one.name in waited), None)


def next_step(acts: list[OpenAct], waited: set[str]) -> dict[str, Any]:
    """Return what comes next: this person's act, or why they are not the one."""
    mine = _primary(acts, waited)
    if mine is not None:
        return {"blocked": False, "act": mine, "why": ""}
    first = next((one for one in acts if one.name in waited and one.refusal is not None), None)
    if first is not None and first.refusal is not None:
        why = f"{first.refusal.message} {first.refusal.remedy}".strip()
        return {"blocked": True, "act": first, "why": why}
    return {"blocked": False, "act": None, "why": ""}


@router.get("/r/{reference}")
def show(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show a record; a type with a page of its own has it there."""
    row = _found(request, visit, reference)
    own = special.PAGES.get(row.type)
    return RedirectResponse(own.format(ref(row)), 303) if own else overview(request, visit, row)


@router.get("/r/{reference}/record")
def generic(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show a record by its declaration alone."""
    return overview(request, visit, _found(request, visit, reference), "Record")


def overview(request: Request, visit: Visit, row: Row, tab: str = "Overview") -> Response:
    """Render the page every record has."""
    return page(request, visit, "record.html", **overview_values(visit, row, tab))


def overview_values(visit: Visit, row: Row, tab: str) -> dict[str, Any]:
    """Return what ``record.html`` and the templates that extend it show."""
    shared = frame(visit, row, tab)
    facts, texts, tables = fields.facts_and_texts(fields.shown(shared["definition"], row))
    entries = visit.services.reading.history(row.uid)
    return shared | {
        "facts": facts,
        "texts": texts,
        "tables": tables,
        "titles": fields.titles(visit.services, row.fields),
        "signatures": history.manifests(entries),
        "latest": list(reversed(history.trail(entries)))[:5],
        "count": len(entries),
        "around": visit.services.working.around(row),
        "retention": visit.services.retaining.one(row),
    }


@router.get("/r/{reference}/audit")
def audit(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    show: Annotated[str, Query(max_length=20)] = "all",
    start: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Response:
    """Show the whole trail of a record, newest first, old values beside new."""
    row = _found(request, visit, reference)
    trail = list(reversed(history.trail(visit.services.reading.history(row.uid))))
    kinds: dict[str, Callable[[dict[str, Any]], bool]] = {
        "all": lambda e: True,
        "changes": lambda e: bool(e["changes"]),
        "signatures": lambda e: bool(e["meaning"]),
        "refusals": lambda e: e["type"] == "refusal",
        "views": lambda e: e["type"] in ("view", "export"),
    }
    chosen = show if show in kinds else "all"
    found = [e for e in trail if kinds[chosen](e)]
    return page(
        request,
        visit,
        "record_audit.html",
        fragment="results",
        **frame(visit, row, "Audit trail"),
        entries=found[start : start + TRAIL_PAGE],
        counts={name: sum(map(keep, trail)) for name, keep in kinds.items()},
        shown=chosen,
        start=start,
        matching=len(found),
        step=TRAIL_PAGE,
    )


@router.get("/r/{reference}/signatures")
def signatures(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show every signature on a record with printed name, time and meaning (11.50)."""
    row = _found(request, visit, reference)
    made = history.manifests(visit.services.reading.history(row.uid))
    shared = frame(visit, row, "Signatures")
    awaited = [one for one in shared["acts"] if one.signature]
    return page(request, visit, "record_signatures.html", **shared, signatures=made, awaited=awaited)


@router.get("/r/{reference}/related")
def related(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show what a record stands on, what stands on it, and what lies beside it."""
    row = _found(request, visit, reference)
    given = [link["number"] for link in fields.links(row.fields)]
    targets = [t for t in (visit.services.reading.find(n) for n in dict.fromkeys(given)) if t is not None]
    return page(
        request,
        visit,
        "record_related.html",
        **frame(visit, row, "Related"),
        targets=targets,
        linked=visit.services.reading.linked(row.uid),
        around=visit.services.working.around(row),
        catalogue=visit.services.catalogue,
    )


@router.get("/r/{reference}/versions")
def versions(
    request: Request,
    visit: VisitOf,
    reference: Reference,
    first: Annotated[int, Query(alias="from", ge=0, le=10**7)] = 0,
    second: Annotated[int, Query(alias="to", ge=0, le=10**7)] = 0,
) -> Response:
    """Show the versions of a record; two of them side by side."""
    row = _found(request, visit, reference)
    entries = visit.services.reading.history(row.uid)
    found = history.contents(entries)
    later = second if second in found else row.version
    earlier = first if first in found else max((v for v in found if v < later), default=later)
    labels = {name: f.label for name, f in visit.services.catalogue[row.type].type.fields.items()}
    changes = [c.value() for c in history.changes(found[earlier], found[later])] if found else []
    for one in changes:
        one["label"] = labels.get(str(one["field"]).split(".")[0].split("[")[0], "")
    return page(
        request,
        visit,
        "record_versions.html",
        **frame(visit, row, "Versions"),
        trail=[e for e in reversed(history.trail(entries)) if e["version"]],
        revisions=revisions(visit, row),
        changes=changes,
        earlier=earlier,
        later=later,
    )


def revisions(visit: Visit, row: Row) -> list[Row]:
    """Return the revisions of a number, newest first."""
    if not row.revision:
        return []
    found, number = [], 1
    while (one := visit.services.reading.find(row.number, number)) is not None:
        found.append(one)
        number += 1
    return list(reversed(found))


@router.get("/r/{reference}/print")
def as_printed(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show the rendering a signature names; that it was sent is an entry."""
    row = _found(request, visit, reference)
    view = viewing.open_view(visit.services, row, visit.context)
    made = history.manifests(visit.services.reading.history(row.uid))
    return page(
        request, visit, "record_print.html", **frame(visit, row, "As it prints"), view=view, signatures=made
    )


# --- making, changing, acting ----------------------------------------------------------------------


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
) -> Response:
    making = definition.type.create
    declared = {n: f for n, f in definition.type.fields.items() if f.source == "typed"}
    inputs = forms.inputs(
        declared,
        {n: f.default for n, f in declared.items() if f.default is not None} | values,
        required=lambda n, f: f.required or making.state in f.required_at,
        choices=lambda kind: _choices(visit, kind),
        errors=_beside(error),
        blank_rows=rows,
    )
    return page(
        request,
        visit,
        "record_new.html",
        error.status if error else 200,
        nav=definition.name,
        definition=definition,
        number=number,
        groups=forms.grouped(inputs, declared),
        signature=making.signature,
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
    declared = {n: f for n, f in definition.type.fields.items() if f.source == "typed"}
    number = str(form.get("number", ""))
    values = forms.read(form, declared, lambda upload: keep(visit, upload))
    if "more" in form:
        return _new_page(request, visit, definition, number, values, form=form, rows=5)
    wish = Wish(values, str(form.get("reason", "")), None, str(form.get("key", "")))
    try:
        signing = _signing(form, viewing.preview(visit.services, name, values).shown)
        receipt = acting.create(visit.services, visit.context, name, wish, number, signing)
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, "create")
        return _new_page(request, visit, definition, number, values, error, form)
    made = receipt.entries[0]
    row = find(visit.services, f"{made.number}v{made.revision}" if made.revision else made.number)
    return _done(row, "made")


@router.get("/r/{reference}/do/{act}")
def ask(request: Request, visit: VisitOf, reference: Reference, act: Name) -> Response:
    """Ask for what an act needs: values, a reason, a signature over the record as it prints."""
    row = _found(request, visit, reference)
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
        errors=_beside(error),
        blank_rows=rows,
    )
    reason = one.declared.reason if one.declared else definition.type.edit and definition.type.edit.reason
    view = viewing.open_view(visit.services, row, visit.context) if one.signature else None
    return page(
        request,
        visit,
        "record_act.html",
        error.status if error else 200,
        **frame(visit, row, ""),
        one=one,
        target=target,
        groups=forms.grouped(inputs, asked),
        reason=reason,
        given_reason=str(form.get("reason", "")) if form else "",
        view=view,
        # A stale form stays stale: what was read is what is signed or changed, or nothing.
        version=str(form["expected_version"]) if form and "expected_version" in form else row.version,
        key=str(form["key"]) if form and "key" in form else str(uuid7()),
        **_why(error),
    )


@router.post("/r/{reference}/do/{act}")
def do(request: Request, visit: WritingVisit, form: FormOf, reference: Reference, act: Name) -> Response:
    """Do an act on the version that was read."""
    request.state.action = act
    row = _found(request, visit, reference)
    one = _act_of(visit, row, act)
    base = row.fields if one.declared is None else None
    values = forms.read(form, _asked(visit, row, one), lambda upload: keep(visit, upload), base)
    if "more" in form:
        return _act_page(request, visit, row, one, values, form=form, rows=5)
    wish = Wish(values, str(form.get("reason", "")), _version(form), str(form.get("key", "")))
    try:
        signing = _signing(form, str(form.get("shown", "")))
        acting.act(visit.services, visit.context, row, act, wish, signing)
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, act, row)
        return _act_page(request, visit, row, one, values, error, form)
    return _done(find(visit.services, ref(row)), act)


def _version(form: FormData) -> int | None:
    given = str(form.get("expected_version", ""))
    if not given.isdigit():
        raise Invalid("VAL_FORM", field="expected_version", expected="the version read", found="none")
    return int(given)


def _signing(form: FormData, shown: str) -> acting.Signing | None:
    """Return the components a form gives; empty ones are none, and the door asks for them."""
    secret = str(form.get("password", ""))
    if not secret:
        return None
    return acting.Signing(Credential(str(form.get("username", "")), secret), shown)


def _done(row: Row, act: str) -> Response:
    return RedirectResponse(f"/r/{ref(row)}?done={quote(act)}", 303)


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


def _beside(error: CoverslipError | None) -> dict[str, str]:
    """Return by field what is wrong with it."""
    if error is None:
        return {}
    found: dict[str, str] = {}
    for one in error.values.get("problems") or ():
        if isinstance(one, dict):
            found.setdefault(str(one["field"]).split(".")[0].split("[")[0], str(one["message"]))
    if not found and error.values.get("field"):
        found[str(error.values["field"]).split(".")[0]] = error.message
    return found


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
