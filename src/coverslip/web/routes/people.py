"""People, roles, devices and access reviews: who may come in, what they hold, and who looked at it.

Rules kept here: everybody is in the list, those who left too; a filter says how many it leaves out. Whatever
changes an account is an act of its record. A code is shown once, on the page that made it.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.application import acting, credentials, people
from coverslip.application.acting import Wish
from coverslip.application.finding import find
from coverslip.application.people import Person
from coverslip.errors import CoverslipError, Invalid, NotFound
from coverslip.kernel.rows import Row
from coverslip.web.routes.records import overview_values
from coverslip.web.templating import page, ref
from coverslip.web.visit import FormOf, Visit, VisitOf, WritingVisit

router = APIRouter()
Reference = Annotated[str, Path(max_length=80)]
Word = Annotated[str, Query(max_length=80)]
WITHDRAW, VERIFY = "withdraw_passkey", "verify_passkey"
TABS = (
    ("People", "/admin/people"),
    ("Roles", "/admin/roles"),
    ("Devices and services", "/admin/devices"),
    ("Access reviews", "/types/access_review"),
)


def _tabs(counts: dict[str, int] | None = None) -> list[tuple[str, str, Any]]:
    return [(name, address, (counts or {}).get(name, "")) for name, address in TABS]


def _may_create(visit: Visit) -> bool:
    definition = visit.services.catalogue[people.ACCOUNT]
    return visit.services.door.explain_create(definition, visit.context) is None


@router.get("/admin/people")
def everybody(
    request: Request, visit: VisitOf, state: Word = "", role: Word = "", kind: Word = "", q: Word = ""
) -> Response:
    """Show every account with its state, roles, training, credential and last use."""
    found = people.everybody(visit.services)
    shown = [one for one in found if _fits(one, state, role, kind, q)]
    reviews = [r for r in people.records(visit.services, people.REVIEW) if r.state != "closed"]
    return page(
        request,
        visit,
        "people.html",
        fragment="results",
        nav="people",
        tabs=_tabs({"People": len(found)}),
        people=shown,
        count=len(found),
        given={"state": state, "role": role, "kind": kind, "q": q},
        states=[s.name for s in visit.services.catalogue[people.ACCOUNT].type.states],
        roles=sorted({code for one in found for code in one.roles}),
        definition=visit.services.catalogue[people.ACCOUNT],
        looks=people.may_look(visit.services, visit.context),
        may_create=_may_create(visit),
        reviews=reviews[:1],
    )


def _fits(one: Person, state: str, role: str, kind: str, text: str) -> bool:
    named = f"{one.row.title} {one.row.number} {one.row.fields.get('username', '')}".casefold()
    return (
        (not state or one.row.state == state)
        and (not role or role in one.roles)
        and (not kind or one.row.fields.get("kind") == kind)
        and text.casefold() in named
    )


def _account(request: Request, visit: Visit, reference: str) -> Row:
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type != people.ACCOUNT:
        raise NotFound("NOT_FOUND", what="person", record=reference[:60])
    return row


@router.get("/admin/people/{reference}")
def person(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show one account: roles, grants, credentials, sessions, and what may be done with it."""
    return _person(request, visit, _account(request, visit, reference))


def _person(
    request: Request,
    visit: Visit,
    row: Row,
    invitation: people.Invitation | None = None,
    error: CoverslipError | None = None,
) -> Response:
    looks = people.may_look(visit.services, visit.context, row)
    shared = overview_values(visit, row, "Overview") | {"nav": "people"}
    withdrawing = [one for one in shared["acts"] if one.name == WITHDRAW]
    # Its form would be a table of keys to be typed again; each passkey has a button of its own here, which
    # gives what the act's own rule still misses.
    shared["acts"] = [one for one in shared["acts"] if one.name != WITHDRAW]
    return page(
        request,
        visit,
        "person.html",
        error.status if error else 200,
        **shared,
        error=error,
        verifies=any(one.name == VERIFY and one.allowed for one in shared["acts"]),
        withdraws=any(one.refusal is None or "unmet" in one.refusal.values for one in withdrawing),
        person=people.one(visit.services, row),
        looked=people.looked(visit.services, row) if looks else None,
        invitation=invitation,
        invites=_may_create(visit) and row.state == "invited" and row.fields.get("kind") != "service",
        grants_definition=visit.services.catalogue[people.GRANT],
    )


@router.post("/admin/people/{reference}/invite")
def invite(request: Request, visit: WritingVisit, reference: Reference) -> Response:
    """Make a one-time enrolment code and show it this once."""
    request.state.action = "invite"
    row = _account(request, visit, reference)
    return _person(request, visit, row, people.invite(visit.services, row, visit.context))


