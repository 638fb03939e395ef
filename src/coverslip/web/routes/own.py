"""One's own: who one is here, credentials, sessions, the lock, people taking turns at one computer.

Rules kept here:

* What adds a credential, or makes signing in easier, asks for both components of the one there is.
* A locked page shows nothing of what was open; it names its person, so that nobody else tries.
* Values for scripts are answered as JSON, refusals too, in the words every other face uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from coverslip.application import acting, credentials, entering
from coverslip.application.credentials import Proof
from coverslip.application.finding import find
from coverslip.application.refusing import recorded
from coverslip.errors import CoverslipError, Invalid
from coverslip.kernel import passkeys
from coverslip.kernel.change import Assertion
from coverslip.kernel.clock import known_zone
from coverslip.kernel.events import NOBODY
from coverslip.web.routes import acts
from coverslip.web.routes.entry import SAID as ENTRY_SAID, keep_session, sign_in_page_for
from coverslip.web.security import FORGET, csrf_token, own_path, require_token
from coverslip.web.templating import page
from coverslip.web.visit import (
    FormOf,
    ServicesOf,
    ServingOf,
    Visit,
    VisitOf,
    WritingVisit,
    place_of,
    token_of,
)

router = APIRouter()
Line = Annotated[str, Form(max_length=200)]
Secret = Annotated[str, Form(max_length=1024)]
Answered = Annotated[str, Form(max_length=40_000)]
Back = Annotated[str, Form(max_length=2000)]
Name = Annotated[str, Path(max_length=80)]
SAID = {
    "passkey": "The passkey is in your record. It counts once somebody has verified your identity anew.",
    "withdrawn": "The passkey is withdrawn. It opens and signs nothing from now on.",
    "codes": "From now on signing in asks you for a code of your app.",
    "removed": "Signing in asks you for no code any more.",
    "tested": "Your passkey answered. The test is an entry, and the next one is due in a year.",
    "ended": "The session is ended.",
}
ENTRY_SAID["switched"] = "The session before is locked. Its person signs in here to go on with it."


def as_value(visit: Visit, action: str, work: Callable[[], Any]) -> Response:
    """Answer a script: the value, or the refusal in its own words."""
    try:
        return JSONResponse(work(), headers={"Cache-Control": "no-store"})
    except CoverslipError as error:
        found = recorded(visit.services.events, error, visit.context, action)
        return JSONResponse(
            {"message": found.message, "remedy": found.remedy, "code": found.code}, found.status
        )


# --- who one is ----------------------------------------------------------------------------------


@router.get("/me")
def me(request: Request, visit: VisitOf) -> Response:
    """Show who is signed in, what they hold, and how to leave."""
    return page(
        request,
        visit,
        "me.html",
        nav="me",
        last=visit.services.accounts.last_sign_ins(visit.session.person),
        before=visit.services.accounts.sign_in_before(visit.session),
    )


# --- credentials ---------------------------------------------------------------------------------


@router.get("/me/credentials")
def own(request: Request, visit: VisitOf, said: str = "") -> Response:
    """Show what one signs in and signs with."""
    return _credentials(request, visit, said=SAID.get(said, ""))


def _credentials(
    request: Request, visit: Visit, error: CoverslipError | None = None, **more: Any
) -> Response:
    identity = visit.services.identity
    return page(
        request,
        visit,
        "me_credentials.html",
        error.status if error else 200,
        nav="me",
        error=error,
        passkeys=identity.ring.told(visit.session.person),
        codes=identity.codes.has(visit.session.person),
        adding=visit.services.catalogue["user"].acts["add_passkey"].signature,
        test_days=passkeys.TEST_DAYS,
        **({"said": "", "begun": None} | more),
    )


def _refused(request: Request, visit: Visit, error: CoverslipError, action: str) -> Response:
    if error.spec.family in ("environment", "evidence"):
        raise error
    visit.services.events.refuse(error, visit.context, action)
    return _credentials(request, visit, error)


@router.post("/me/credentials/passkeys/begin")
def begin_passkey(
    visit: WritingVisit, username: Line = "", password: Secret = "", passkey: Answered = ""
) -> Response:
    """Begin to add a passkey, for a script."""

    def work() -> dict[str, Any]:
        return credentials.begin_passkey(visit.services, visit.context, _proof(username, password, passkey))

    return as_value(visit, "add_passkey", work)


def _proof(username: str, password: str, passkey: str) -> Proof:
    return Proof(username, password, credentials.answer_in(passkey))


@router.post("/me/credentials/challenge")
def question(visit: WritingVisit) -> Response:
    """Return what a passkey of one's own is asked in place of both components, for a script."""
    return as_value(visit, "prove", lambda: credentials.question(visit.services, visit.context))


