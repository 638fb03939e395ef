"""Sign-in, sign-out, who am I, enrolment."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from coverslip.api.access import ContextOf, ServicesOf, SessionOf, place_of
from coverslip.api.shapes import DeviceSignIn, Enrolment, SignIn, receipt_value
from coverslip.application import entering
from coverslip.application.services import Services
from coverslip.errors import CoverslipError
from coverslip.kernel.identity import SignedIn

router = APIRouter(tags=["sessions"])


@router.post("/sessions", status_code=201)
def sign_in(body: SignIn, request: Request, services: ServicesOf) -> dict[str, Any]:
    """Sign in with user name and password, and a one-time code where you use an authenticator app."""
    request.state.action = "sign_in"
    place = place_of(request, body.workstation, body.zone)
    found = entering.sign_in(services, body.username, body.password, place, body.code, resume=body.resume)
    return signed_in(services, found)


def signed_in(services: Services, found: SignedIn) -> dict[str, Any]:
    """Return a session as the interface shows it to who opened it, with the last attempts before."""
    account = services.accounts.account(found.session.person) or {}
    return {
        "token": found.token,
        "session": found.session.id,
        "person": found.session.person,
        "username": found.session.username,
        "name": account.get("name", ""),
        "number": account.get("number", ""),
        "expires_at": found.session.expires_at,
        "last_successful": found.last.get("succeeded"),
        "last_failed": found.last.get("failed"),
    }


@router.post("/sessions/device", status_code=201)
def device_sign_in(body: DeviceSignIn, request: Request, services: ServicesOf) -> dict[str, Any]:
    """Open a device's session with a statement signed by its registered key."""
    request.state.action = "device_sign_in"
    found = services.accounts.device(body.device)
    uid, data = found if found else ("", {"number": body.device})
    try:
        opened = services.identity.device_session(
            uid,
            data,
            bytes.fromhex(body.statement),
            bytes.fromhex(body.signature),
            place_of(request, body.device),
        )
    except CoverslipError as error:
        raise entering.already_recorded(error) from None
    return signed_in(services, opened)


@router.delete("/sessions/current", status_code=204)
def sign_out(services: ServicesOf, session: SessionOf) -> None:
    """End this session."""
    services.identity.sign_out(session)


@router.get("/me")
def me(services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Say who is signed in, with the installation's name and use."""
    account = services.accounts.account(context.person) or {}
    return {
        "person": context.person,
        "name": account.get("name", ""),
        "number": account.get("number", ""),
        "username": account.get("username", ""),
        "workstation": context.workstation,
        "installation": services.installation(),
    }


@router.get("/me/notices")
def notices(services: ServicesOf, context: ContextOf) -> list[dict[str, Any]]:
    """Say what the installation has to tell this person about their own account, newest first."""
    found = services.reading.concerning(context.person, services.catalogue.grants)
    return [
        {
            "number": row.number,
            "state": row.state,
            "title": row.title,
            "raised_at": row.fields.get("raised_at", row.changed_at),
            "kind": row.fields.get("kind", row.type),
        }
        for row in found
    ]


@router.post("/enrolments", status_code=201)
def enrol(body: Enrolment, request: Request, services: ServicesOf) -> dict[str, Any]:
    """Use a one-time code: make one's own key under one's own password and sign for it."""
    request.state.action = "enrol"
    place = place_of(request, body.workstation, body.zone)
    return receipt_value(entering.enrol(services, body.code, body.username, body.password, place))