@router.post("/admin/people/{reference}/passkeys/{kid}/withdraw")
def withdraw(
    request: Request, visit: WritingVisit, form: FormOf, reference: Reference, kid: Reference
) -> Response:
    """Withdraw a passkey that somebody lost; sessions opened with it end."""
    request.state.action = WITHDRAW
    row = _account(request, visit, reference)
    try:
        credentials.withdraw_of(visit.services, visit.context, row, kid, str(form.get("reason", "")))
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, WITHDRAW, row)
        return _person(request, visit, row, error=error)
    return RedirectResponse(f"/admin/people/{ref(row)}#passkeys", 303)


@router.get("/admin/roles")
def roles(request: Request, visit: VisitOf) -> Response:
    """Show every role: what its holders do, are trained on, and who they are."""
    found = sorted(people.records(visit.services, people.ROLE), key=lambda r: str(r.fields.get("code", "")))
    holders: dict[str, list[Row]] = {}
    for grant in people.records(visit.services, people.GRANT, "active"):
        holders.setdefault(people.role_code(grant), []).append(grant)
    return page(
        request, visit, "roles.html", nav="people", tabs=_tabs({"Roles": len(found)}), roles=found,
        holders=holders, definition=visit.services.catalogue[people.ROLE],
    )  # fmt: skip


@router.get("/admin/devices")
def devices(request: Request, visit: VisitOf) -> Response:
    """Show devices that sign in with a key of their own, and services with who answers for them."""
    instruments = sorted(people.records(visit.services, people.DEVICE), key=lambda r: r.number)
    services = [one for one in people.everybody(visit.services) if one.row.fields.get("kind") == "service"]
    return page(
        request, visit, "devices.html", nav="people",
        tabs=_tabs({"Devices and services": len(instruments) + len(services)}), devices=instruments,
        services=services, device_definition=visit.services.catalogue[people.DEVICE],
        definition=visit.services.catalogue[people.ACCOUNT],
    )  # fmt: skip


# --- access review ---------------------------------------------------------------------------------


@router.get("/admin/access-review/{reference}")
def access_review(request: Request, visit: VisitOf, reference: Reference) -> Response:
    """Show every account of the snapshot with its decision, or a form for one."""
    row = _review(request, visit, reference)
    return _review_page(request, visit, row)


def _review(request: Request, visit: Visit, reference: str) -> Row:
    row = find(visit.services, reference)
    request.state.subject = row
    if row.type != people.REVIEW:
        raise NotFound("NOT_FOUND", what="access review", record=reference[:60])
    return row


def _review_page(request: Request, visit: Visit, row: Row, error: CoverslipError | None = None) -> Response:
    shared = overview_values(visit, row, "Overview") | {"nav": "people"}
    decided = {str(d["user"]["uid"]): d for d in row.fields.get("decisions", ())}
    accounts = [(a, decided.get(str(a["user"]["uid"]))) for a in row.fields.get("accounts", ())]
    deciding = next((one for one in shared["acts"] if one.name == "decide"), None)
    shared["tables"] = [t for t in shared["tables"] if t.name not in ("accounts", "decisions")]
    shared["acts"] = [one for one in shared["acts"] if one.name != "decide"]
    if shared["primary"] is deciding:
        shared["primary"] = None
    return page(
        request,
        visit,
        "access_review.html",
        error.status if error else 200,
        **shared,
        accounts=accounts,
        open=sum(1 for _, d in accounts if d is None),
        deciding=deciding,
        me=visit.session.person,
        error=error,
    )


@router.post("/admin/access-review/{reference}/decide")
def decide(request: Request, visit: WritingVisit, form: FormOf, reference: Reference) -> Response:
    """Add the decision on one account, beside those there are; take one's own back with ``withdraw``."""
    request.state.action = "decide"
    row = _review(request, visit, reference)
    user, version = str(form.get("user", "")), str(form.get("expected_version", ""))
    if not version.isdigit():
        raise Invalid("VAL_FORM", field="expected_version", expected="the version read", found="none")
    kept = [_as_typed(d) for d in row.fields.get("decisions", ()) if str(d["user"]["number"]) != user]
    if "withdraw" not in form:
        made = {
            "user": user,
            "decision": str(form.get("decision", "")),
            "reason": str(form.get("reason", "")),
            "decided_by": str(visit.account.get("number", "")),
        }
        grant = str(form.get("grant", ""))
        kept.append(made | ({"grant": grant} if grant else {}))
    wish = Wish({"decisions": kept}, "", int(version), str(form.get("key", "")))
    try:
        acting.act(visit.services, visit.context, row, "decide", wish)
    except CoverslipError as error:
        if error.spec.family in ("environment", "evidence"):
            raise
        visit.services.events.refuse(error, visit.context, "decide", row)
        return _review_page(request, visit, row, error)
    return RedirectResponse(f"/admin/access-review/{ref(row)}#decisions", 303)


def _as_typed(decision: dict[str, Any]) -> dict[str, Any]:
    """Return a decision with links as they are typed: by number."""
    return {n: str(v["number"]) if isinstance(v, dict) else v for n, v in decision.items()}