@router.post("/me/credentials/test")
def test(request: Request, visit: WritingVisit, passkey: Answered) -> Response:
    """Take the answer of a passkey that is tested."""
    request.state.action = "test_passkey"
    try:
        credentials.test_passkey(visit.services, visit.context, _given(passkey))
    except CoverslipError as error:
        return _refused(request, visit, error, "test_passkey")
    return RedirectResponse("/me/credentials?said=tested", 303)


def _given(passkey: str) -> Assertion:
    answered = credentials.answer_in(passkey)
    if answered is None:
        raise Invalid("VAL_FORM", field="passkey", expected="the answer of a passkey", found="none")
    return answered


@router.post("/me/credentials/passkeys")
def register_passkey(visit: WritingVisit, ceremony: Line, made: Answered, label: Line = "") -> Response:
    """Take what an authenticator made, for a script; answers what it signs next."""

    def work() -> dict[str, Any]:
        value = credentials.written(made)
        return credentials.register_passkey(visit.services, visit.context, ceremony, value, label[:80])

    return as_value(visit, "add_passkey", work)


@router.post("/me/credentials/passkeys/list")
def list_passkey(visit: WritingVisit, kid: Line, passkey: Answered) -> Response:
    """Enter a new passkey in one's record, signed with it, for a script."""

    def work() -> dict[str, Any]:
        receipt = credentials.list_passkey(visit.services, visit.context, kid, _given(passkey))
        return {"number": receipt.entries[0].number}

    return as_value(visit, "add_passkey", work)


@router.post("/me/credentials/passkeys/{kid}/withdraw")
def withdraw_passkey(request: Request, visit: WritingVisit, kid: Name, reason: Line) -> Response:
    """Withdraw a passkey."""
    request.state.action = "withdraw_passkey"
    try:
        credentials.withdraw_passkey(visit.services, visit.context, kid, reason)
    except CoverslipError as error:
        return _refused(request, visit, error, "withdraw_passkey")
    return RedirectResponse("/me/credentials?said=withdrawn", 303)


@router.post("/me/credentials/codes/begin")
def begin_codes(
    request: Request, visit: WritingVisit, username: Line = "", password: Secret = "", passkey: Answered = ""
) -> Response:
    """Show a new seed, once, and ask for a code of it."""
    request.state.action = "add_codes"
    try:
        proof = _proof(username, password, passkey)
        begun = credentials.begin_codes(visit.services, visit.context, proof)
    except CoverslipError as error:
        return _refused(request, visit, error, "add_codes")
    return _credentials(request, visit, begun=begun)


@router.post("/me/credentials/codes")
def confirm_codes(request: Request, visit: WritingVisit, ceremony: Line, code: Line) -> Response:
    """Take the first code of an app."""
    request.state.action = "add_codes"
    try:
        visit.services.identity.codes.confirm(visit.context, ceremony, code)
    except CoverslipError as error:
        return _refused(request, visit, error, "add_codes")
    return RedirectResponse("/me/credentials?said=codes", 303)


@router.post("/me/credentials/codes/remove")
def remove_codes(
    request: Request, visit: WritingVisit, username: Line = "", password: Secret = "", passkey: Answered = ""
) -> Response:
    """End the second factor."""
    request.state.action = "remove_codes"
    try:
        proof = _proof(username, password, passkey)
        credentials.remove_codes(visit.services, visit.context, proof)
    except CoverslipError as error:
        return _refused(request, visit, error, "remove_codes")
    return RedirectResponse("/me/credentials?said=removed", 303)


# --- sessions ------------------------------------------------------------------------------------


@router.get("/me/sessions")
def sessions(request: Request, visit: VisitOf, said: str = "") -> Response:
    """Show one's sessions that are not over."""
    found = credentials.desk(visit.services).sessions(visit.session.person)
    shown = [credentials.session_value(one, visit.session) for one in reversed(found)]
    return page(request, visit, "me_sessions.html", nav="me", sessions=shown, said=SAID.get(said, ""))


@router.post("/me/sessions/{name}/end")
def end_session(request: Request, visit: WritingVisit, name: Name) -> Response:
    """End a session of one's own."""
    request.state.action = "end_session"
    credentials.desk(visit.services).end(visit.session, name)
    return RedirectResponse("/me/sessions?said=ended", 303)


# --- the lock ------------------------------------------------------------------------------------


@router.post("/lock")
def lock(request: Request, visit: WritingVisit) -> Response:
    """Lock this session."""
    request.state.action = "lock"
    credentials.desk(visit.services).lock(visit.session)
    return RedirectResponse("/locked", 303, FORGET)


