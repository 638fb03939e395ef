"""Entering: sign-in with both components, and the one-time code by which a person's key comes to be.

Rules kept here: what identity has recorded is not recorded a second time; a failed enrolment leaves no key.
"""

from __future__ import annotations

from typing import Any

from coverslip.application.services import Services
from coverslip.errors import CoverslipError, Refused
from coverslip.kernel.change import Assertion, Change, Context, Credential, Receipt
from coverslip.kernel.desk import Desk
from coverslip.kernel.identity import Place, SignedIn, context_of
from coverslip.kernel.rows import NIL
from coverslip.kernel.view import render, shown_hash


def sign_in(
    services: Services, username: str, password: str, place: Place, code: str = "", *, resume: bool = False
) -> SignedIn:
    """Open a session, or with ``resume`` the one its person locked at this place.

    Raises ``THROTTLED``, ``SIG_REAUTH`` (whatever was wrong), ``ACCOUNT_LOCKED``, ``AUTH_SHARED``.
    """
    wait = services.identity.delay_s(username)
    if wait:
        raise Refused("THROTTLED", seconds=wait)
    try:
        return services.identity.sign_in(username, password, place, code, resume=resume)
    except CoverslipError as error:
        raise already_recorded(error) from None


def sign_in_with_passkey(
    services: Services, answer: Assertion, place: Place, *, resume: bool = False
) -> SignedIn:
    """Open a session with a passkey's answer. Raises what ``sign_in`` raises."""
    try:
        return services.identity.sign_in_with_passkey(answer, place, resume=resume)
    except CoverslipError as error:
        raise already_recorded(error) from None


def unlock(services: Services, token: str, password: str, answer: Assertion | None = None) -> SignedIn:
    """Open a locked session again for its own person. Raises what ``Desk.unlock`` raises."""
    desk = Desk(services.accounts, services.events, services.identity)
    try:
        return desk.unlock(token, password, answer)
    except CoverslipError as error:
        if error.code == "AUTH_REQUIRED":
            raise
        raise already_recorded(error) from None


def already_recorded(error: CoverslipError) -> CoverslipError:
    """Identity records its own refusals; the handler must not write a second entry."""
    error.recorded = True
    return error


def enrol(services: Services, code: str, username: str, password: str, place: Place) -> Receipt:
    """Use a one-time code: make one's own key under one's own password and sign for it.

    Raises ``AUTH_REQUIRED`` (whatever was wrong with the code), ``THROTTLED``, ``VAL_FORM``; an error carries
    the ``context`` it happened in once the code was right.
    """
    wait = services.identity.enrolment_delay_s(username, place.address)
    if wait:
        raise Refused("THROTTLED", seconds=wait)
    begun = services.identity.begin_enrolment(code, username, password, place)
    opened, made, _ = begun
    context = context_of(opened.session)
    try:
        number = str((services.accounts.account(context.person) or {}).get("number", ""))
        row = services.reading.find(number)
        if row is None:
            raise Refused("AUTH_REQUIRED")
        shown = shown_hash(render(services.catalogue.under(row.type, row.definition), row))
        key = {
            "kid": made.kid,
            "scheme": made.wrapped["scheme"],
            "public": made.public,
            "enrolled_at": opened.session.opened_at,
        }
        fields: dict[str, Any] = {"signing_keys": [*row.fields.get("signing_keys", ()), key]}
        maker = services.accounts.account(services.identity.code_maker(code) or NIL)
        if maker is not None and maker.get("number"):
            fields["code_by"] = maker["number"]
        change = Change("enrol", number=number, fields=fields, expected_version=row.version, shown=shown)
        receipt = services.door.submit(change, context, Credential(username, password))
    except CoverslipError as error:
        services.identity.abandon_enrolment(code, begun)
        raise _recorded_as(services, error, context) from None
    else:
        services.identity.keep_enrolment(begun)
    finally:
        services.identity.sign_out(opened.session, "enrolled")
    return receipt


def _recorded_as(services: Services, error: CoverslipError, context: Context) -> CoverslipError:
    """Record a refusal in the name of who enrols, where the door has not."""
    services.events.refuse(error, context, "enrol")
    return error
