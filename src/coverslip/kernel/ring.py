"""The ring: passkeys of people, from their making to their use.

Rules kept here:

* A passkey opens and signs nothing before its owner's record lists it and a second person has verified it
  (P11-100-b, P11-200-a3.1); then as long as the record lists it, with the public key the record names.
* A challenge to sign in is the server's own, for five minutes and for one answer; it is kept nowhere.
* A new passkey is asked for only after its owner gave both components of the credential they have, or their
  passkey answered a challenge made for that.
* A passkey that has answered nothing for a year signs nothing before it was tested (P11-300-e.1); to sign in
  with it, or to answer a challenge of one's own page, is a test.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from coverslip.errors import Invalid, Refused
from coverslip.kernel import keys, passkeys
from coverslip.kernel.accounts import Accounts
from coverslip.kernel.change import Assertion, Context
from coverslip.kernel.events import Event, Events
from coverslip.kernel.passkeys import LOOPBACK, TIMEOUT_MS, Party, Passkey
from coverslip.kernel.prepared import Waiting
from coverslip.ledger.identity import uuid7

MOST_OF_ONE = 10
"""Passkeys one person keeps at most."""
_NONCE, _STAMP, _MAC = 16, 8, 16

SOON, OVERDUE = "soon", "overdue"


class Ring:
    """Passkeys: who may use which, and the ceremonies that make and prove them."""

    def __init__(
        self,
        accounts: Accounts,
        events: Events,
        now: Callable[[], str],
        party: Party = LOOPBACK,
        key: bytes = b"",
    ) -> None:
        """``now`` gives the database time; ``key`` (32 bytes) makes challenges; left out: a new one."""
        self._accounts, self._events, self._now = accounts, events, now
        self.party = party
        self._key = key or secrets.token_bytes(32)
        self._making: Waiting[bytes] = Waiting()
        self._proving: Waiting[bytes] = Waiting()

    # --- which ---------------------------------------------------------------------------------

    def held(self, person: str) -> list[Passkey]:
        """Return the passkeys kept for a person whose key id is that of their public key, oldest first."""
        found = [
            Passkey(person, d["kid"], d["public"], bytes.fromhex(d["credential_id"]), int(d["count"]), d)
            for d in self._accounts.passkeys(person)
        ]
        return [p for p in found if keys.key_id(bytes.fromhex(p.public)) == p.kid]

    def in_force(self, person: str) -> list[Passkey]:
        """Return those that count now."""
        account = self._accounts.account(person) or {}
        listed = account.get("passkeys", {}) if account.get("verified") else {}
        return [p for p in self.held(person) if listed.get(p.kid) == p.public]

    def told(self, person: str) -> list[dict[str, Any]]:
        """Return the person's listed passkeys as they are shown: key id, label, times, whether it counts.

        ``test`` says how its test stands: "" as it should, "soon" due within a month, "overdue".
        """
        account = self._accounts.account(person) or {}
        counts, waits = account.get("passkeys", {}), account.get("passkeys_waiting", {})
        today = self._now()[:10]
        return [
            {
                "kid": p.kid,
                "label": p.data.get("label", ""),
                "aaguid": p.data.get("aaguid", ""),
                "device": p.data.get("device", ""),
                "backed_up": bool(p.data.get("backed_up")),
                "count": p.count,
                "added_at": p.data["added_at"],
                "used_at": p.data.get("used_at", ""),
                "test_due": p.test_due,
                "test": _standing(p, today),
                "verified": p.kid in counts,
            }
            for p in self.held(person)
            if p.kid in counts or p.kid in waits
        ]

    # --- signing -------------------------------------------------------------------------------

    def for_signing(self, context: Context, new: Mapping[str, Any] | None = None) -> list[Passkey]:
        """Return the passkeys that may sign in this session; ``new``: only that key, which is yet to count.

        Raises ``IDENTITY_NOT_VERIFIED`` where nobody has verified what there is, ``SIG_REAUTH`` without any,
        or where every one is overdue for its test.
        """
        if new is not None:
            found = [p for p in self.held(context.person) if (p.kid, p.public) == (new["kid"], new["public"])]
        else:
            found = self.in_force(context.person)
        today = self._now()[:10]
        tested = [p for p in found if new is not None or _standing(p, today) != OVERDUE]
        if tested:
            return tested
        if found:
            raise _untested(found[-1])
        if (self._accounts.account(context.person) or {}).get("passkeys_waiting"):
            raise Refused("IDENTITY_NOT_VERIFIED", person="you since you added the passkey")
        raise passkeys.refused("You have no passkey that may sign here.")

    def answered(
        self, context: Context, challenge: bytes, assertion: Assertion, new: Mapping[str, Any] | None = None
    ) -> Passkey:
        """Return the passkey of this session's person that answered. Raises ``SIG_REAUTH``."""
        for passkey in self.for_signing(context, new):
            if passkey.credential_id == assertion.credential_id:
                return self._verified(passkey, challenge, assertion)
        raise passkeys.refused()

    def _verified(self, passkey: Passkey, challenge: bytes, assertion: Assertion) -> Passkey:
        found = passkeys.verify(self.party, passkey, challenge, assertion)
        if not self._accounts.use_passkey(
            passkey.person, passkey.kid, passkey.count, found.counter, backed_up=found.backed_up
        ):
            raise passkeys.refused()
        return passkey

    # --- proving that it is oneself, and testing -----------------------------------------------

    def ask(self, context: Context) -> tuple[str, bytes, list[Passkey]]:
        """Return what a passkey of this session's person is asked, and what it is asked of, by a name.

        Raises ``SIG_REAUTH`` where nothing counts.
        """
        found = self.in_force(context.person)
        if not found:
            raise passkeys.refused("You have no passkey that counts.")
        challenge = secrets.token_bytes(32)
        return self._proving.put(context.session, challenge), challenge, found

    def asked(self, context: Context, assertion: Assertion) -> bytes:
        """Return the challenge an answer is for, once. Raises ``SIG_REAUTH`` where none waits."""
        challenge = self._proving.take(context.session, assertion.ceremony)
        if challenge is None:
            raise passkeys.unprepared()
        return challenge

    def tested(self, context: Context, challenge: bytes, assertion: Assertion) -> Passkey:
        """Return the passkey in force that answered, overdue or not. Raises ``SIG_REAUTH``."""
        for passkey in self.in_force(context.person):
            if passkey.credential_id == assertion.credential_id:
                return self._verified(passkey, challenge, assertion)
        raise passkeys.refused()

    # --- signing in ----------------------------------------------------------------------------

    def challenge(self) -> bytes:
        """Return a challenge to sign in or to unlock with, good for five minutes and one answer."""
        body = secrets.token_bytes(_NONCE) + self._stamp().to_bytes(_STAMP, "big")
        return body + self._mac(body)

    def owner(self, assertion: Assertion) -> str:
        """Return whose passkey an answer names, whether or not it is right; empty where nobody's."""
        return self._accounts.passkey_owner(assertion.credential_id.hex())

    def opened(self, person: str, assertion: Assertion) -> Passkey:
        """Return the passkey of a person that answered a challenge made here. Raises ``SIG_REAUTH``."""
        challenge = passkeys.challenge_in(assertion)
        self._claim(challenge)
        for passkey in self.in_force(person) if person else ():
            if passkey.credential_id == assertion.credential_id:
                return self._verified(passkey, challenge, assertion)
        raise passkeys.refused()

    def _claim(self, challenge: bytes) -> None:
        body, mac = challenge[:-_MAC], challenge[-_MAC:]
        if len(challenge) != _NONCE + _STAMP + _MAC or not hmac.compare_digest(mac, self._mac(body)):
            raise passkeys.refused()
        age_s = self._stamp() - int.from_bytes(body[_NONCE:], "big")
        fresh = 0 <= age_s <= TIMEOUT_MS // 1000
        if not fresh or self._accounts.add_failure("passkey_challenge", body[:_NONCE].hex()) != 1:
            raise passkeys.refused()

    def _stamp(self) -> int:
        return int(datetime.fromisoformat(self._now()).timestamp())

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, b"coverslip-sign-in-v1\n" + body, hashlib.sha256).digest()[:_MAC]

    # --- making --------------------------------------------------------------------------------

    def begin(self, context: Context) -> dict[str, Any]:
        """Return ``ceremony`` and ``options`` for making a passkey; the caller has proved who asks.

        Raises ``VAL_FORM`` where the person has as many as one keeps.
        """
        account = self._accounts.account(context.person)
        if account is None or not account.get("verified"):
            raise Refused("IDENTITY_NOT_VERIFIED", person="you")
        known = self.held(context.person)
        if len(self.told(context.person)) >= MOST_OF_ONE:
            most = f"at most {MOST_OF_ONE}; withdraw one first"
            raise Invalid("VAL_FORM", field="passkey", expected=most, found="one more")
        challenge = secrets.token_bytes(32)
        options = passkeys.creation_options(
            self.party, challenge, context.person, account["username"], account["name"], known
        )
        return {"ceremony": self._making.put(context.session, challenge), "options": options}

    def register(
        self,
        context: Context,
        ceremony: str,
        credential_id: bytes,
        client_data: bytes,
        attestation: bytes,
        label: str,
    ) -> Passkey:
        """Keep a passkey an authenticator made; an entry says so. It counts for nothing until it is listed.

        Raises ``VAL_FORM`` when it is not what was asked, ``DUP`` for one that is known.
        """
        challenge = self._making.take(context.session, ceremony)
        if challenge is None:
            raise Invalid(
                "VAL_FORM",
                field="ceremony",
                expected="one that is open in this session",
                found="none: five minutes passed, or the server was started again. Add the passkey once more",
            )
        made = passkeys.registered(
            self.party, challenge, context.person, client_data, attestation, credential_id
        )
        data = {
            **made.data,
            "label": label,
            "public": made.public,
            "credential_id": credential_id.hex(),
            "count": made.count,
            "made": str(uuid7()),
        }
        self._accounts.add_passkey(context.person, made.kid, data)
        detail = {
            "kid": made.kid,
            "public": made.public,
            "aaguid": made.data["aaguid"],
            "device": made.data["device"],
            "backed_up": made.data["backed_up"],
        }
        self._events.record(Event("credential", "passkey_made", detail), context)
        return made


def _standing(passkey: Passkey, today: str) -> str:
    """Return how the test of a passkey stands on a day: "", "soon" or "overdue"."""
    left = (date.fromisoformat(passkey.test_due) - date.fromisoformat(today)).days
    if left < 0:
        return OVERDUE
    return SOON if left <= passkeys.WARNED_DAYS else ""


def _untested(passkey: Passkey) -> Refused:
    return Refused(
        "SIG_REAUTH",
        message=f"Your passkey last answered on {passkey.tested_at[:10]}: after {passkeys.TEST_DAYS} days"
        " without use it is tested before it signs again.",
        remedy="Open 'Passkeys and authenticator app' under your name, choose Test, and sign then.",
        rule="P11-300-e.1",
        clause="21 CFR 11.300(e)",
    )
