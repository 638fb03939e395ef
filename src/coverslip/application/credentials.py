"""Credentials of one's own: passkeys, one-time codes, the answers browsers give, sessions.

Rules kept here:

* What adds a credential, or makes signing in easier, asks for both components first, or for the answer of a
  passkey that stands for them; and a new passkey signs its own entry. Withdrawing a passkey asks for none: a
  lost one must go at once, and nothing is gained by it.
* A browser's binary values are base64url; what cannot be read is refused by name and never repeated.
* A passkey that its record does not take is forgotten again.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coverslip.application.services import Services
from coverslip.errors import CoverslipError, Invalid
from coverslip.kernel import passkeys
from coverslip.kernel.accounts import Session
from coverslip.kernel.change import Assertion, Change, Context, Credential, Receipt
from coverslip.kernel.commit import Ready
from coverslip.kernel.desk import Desk
from coverslip.kernel.events import Event
from coverslip.kernel.keys import PASSKEY
from coverslip.kernel.rows import Row
from coverslip.kernel.view import render, shown_hash

MOST_BYTES = 8192
WHY_WITHDRAWN = "The passkey is no longer used, or it was lost."


def desk(services: Services) -> Desk:
    """Return what locks, opens and ends sessions."""
    return Desk(services.accounts, services.events, services.identity)


# --- what browsers send ------------------------------------------------------------------------


def octets(name: str, value: Any) -> bytes:
    """Read base64url without padding. Raises ``VAL_FORM``."""
    text = value if isinstance(value, str) else ""
    try:
        if not text or len(text) > MOST_BYTES * 4 // 3:
            raise ValueError
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Invalid("VAL_FORM", field=name, expected="base64url", found="something else") from None


def answer(value: Mapping[str, Any]) -> Assertion:
    """Read the answer of ``navigator.credentials.get``. Raises ``VAL_FORM``."""
    parts = [octets(n, value.get(n)) for n in ("id", "authenticator_data", "client_data", "signature")]
    return Assertion(str(value.get("ceremony", ""))[:64], *parts)


def answer_in(text: str) -> Assertion | None:
    """Read an answer a script wrote as JSON into a form; ``None`` where it is empty. Raises ``VAL_FORM``."""
    if not text:
        return None
    return answer(written(text))


def written(text: str) -> dict[str, Any]:
    """Read an object a script wrote as JSON into a form. Raises ``VAL_FORM``."""
    try:
        value = json.loads(text[: 8 * MOST_BYTES])
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Invalid("VAL_FORM", field="passkey", expected="what a passkey gave", found="something else")
    return value


def asked(services: Services, ready: Ready) -> dict[str, Any]:
    """Return what a browser needs to let a passkey sign: the ceremony's name and the options."""
    options = passkeys.request_options(services.identity.ring.party, ready.challenge, list(ready.passkeys))
    return {"ceremony": ready.ceremony, "options": options}


def question(services: Services, context: Context) -> dict[str, Any]:
    """Return what a browser needs to let a passkey prove who is here. Raises ``SIG_REAUTH`` without any."""
    ring = services.identity.ring
    name, asked_for, known = ring.ask(context)
    return {"ceremony": name, "options": passkeys.request_options(ring.party, asked_for, known)}


def challenge(services: Services, person: str = "") -> dict[str, Any]:
    """Return what a browser needs to sign in, or of one ``person`` to unlock: the options."""
    ring = services.identity.ring
    known = ring.in_force(person) if person else []
    return {"options": passkeys.request_options(ring.party, ring.challenge(), known)}


# --- passkeys ----------------------------------------------------------------------------------


def own_record(services: Services, context: Context) -> Row:
    """Return the record of whoever asks. Raises ``VAL_FORM`` where there is none, as for a device."""
    number = str((services.accounts.account(context.person) or {}).get("number", ""))
    row = services.reading.find(number) if number else None
    if row is None or row.uid != context.person or not context.personal:
        raise Invalid("VAL_FORM", field="the account", expected="a person's", found="another")
    return row


@dataclass(frozen=True, slots=True)
class Proof:
    """That it is oneself: both components, or a passkey's answer to ``question`` in their place."""

    username: str = ""
    password: str = field(default="", repr=False)
    answer: Assertion | None = None


def prove(services: Services, context: Context, proof: Proof) -> None:
    """Return if a proof is right. Raises ``SIG_REAUTH``, ``ACCOUNT_LOCKED``, ``IDENTITY_NOT_VERIFIED``."""
    if proof.answer is not None:
        services.identity.prove_with_passkey(context, proof.answer)
    else:
        services.identity.prove(context, proof.username, proof.password)


