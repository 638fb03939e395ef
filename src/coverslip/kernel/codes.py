"""One-time codes from a person's authenticator app (RFC 6238), a second factor at sign-in.

Rules kept here (P11-300-c, P11-300-d):

* The seed is kept encrypted under a key of the home, bound to its person; it is shown once, to its owner.
* A code serves once: an answer for a time step that was used, or an earlier one, is refused.
* A code is one of the components of a sign-in and counts as the password does; it signs nothing.
* Who adds or removes it gives both components of the credential they have; each is an entry.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from coverslip.errors import EnvironmentFault, Invalid
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Context
from coverslip.kernel.events import Event, Events
from coverslip.kernel.prepared import Waiting
from coverslip.ledger.identity import uuid7

STEP_S, DIGITS, AROUND = 30, 6, 1
"""Length of a time step, digits of a code, and how many steps a clock may be away."""
_SEED, _NONCE = 20, 12


class Codes:
    """Seeds of people and what they give."""

    def __init__(
        self,
        accounts: Accounts,
        events: Events,
        now: Callable[[], str],
        issuer: str = "Coverslip",
        key: bytes = b"",
    ) -> None:
        """``now`` gives the database time; ``key`` (32 bytes) is the home's, left out: a new one."""
        self._accounts, self._events, self._now, self._issuer = accounts, events, now, issuer
        secret = key or secrets.token_bytes(32)
        self._aead = AESGCM(hmac.new(secret, b"coverslip-one-time-codes-v1", hashlib.sha256).digest())
        self._making: Waiting[bytes] = Waiting()

    def has(self, person: str) -> bool:
        """Return whether a sign-in of this person asks for a code."""
        return self._accounts.seed(person) is not None

    def accepts(self, person: str, code: str) -> bool:
        """Return whether a code is right now, and use it up; true without one where none is asked."""
        kept = self._accounts.seed(person)
        if kept is None:
            return True
        step = self._step_of(self._open(person, kept), code)
        return step is not None and self._accounts.use_code(person, str(kept["id"]), step)

    def begin(self, context: Context) -> dict[str, str]:
        """Return ``ceremony``, ``secret`` (base32), ``uri`` and ``svg`` for an authenticator app.

        Nothing is asked for before ``confirm``; the caller has proved both components. Raises ``DUP``.
        """
        if self.has(context.person):
            raise Invalid("DUP", what="An authenticator app", existing="the one you have")
        seed = secrets.token_bytes(_SEED)
        account = self._accounts.account(context.person) or {}
        uri = _totp(seed).get_provisioning_uri(str(account.get("username", "")), self._issuer)
        return {
            "ceremony": self._making.put(context.session, seed),
            "secret": base64.b32encode(seed).decode().rstrip("="),
            "uri": uri,
            "svg": picture(uri),
        }

    def confirm(self, context: Context, ceremony: str, code: str) -> None:
        """Keep what was begun, once its owner gives a code of it; an entry says so.

        Raises ``VAL_FORM`` for another code, or a ceremony that is over; ``DUP`` for a second app.
        """
        seed = self._making.take(context.session, ceremony)
        step = self._step_of(seed, code) if seed is not None else None
        if seed is None or step is None:
            raise Invalid(
                "VAL_FORM",
                field="code",
                expected="the code your authenticator app shows now",
                found="another",
            )
        if self.has(context.person):
            raise Invalid("DUP", what="An authenticator app", existing="the one you have")
        name, nonce = str(uuid7()), secrets.token_bytes(_NONCE)
        sealed = nonce + self._aead.encrypt(nonce, seed, _bound(context.person, name))
        self._accounts.add_seed(context.person, name, sealed, step)
        self._events.record(Event("credential", "codes_added", {"id": name}), context)

    def remove(self, context: Context) -> None:
        """End the second factor; an entry says so. The caller has proved both components."""
        kept = self._accounts.seed(context.person)
        if kept is None:
            raise Invalid("VAL_FORM", field="codes", expected="an authenticator app", found="none")
        self._accounts.drop_seed(context.person, str(kept["id"]))
        self._events.record(Event("credential", "codes_removed", {"id": str(kept["id"])}), context)

    def _open(self, person: str, kept: dict[str, Any]) -> bytes:
        sealed = bytes(kept["sealed"])
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(person, str(kept["id"])))
        except InvalidTag:
            raise EnvironmentFault(
                "ENVIRONMENT",
                what="the seed of one-time codes",
                expected="one sealed with this home's credential.key",
                found="another",
                remedy="Restore credential.key, or reset the person's credentials.",
            ) from None

    def _step_of(self, seed: bytes, code: str) -> int | None:
        """Return the time step a code is of, among those around now."""
        given = code.replace(" ", "")
        now = int(datetime.fromisoformat(self._now()).timestamp()) // STEP_S
        found = None
        for step in range(now - AROUND, now + AROUND + 1):
            if hmac.compare_digest(_totp(seed).generate(step * STEP_S), given.encode()):
                found = step
        return found


def _totp(seed: bytes) -> TOTP:
    # SHA-1 is what authenticator apps compute; its weakness is no weakness of HMAC.
    return TOTP(seed, DIGITS, SHA1(), STEP_S)  # noqa: S303


def _bound(person: str, name: str) -> bytes:
    """Associated data: a seed moved to another person's row does not open."""
    return f"coverslip-seed-v1\n{person}\n{name}".encode()


def picture(uri: str) -> str:
    """Return a QR code as an SVG element; it holds shapes only."""
    out = io.BytesIO()
    segno.make(uri, error="m").save(out, kind="svg", xmldecl=False, svgns=True, scale=4, border=2)
    return out.getvalue().decode()