@router.post("/switch")
def switch(request: Request, visit: WritingVisit) -> Response:
    """Lock this session and let somebody else sign in."""
    request.state.action = "lock"
    credentials.desk(visit.services).lock(visit.session)
    response = RedirectResponse("/sign-in?said=switched", 303, FORGET)
    response.delete_cookie(visit.serving.cookie, path="/", secure=visit.serving.secure, httponly=True)
    return response


@router.get("/locked")
def locked_page(request: Request, services: ServicesOf, next: str = "/work") -> Response:
    """Ask the person of a locked session for their secret."""
    return _locked(request, services, next)


def _locked(
    request: Request, services: ServicesOf, next: str, error: CoverslipError | None = None
) -> Response:
    token = token_of(request)
    session = credentials.desk(services).locked(token)
    if session is None:
        return RedirectResponse(own_path(next), 303)
    account = services.accounts.account(session.person) or {}
    return page(
        request,
        None,
        "locked.html",
        error.status if error else 200,
        next=own_path(next),
        whose=account.get("name", session.username),
        username=session.username,
        workstation=session.workstation,
        csrf=csrf_token(token),
        error=error,
    )


@router.post("/unlock/challenge")
def unlock_challenge(request: Request, services: ServicesOf, form: FormOf) -> Response:
    """Return what a passkey of the locked session's person is asked, for a script."""
    token = token_of(request)
    require_token(request, token, str(form.get("csrf", "")))
    session = credentials.desk(services).locked(token)
    return JSONResponse(credentials.challenge(services, session.person if session else ""))


@router.post("/unlock")
def unlock(request: Request, services: ServicesOf, serving: ServingOf, form: FormOf) -> Response:
    """Open a locked session again for its own person."""
    request.state.action = "unlock"
    token, back = token_of(request), str(form.get("next", "/work"))
    require_token(request, token, str(form.get("csrf", "")))
    try:
        answered = credentials.answer_in(str(form.get("passkey", "")))
        opened = entering.unlock(services, token, str(form.get("password", ""))[:1024], answered)
    except CoverslipError as error:
        if error.spec.family == "environment":
            raise
        services.events.refuse(error, NOBODY, "unlock")
        return _locked(request, services, back, error)
    response = RedirectResponse(own_path(back), 303)
    keep_session(response, serving, opened.token)
    return response


# --- signing with a passkey ----------------------------------------------------------------------


@router.post("/r/{reference}/do/{act}/passkey")
def prepare_act(request: Request, visit: WritingVisit, form: FormOf, reference: Name, act: Name) -> Response:
    """Prepare what a passkey signs with an act, for a script; the form is then sent with the answer."""
    row = find(visit.services, reference)
    request.state.subject = row

    def work() -> dict[str, Any]:
        wish, shown = acts.act_wish(visit, row, act, form), str(form.get("shown", ""))
        ready = acting.prepare_act(visit.services, visit.context, row, act, wish, shown)
        return credentials.asked(visit.services, ready)

    return as_value(visit, act, work)


@router.post("/types/{name}/new/passkey")
def prepare_create(visit: WritingVisit, form: FormOf, name: Name) -> Response:
    """Prepare what a passkey signs when a record is made, for a script."""

    def work() -> dict[str, Any]:
        wish = acts.new_wish(visit, name, form)
        shown, number = str(form.get("shown", "")), str(form.get("number", ""))
        ready = acting.prepare_create(visit.services, visit.context, name, wish, number, shown)
        return credentials.asked(visit.services, ready)

    return as_value(visit, "create", work)


# --- signing in with a passkey -------------------------------------------------------------------


@router.post("/sign-in/challenge")
def challenge(services: ServicesOf) -> Response:
    """Return what a passkey is asked to sign in; nobody is named."""
    return JSONResponse(credentials.challenge(services))


@router.post("/sign-in/passkey")
def sign_in_with_passkey(
    request: Request,
    services: ServicesOf,
    serving: ServingOf,
    passkey: Answered,
    next: Back = "/work",
    workstation: Line = "",
    zone: Line = "UTC",
) -> Response:
    """Open a session with a passkey, or the one its person locked here."""
    request.state.action = "sign_in"
    place = place_of(request, workstation.strip(), zone if known_zone(zone) else "UTC")
    try:
        found = entering.sign_in_with_passkey(services, _given(passkey), place, resume=True)
    except CoverslipError as error:
        return sign_in_page_for(request, services, place, next, "", workstation, error)
    response = RedirectResponse(own_path(next), 303)
    keep_session(response, serving, found.token)
    return response
