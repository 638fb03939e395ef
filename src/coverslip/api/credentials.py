"""Credentials of one's own over the interface: passkeys, one-time codes, locked sessions, what to sign.

Every signed act is prepared under its own path with ``/prepare``; the answer goes where the password would.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from pydantic import Field

from coverslip.api.access import ContextOf, ServicesOf, SessionOf, place_of, row_for, token_of
from coverslip.api.sessions import signed_in
from coverslip.api.shapes import Act, Answer, Body, NewRecord, Octets, Secret, Short, receipt_value
from coverslip.application import acting, credentials, entering
from coverslip.application.acting import Wish
from coverslip.application.credentials import Proof

router = APIRouter(tags=["credentials"])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=100)]
Name = Annotated[str, Path(max_length=80)]


class Components(Body):
    """Both components of the credential one has."""

    username: Short
    password: Secret


class NewPasskey(Body):
    """What an authenticator made, base64url, and a name for it."""

    ceremony: Short
    id: Octets
    client_data: Octets
    attestation: Octets
    label: Annotated[str, Field(max_length=80)] = ""


class Listing(Body):
    """The new passkey's own signature."""

    answer: Answer


class Withdrawal(Body):
    """Why a passkey is withdrawn."""

    reason: Annotated[str, Field(max_length=4000)]


class Code(Body):
    """A code of the app that is being added."""

    ceremony: Short
    code: Annotated[str, Field(max_length=20, repr=False)]


class PasskeySignIn(Body):
    """A passkey's answer to a challenge, and the place."""

    answer: Answer
    workstation: Short = ""
    zone: Short = "UTC"
    resume: bool = False


class Unlock(Body):
    """The password, or a passkey's answer."""

    password: Annotated[str, Field(max_length=1024, repr=False)] = ""
    answer: Answer | None = None


@router.post("/sessions/challenge")
def challenge(services: ServicesOf) -> dict[str, Any]:
    """Return what a browser asks a passkey with to sign in; nobody is named."""
    return credentials.challenge(services)


@router.post("/sessions/passkey", status_code=201)
def sign_in(body: PasskeySignIn, request: Request, services: ServicesOf) -> dict[str, Any]:
    """Sign in with a passkey."""
    request.state.action = "sign_in"
    place = place_of(request, body.workstation, body.zone)
    answer = credentials.answer(body.answer.model_dump())
    return signed_in(services, entering.sign_in_with_passkey(services, answer, place, resume=body.resume))


@router.post("/sessions/current/lock", status_code=204)
def lock(services: ServicesOf, session: SessionOf) -> None:
    """Lock this session."""
    credentials.desk(services).lock(session)


@router.post("/sessions/current/unlock")
def unlock(body: Unlock, request: Request, services: ServicesOf) -> dict[str, Any]:
    """Open this locked session again; it is the same session under a new token."""
    request.state.action = "unlock"
    answer = credentials.answer(body.answer.model_dump()) if body.answer else None
    return signed_in(services, entering.unlock(services, token_of(request), body.password, answer))


@router.get("/me/sessions")
def sessions(services: ServicesOf, session: SessionOf) -> list[dict[str, Any]]:
    """List your sessions that are not over."""
    found = credentials.desk(services).sessions(session.person)
    return [credentials.session_value(one, session) for one in found]


@router.post("/me/sessions/{name}/end", status_code=204)
def end(name: Name, request: Request, services: ServicesOf, session: SessionOf) -> None:
    """End a session of yours."""
    request.state.action = "end_session"
    credentials.desk(services).end(session, name)


@router.get("/me/credentials")
def own(services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Say which passkeys you have, and whether signing in asks you for a one-time code."""
    identity = services.identity
    return {"passkeys": identity.ring.told(context.person), "codes": identity.codes.has(context.person)}


@router.post("/me/passkeys/begin")
def begin(body: Components, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Begin to add a passkey: both components are asked for."""
    request.state.action = "add_passkey"
    return credentials.begin_passkey(services, context, Proof(body.username, body.password))


@router.post("/me/passkeys", status_code=201)
def register(body: NewPasskey, request: Request, services: ServicesOf, context: ContextOf) -> dict[str, Any]:
    """Take what the authenticator made; answers what the new passkey is to sign."""
    request.state.action = "add_passkey"
    return credentials.register_passkey(services, context, body.ceremony, body.model_dump(), body.label)


@router.post("/me/passkeys/{kid}/list")
def enter(
    kid: Name, body: Listing, request: Request, services: ServicesOf, context: ContextOf
) -> dict[str, Any]:
    """Enter the new passkey in your record, signed with it. A second person then verifies it."""
    request.state.action = "add_passkey"
    answer = credentials.answer(body.answer.model_dump())
    return receipt_value(credentials.list_passkey(services, context, kid, answer))


@router.post("/me/passkeys/{kid}/withdraw")
def withdraw(
    kid: Name, body: Withdrawal, request: Request, services: ServicesOf, context: ContextOf
) -> dict[str, Any]:
    """Withdraw a passkey: it opens and signs nothing from now on."""
    request.state.action = "withdraw_passkey"
    return receipt_value(credentials.withdraw_passkey(services, context, kid, body.reason))


@router.post("/me/codes/begin")
def begin_codes(
    body: Components, request: Request, services: ServicesOf, context: ContextOf
) -> dict[str, str]:
    """Begin to add an authenticator app: both components are asked for, the seed is shown once."""
    request.state.action = "add_codes"
    return credentials.begin_codes(services, context, Proof(body.username, body.password))


@router.post("/me/codes", status_code=204)
def confirm_codes(body: Code, request: Request, services: ServicesOf, context: ContextOf) -> None:
    """Confirm it with a code of the app; from now on signing in asks for one."""
    request.state.action = "add_codes"
    services.identity.codes.confirm(context, body.ceremony, body.code)


@router.post("/me/codes/remove", status_code=204)
def remove_codes(body: Components, request: Request, services: ServicesOf, context: ContextOf) -> None:
    """Remove the authenticator app: both components are asked for."""
    request.state.action = "remove_codes"
    credentials.remove_codes(services, context, Proof(body.username, body.password))


@router.post("/records/prepare")
def prepare_create(
    body: NewRecord, request: Request, services: ServicesOf, context: ContextOf, key: Key = ""
) -> dict[str, Any]:
    """Prepare what a passkey is to sign when a record is made; its ``shown`` is needed."""
    request.state.action = "create"
    wish = Wish(body.fields, body.reason, None, key, body.occurred_at)
    shown = body.signature.shown if body.signature else ""
    ready = acting.prepare_create(services, context, body.type, wish, body.number, shown)
    return credentials.asked(services, ready)


@router.post("/records/{number}/acts/{act}/prepare")
def prepare_act(
    number: Name,
    act: Name,
    body: Act,
    request: Request,
    services: ServicesOf,
    context: ContextOf,
    key: Key = "",
) -> dict[str, Any]:
    """Prepare what a passkey is to sign with an act; its ``shown`` is needed."""
    request.state.action = act
    row = row_for(request, services, number)
    wish = Wish(body.fields, body.reason, body.expected_version, key, body.occurred_at)
    shown = body.signature.shown if body.signature else ""
    return credentials.asked(services, acting.prepare_act(services, context, row, act, wish, shown))