def test_passkey(services: Services, context: Context, answered: Assertion) -> None:
    """Enter that a passkey answered when it was asked (21 CFR 11.300(e)). Raises ``SIG_REAUTH``."""
    own_record(services, context)
    found = services.identity.prove_with_passkey(context, answered)
    now = next(p for p in services.identity.ring.held(context.person) if p.kid == found.kid)
    detail = {"kid": now.kid, "count": now.count, "backed_up": bool(now.data.get("backed_up"))}
    services.events.record(Event("credential", "passkey_tested", detail), context)


def begin_passkey(services: Services, context: Context, proof: Proof) -> dict[str, Any]:
    """Ask for a new passkey, once it is proved who asks. Raises ``SIG_REAUTH``, ``ACCOUNT_LOCKED``."""
    own_record(services, context)
    prove(services, context, proof)
    return services.identity.ring.begin(context)


def register_passkey(
    services: Services, context: Context, ceremony: str, value: Mapping[str, Any], label: str
) -> dict[str, Any]:
    """Take a new passkey and prepare its own proof: what it signs is that its owner's record lists it."""
    row = own_record(services, context)
    name, client, attestation = (octets(n, value.get(n)) for n in ("id", "client_data", "attestation"))
    made = services.identity.ring.register(context, ceremony, name, client, attestation, label)
    try:
        ready = services.door.prepare(_listing(services, row, made.kid, made.public), context)
    except CoverslipError:
        services.accounts.drop_passkey(context.person, made.kid)
        raise
    return asked(services, ready) | {"kid": made.kid}


def list_passkey(services: Services, context: Context, kid: str, answered: Assertion) -> Receipt:
    """Enter a new passkey in its owner's record, signed with it. Raises what ``Door.submit`` raises."""
    row = own_record(services, context)
    held = next((p for p in services.identity.ring.held(context.person) if p.kid == kid), None)
    if held is None:
        raise Invalid("VAL_FORM", field="passkey", expected="one made in this session", found="none")
    try:
        change = _listing(services, row, held.kid, held.public)
        return services.door.submit(change, context, Credential(assertion=answered))
    except CoverslipError:
        if kid not in {key["kid"] for key in own_record(services, context).fields.get("signing_keys", ())}:
            services.accounts.drop_passkey(context.person, kid)
        raise


def _listing(services: Services, row: Row, kid: str, public: str) -> Change:
    listed = next(d for d in services.accounts.passkeys(row.uid) if d["kid"] == kid)
    key = {"kid": kid, "scheme": PASSKEY, "public": public, "enrolled_at": listed["added_at"]}
    shown = shown_hash(render(services.catalogue.under(row.type, row.definition), row))
    fields = {"signing_keys": [*row.fields.get("signing_keys", ()), key]}
    return Change("add_passkey", number=row.number, fields=fields, expected_version=row.version, shown=shown)


def withdraw_passkey(services: Services, context: Context, kid: str, why: str) -> Receipt:
    """Withdraw a passkey of one's own; it is asked for nothing again. Raises ``VAL_FORM``."""
    return withdraw_of(services, context, own_record(services, context), kid, why)


def withdraw_of(services: Services, context: Context, row: Row, kid: str, why: str) -> Receipt:
    """Withdraw a passkey from a record: its owner, or security. Raises ``AUTH_ROLE``, ``VAL_FORM``."""
    keys = row.fields.get("signing_keys", ())
    left = [key for key in keys if key["kid"] != kid]
    fields = {"signing_keys": left}
    change = Change(
        "withdraw_passkey", number=row.number, fields=fields, reason=why, expected_version=row.version
    )
    return services.door.submit(change, context)


# --- one-time codes ----------------------------------------------------------------------------


def begin_codes(services: Services, context: Context, proof: Proof) -> dict[str, str]:
    """Show a new seed, once it is proved who asks. Raises ``SIG_REAUTH``, ``DUP``."""
    own_record(services, context)
    prove(services, context, proof)
    return services.identity.codes.begin(context)


def remove_codes(services: Services, context: Context, proof: Proof) -> None:
    """End the second factor, once it is proved who asks. Raises ``SIG_REAUTH``, ``VAL_FORM``."""
    own_record(services, context)
    prove(services, context, proof)
    services.identity.codes.remove(context)


# --- sessions ----------------------------------------------------------------------------------


def session_value(session: Session, acting: Session) -> dict[str, Any]:
    """Return a session as its person sees it."""
    return {
        "session": session.id,
        "current": session.id == acting.id,
        "locked": session.locked,
        "kind": session.kind,
        "workstation": session.workstation,
        "address": session.address,
        "client": session.client,
        "opened_at": session.opened_at,
        "seen_at": session.seen_at,
    }
