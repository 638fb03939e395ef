"""Entry: sign-in, sign-out, enrolment with a one-time code.

Rules kept here: a session begins with a new token, never with one a browser brought; the way back leads to
these pages only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from coverslip.application import entering
from coverslip.application.services import Services
from coverslip.errors import CoverslipError, Invalid
from coverslip.kernel.change import Context
from coverslip.kernel.clock import known_zone
from coverslip.kernel.events import NOBODY
from coverslip.kernel.identity import Place
from coverslip.web.security import FORGET, own_path
from coverslip.web.serving import Serving
from coverslip.web.templating import page
from coverslip.web.visit import ServicesOf, ServingOf, WritingVisit, place_of

router = APIRouter()
Line = Annotated[str, Form(max_length=200)]
Secret = Annotated[str, Form(max_length=1024)]


@router.get("/")
def first() -> RedirectResponse:
    """Lead to what waits."""
    return RedirectResponse("/work", 303)


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/work", said: str = "") -> Response:
    """Ask for user name and password."""
    return _sign_in_page(request, next, said=SAID.get(said, ""))


SAID = {
    "out": "You are signed out.",
    "enrolled": "Your key is made. Somebody who verifies your identity signs for it before you can sign in.",
}


def _sign_in_page(
    request: Request,
    next: str,
    username: str = "",
    workstation: str = "",
    error: CoverslipError | None = None,
    said: str = "",
) -> Response:
    return page(
        request,
        None,
        "sign_in.html",
        error.status if error else 200,
        next=own_path(next),
        username=username,
        workstation=workstation,
        error=error,
        said=said,
    )


@router.post("/sign-in")
def sign_in(
    request: Request,
    services: ServicesOf,
    serving: ServingOf,
    username: Line,
    password: Secret,
    next: Annotated[str, Form(max_length=2000)] = "/work",
    workstation: Line = "",
    zone: Line = "UTC",
    code: Line = "",
) -> Response:
    """Open a session, or the one its person locked here, and lead to where somebody wanted to go."""
    request.state.action = "sign_in"
    place = place_of(request, workstation.strip(), zone if known_zone(zone) else "UTC")
    try:
        found = entering.sign_in(services, username, password, place, code, resume=True)
    except CoverslipError as error:
        return sign_in_page_for(request, services, place, next, username, workstation, error)
    response = RedirectResponse(own_path(next), 303)
    keep_session(response, serving, found.token)
    return response


def sign_in_page_for(
    request: Request,
    services: Services,
    place: Place,
    next: str,
    username: str,
    workstation: str,
    error: CoverslipError,
) -> Response:
    """Return the sign-in page that says why not; the refusal is an entry."""
    if error.spec.family == "environment":
        raise error
    services.events.refuse(error, _nobody(place.address), "sign_in")
    return _sign_in_page(request, next, username, workstation, error)


def keep_session(response: Response, serving: Serving, token: str) -> None:
    """Give a browser its session: out of reach of scripts, for this site's own requests only."""
    response.headers.update(FORGET)
    response.set_cookie(
        serving.cookie, token, httponly=True, secure=serving.secure, samesite="strict", path="/"
    )


def _nobody(address: str) -> Context:
    return replace(NOBODY, address=address)


@router.post("/sign-out")
def sign_out(request: Request, visit: WritingVisit) -> Response:
    """End this session."""
    request.state.action = "sign_out"
    visit.services.identity.sign_out(visit.session)
    response = RedirectResponse("/sign-in?said=out", 303, FORGET)
    response.delete_cookie(visit.serving.cookie, path="/", secure=visit.serving.secure, httponly=True)
    return response


@router.get("/enrol")
def enrol_page(request: Request, services: ServicesOf) -> Response:
    """Ask for a one-time code and a password of one's own."""
    return _enrol_page(request, services)


def _enrol_page(
    request: Request, services: Services, username: str = "", error: CoverslipError | None = None
) -> Response:
    # What making the key signs stands on the page before, in the words that are signed.
    signed = services.catalogue["user"].acts["enrol"].signature
    status = error.status if error else 200
    return page(request, None, "enrol.html", status, error=error, username=username, signed=signed)


@router.post("/enrol")
def enrol(
    request: Request,
    services: ServicesOf,
    code: Secret,
    username: Line,
    password: Secret,
    again: Secret,
    zone: Line = "UTC",
) -> Response:
    """Use a one-time code: make one's own signing key under one's own password, and sign for it."""
    request.state.action = "enrol"
    try:
        if password != again:
            raise Invalid(
                "VAL_FORM", field="password", expected="the same password twice", found="two different ones"
            )
        place = place_of(request, "", zone if known_zone(zone) else "UTC")
        entering.enrol(services, code.strip(), username, password, place)
    except CoverslipError as error:
        if error.spec.family == "environment":
            raise
        services.events.refuse(error, _nobody(place_of(request).address), "enrol")
        return _enrol_page(request, services, username, error)
    return RedirectResponse("/sign-in?said=enrolled", 303)
