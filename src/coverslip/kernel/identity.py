"""Identity: signing in and out, enrolling a key, and the ceremony's side of accounts.

Rules kept here:

* An unknown name, a wrong secret and an unfinished account get the same answer after the same work: one
  derivation and the same statements (REGULATION 0.1.4). What is particular to an account is found later
  from the counters, by who watches (``alerts``).
* Five failures bring a growing delay, ten a lock that a second person lifts (P11-300-d.1); failed
  signing secrets are counted apart. An attempt is counted before it is looked at, so that guesses made
  at the same time do not outrun the count.
* A flood costs a bounded amount of work: two derivations at once, addresses served in turn (``gate``), and
  one entry for each address and minute; the counts are entered when the minute is over.
* One person is live at one place at a time, a place being workstation and address (AUTH_SHARED): the
  workstation is what the client says, the address is not.
* An enrolment stands at the same gate, its code is looked at before its secret, and attempts are counted by
  user name and address. The key made lies beside any other of its person until the door has decided.
* Who opens an enrolment code never sees or chooses the secret; signing waits for a second person's
  verification all the same (P11-200-a3.1).
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from coverslip.errors import Invalid, Refused
from coverslip.kernel import keys
from coverslip.kernel.accounts import Accounts, Session
from coverslip.kernel.change import Assertion, Context, Credential
from coverslip.kernel.clock import known_zone
from coverslip.kernel.codes import Codes
from coverslip.kernel.events import NOBODY, Event, Events
from coverslip.kernel.gate import Gate
from coverslip.kernel.passkeys import Passkey
from coverslip.kernel.ring import Ring
from coverslip.kernel.rows import NIL
from coverslip.kernel.signature import Signer, check_components
from coverslip.ledger import canonical
from coverslip.ledger.identity import uuid7
from coverslip.settings import Limits

LIMITS = Limits()
DELAY_AFTER = LIMITS.delay_after_failures
LOCK_AFTER = LIMITS.lock_after_failures
SESSION_HOURS = LIMITS.session_hours
PERIOD_IDLE_MINUTES = LIMITS.signing_period_idle_minutes
PERIOD_MAX_MINUTES = LIMITS.signing_period_max_minutes
ENROLMENT_HOURS = LIMITS.enrolment_hours
DEVICE_SKEW_S = 60
NOT_SIGNED_IN = (
    "You are not signed in: user name and password are needed, and a one-time code where you use an"
    " authenticator app; what was given did not match."
)
SIGN_IN, SIGNING, ENROLLING = "sign_in", "signing", "enrolling"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session with its bearer token, and the person's attempts before this one."""

    token: str = field(repr=False)
    session: Session
    last: dict[str, str]


class Enrolling(NamedTuple):
    """An enrolment the door has yet to decide: its session, the key made, and when its code was taken."""

    signed_in: SignedIn
    made: keys.Enrolment
    taken: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in from."""

    workstation: str
    address: str
    client: str
    zone: str


class Identity:
    """Sessions and keys of people and devices; implements the door's ``Ceremonies``."""

    def __init__(
        self,
        accounts: Accounts,
        events: Events,
        now: Callable[[], str],
        ring: Ring | None = None,
        codes: Codes | None = None,
    ) -> None:
        """``now`` gives the database time, UTC, ISO 8601; ``ring`` holds passkeys, ``codes`` seeds."""
        self._accounts, self._events, self._now = accounts, events, now
        self.ring = ring or Ring(accounts, events, now)
        self.codes = codes or Codes(accounts, events, now)
        self._gate = Gate()
        self._origin = ""

    # --- people --------------------------------------------------------------------------------

    def sign_in(
        self, username: str, secret: str, place: Place, code: str = "", *, resume: bool = False
    ) -> SignedIn:
        """Open a session with both components, and a one-time code where the person uses an app for them.

        ``resume``: open the person's locked session at this place instead, where there is one.

        Raises:
            Refused: SIG_REAUTH (whatever was wrong), THROTTLED, ACCOUNT_LOCKED, AUTH_SHARED.
        """
        name = _folded(username)
        nobody = _at(NOBODY, place)
        with self._gate.enter(place.address):
            count = self._accounts.add_failure(SIGN_IN, name_key(name), place.address)
            found = self._accounts.person_by_username(name)
            try:
                person = self._prove(found, secret, count, code)
            except Refused as error:
                self._failed_sign_in(found[0] if found else NIL, error, nobody, count)
                raise
        self._accounts.clear_failures(SIGN_IN, name_key(name))
        context = Context("", person, "password", place.workstation, place.address, place.client, place.zone)
        return self._begin(context, name, "", resume=resume)

    def _begin(self, context: Context, name: str, key_id: str, *, resume: bool) -> SignedIn:
        """Open a session for somebody who proved who they are, or the one they locked at this place."""
        self._require_one_place(context)
        last = self._accounts.last_sign_ins(context.person)
        self._accounts.note_sign_in(context.person, succeeded=True)
        locked = self._locked_at(context) if resume else None
        if locked is not None:
            return self._unlocked(locked, last)
        return self._open(context, name, context.auth, last, key_id)

    def _locked_at(self, context: Context) -> Session | None:
        """Return the newest locked session of a person at the place they are at, opened as they are now."""
        here = (context.workstation, context.address, context.auth)
        found = [
            s
            for s in self._accounts.open_sessions_of(context.person)
            if s.locked and (s.workstation, s.address, s.kind) == here
        ]
        return found[-1] if found else None

    def resume(self, session: Session, secret: str, answer: Assertion | None) -> SignedIn:
        """Open a locked session for its own person; who else tries fails as at sign-in (``Desk.unlock``)."""
        context = context_of(session)
        counted = name_key(session.username)
        wait = self.delay_s(session.username)
        if wait:
            raise Refused("THROTTLED", seconds=wait)
        with self._gate.enter(session.address):
            count = self._accounts.add_failure(SIGN_IN, counted, session.address)
            try:
                if answer is not None:
                    if count > LOCK_AFTER:
                        raise Refused("ACCOUNT_LOCKED", n=count - 1)
                    self.ring.opened(session.person, answer)
                else:
                    found = self._accounts.person_by_username(session.username)
                    self._prove(found if found and found[0] == session.person else None, secret, count, None)
            except Refused as error:
                self._failed_sign_in(session.person, error, replace(context, session=NIL), count)
                raise
        self._accounts.clear_failures(SIGN_IN, counted)
        self._require_one_place(context)
        return self._unlocked(session, {})

    def _unlocked(self, session: Session, last: dict[str, str]) -> SignedIn:
        token = secrets.token_urlsafe(32)
        if not self._accounts.unlock_session(session.id, token_hash(token)):
            raise Refused("AUTH_REQUIRED")
        self._events.record(Event("session", "unlock", {"username": session.username}), context_of(session))
        return SignedIn(token, replace(session, locked=False), last)

    def sign_in_with_passkey(self, assertion: Assertion, place: Place, *, resume: bool = False) -> SignedIn:
        """Open a session with the answer of a passkey to a challenge of ``ring.challenge``.

        Raises:
            Refused: SIG_REAUTH (whatever was wrong), ACCOUNT_LOCKED, AUTH_SHARED.
        """
        nobody = _at(NOBODY, place)
        with self._gate.enter(place.address):
            person = self.ring.owner(assertion)
            account = (self._accounts.account(person) if person else None) or {}
            name = str(account.get("username", ""))
            counted = name_key(name or assertion.credential_id.hex())
            count = self._accounts.add_failure(SIGN_IN, counted, place.address)
            try:
                if count > LOCK_AFTER:
                    raise Refused("ACCOUNT_LOCKED", n=count - 1)
                passkey = self.ring.opened(person, assertion)
            except Refused as error:
                self._failed_sign_in(person or NIL, error, nobody, count)
                raise
        self._accounts.clear_failures(SIGN_IN, counted)
        context = Context("", person, "passkey", place.workstation, place.address, place.client, place.zone)
        return self._begin(context, name, passkey.kid, resume=resume)

    def _require_one_place(self, context: Context) -> None:
        here = (context.workstation, context.address)
        for session in self._accounts.sessions_of(context.person):
            if (session.workstation, session.address) != here:
                shared = Refused("AUTH_SHARED", workstation=session.workstation or "another workstation")
                # In the name of the person: both components were right, whoever entered them.
                self._events.refuse(shared, replace(context, session=NIL), "sign_in")
                raise shared

    def _prove(
        self, found: tuple[str, dict[str, Any]] | None, secret: str, count: int, code: str | None
    ) -> str:
        """Return whose secret it is; ``code`` None: none is asked, as the session was opened with one."""
        wrapped = self._accounts.credential(found[0] if found else NIL)
        if count > LOCK_AFTER:
            raise Refused("ACCOUNT_LOCKED", n=count - 1)
        try:
            if found is not None and wrapped is not None and _in_force(wrapped, found[1]):
                keys.prove(wrapped, secret[: keys.MAX_SECRET], found[0])
                if code is None or self.codes.accepts(found[0], code):
                    return found[0]
                raise Refused("SIG_REAUTH")
            keys.burn_time(secret)
        except Refused:
            pass  # one answer for all, below
        raise Refused("SIG_REAUTH", message=NOT_SIGNED_IN)

    def _failed_sign_in(self, person: str, error: Refused, context: Context, count: int) -> None:
        self._accounts.note_sign_in(person, succeeded=False)
        if self._accounts.refusal_slot(context.address or "unknown", "sign_in_failed"):
            detail = {"code": error.code, "rule": "P11-300-d.1", "failures": count}
            self._events.record(Event("refusal", "sign_in_failed", detail), context)

    def delay_s(self, username: str) -> int:
        """Return how long an attempt for a user name still has to wait: 0, then 1, 2, 4 … at most 60 s.

        The delay runs from the last failure of that name, whoever made it.
        """
        return self._delay_s(SIGN_IN, name_key(_folded(username)))

    def enrolment_delay_s(self, username: str, address: str) -> int:
        """Return how long an enrolment of a user name from an address has to wait, as ``delay_s`` does."""
        return max(self._delay_s(ENROLLING, key) for key in _enrolling(username, address))

    def _delay_s(self, scope: str, key: str) -> int:
        failures = self._accounts.failures(scope, key)
        if failures < DELAY_AFTER:
            return 0
        delay = min(60.0, 2.0 ** min(6, failures - DELAY_AFTER))
        return max(0, math.ceil(delay - self._accounts.since_failure_s(scope, key)))

    def _open(
        self, context: Context, username: str, kind: str, last: dict[str, str], key_id: str = ""
    ) -> SignedIn:
        if not known_zone(context.zone):
            raise Invalid("VAL_FORM", field="zone", expected="an IANA time zone", found=context.zone[:60])
        token = secrets.token_urlsafe(32)
        now = self._now()
        session = Session(
            str(uuid7()),
            context.person,
            username,
            kind,
            context.workstation,
            context.address,
            context.client,
            context.zone,
            now,
            now,
            _later(now, hours=SESSION_HOURS),
            key_id=key_id,
        )
        self._accounts.open_session(session, token_hash(token))
        opened = Context(
            session.id,
            context.person,
            kind,
            context.workstation,
            context.address,
            context.client,
            context.zone,
        )
        self._events.record(
            Event(
                "session",
                "sign_in",
                {"kind": kind, "username": username} | ({"kid": key_id} if key_id else {}),
            ),
            opened,
        )
        return SignedIn(token, session, last)

    def sign_out(self, session: Session, why: str = "signed_out") -> None:
        """End a session and record it."""
        self._events.record(Event("session", "sign_out", {"why": why}), context_of(session))
        self._accounts.close_session(session.id, why)

    def session(self, token: str, *, used: bool = True) -> Session:
        """Return the live session of a bearer token of somebody who may still act.

        What a page asks for by itself, with nobody there, is no use of a session (``used`` false).

        Raises ``SESSION_LOCKED`` while it is locked, and ``AUTH_REQUIRED``, also for an account that was
        locked, reset or disabled meanwhile and a device that is out of service: reading ends with the
        account, not with the session.
        """
        found = self._accounts.session_by_token(token_hash(token), used=used) if token else None
        account = self._accounts.account(found.person) if found else None
        if found is None or account is None or not (found.kind == "device" or account.get("verified")):
            raise Refused("AUTH_REQUIRED")
        if found.locked:
            raise Refused("SESSION_LOCKED")
        return found

    # --- enrolment -----------------------------------------------------------------------------

    def invite(self, person: str, created_by: str) -> str:
        """Return a one-time enrolment code for a person's own device, valid for one day (P11-300-c.1).

        It ends every code of that person made before.
        """
        code = secrets.token_hex(24)  # no sign in it that a command line takes for an option
        self._accounts.add_enrolment(person, token_hash(code), created_by, ENROLMENT_HOURS)
        return code

    def begin_enrolment(self, code: str, username: str, secret: str, place: Place) -> Enrolling:
        """Use up a code, and every other of the same person: make their key and open a session to enrol it.

        The caller submits the enrolment to the door, then calls ``keep_enrolment``, or gives the code back
        with ``abandon_enrolment`` where the door refused. A code opens nothing once its person has enrolled:
        a key in force is replaced only after a reset, which is an entry.

        Raises:
            Refused: AUTH_REQUIRED (whatever was wrong with the code), THROTTLED.
            Invalid: VAL_FORM for a secret that is too weak; the code still serves.
        """
        kept = token_hash(code)
        with self._gate.enter(place.address):
            for key in _enrolling(username, place.address):
                self._accounts.add_failure(ENROLLING, key)
            if not self._may_enrol(self._accounts.enrolment_of(kept)):
                raise self._no_enrolment(place)
            keys.check_secret(secret, username)
            person, taken = self._accounts.take_enrolment(kept) or ("", "")
            if not self._may_enrol(person):
                raise self._no_enrolment(place)
            made = keys.enrol(secret, person)
        self._accounts.add_credential(person, made.kid, made.wrapped)
        for key in _enrolling(username, place.address):
            self._accounts.clear_failures(ENROLLING, key)
        context = Context("", person, "password", place.workstation, place.address, place.client, place.zone)
        return Enrolling(self._open(context, username.casefold(), "password", {}), made, taken)

    def _may_enrol(self, person: str) -> bool:
        account = self._accounts.account(person) if person else None
        return account is not None and not account.get("verified")

    def _no_enrolment(self, place: Place) -> Refused:
        error = Refused("AUTH_REQUIRED")
        self._events.refuse(error, _at(NOBODY, place), "enrol")
        return error

    def keep_enrolment(self, begun: Enrolling) -> None:
        """Destroy what was left of earlier keys: the door has accepted this one."""
        self._accounts.keep_credential(begun.signed_in.session.person, begun.made.kid)

    def abandon_enrolment(self, code: str, begun: Enrolling) -> None:
        """Undo what was begun: the key goes, the code serves again. What was refused is an entry already.

        Nothing is undone where a record names the key after all. The code serves again only where it is
        still this use of it that is undone, and neither a reset nor a later code has ended it.
        """
        person = begun.signed_in.session.person
        if self._accounts.drop_credential(person, begun.made.kid):
            self._accounts.clear_failures(SIGNING, person)
            self._accounts.release_enrolment(token_hash(code), begun.taken)

    def code_maker(self, code: str) -> str:
        """Return the person who made a code; they do not verify whose it became (P11-200-a3.1)."""
        return self._accounts.enrolment_maker(token_hash(code))

    # --- devices and services ------------------------------------------------------------------

    def device_session(
        self, device: str, data: dict[str, Any], statement: bytes, signed: bytes, place: Place
    ) -> SignedIn:
        """Open a session for a device that signed ``{"device","log","at","nonce"}`` with its registered key.

        ``data`` is what the device's record confers (its public key, hex). Raises ``DEVICE_UNKNOWN``.
        """
        number = str(data.get("number", ""))
        try:
            verify_device(data, signed, statement)
            value = canonical.decode(statement)
            named = isinstance(value, dict) and (value.get("device"), value.get("log")) == (
                number,
                self._log(),
            )
            fresh = named and self._fresh(value)
        except (canonical.CanonicalError, Refused):
            fresh = False
        if not fresh or not device:
            error = Refused("DEVICE_UNKNOWN", device=number or "this device", record=number[:40])
            if self._accounts.refusal_slot(place.address or "unknown", f"device_sign_in:{number[:40]}"):
                self._events.refuse(error, _at(NOBODY, place), "device_sign_in")
            error.recorded = True
            raise error
        context = Context("", device, "device", place.workstation, place.address, place.client, place.zone)
        return self._open(context, number, "device", {})

    def _log(self) -> str:
        """Return the origin of this installation's log: a statement made for another opens nothing here."""
        self._origin = self._origin or self._accounts.origin()
        return self._origin

    def _fresh(self, value: dict[str, Any]) -> bool:
        at, nonce = str(value.get("at", "")), str(value.get("nonce", ""))
        if not re.fullmatch(r"[0-9a-f]{32}", nonce) or not re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at
        ):
            return False
        skew = abs((datetime.fromisoformat(at) - datetime.fromisoformat(self._now())).total_seconds())
        return skew <= DEVICE_SKEW_S and self._accounts.add_failure("device_nonce", nonce) == 1

    def service_session(self, person: str, username: str, client: str) -> SignedIn:
        """Open a session for the installation's own service account; only processes of the home can."""
        return self._open(
            Context("", person, "service", "server", "", client, "UTC"), username, "service", {}
        )

    # --- ceremonies ----------------------------------------------------------------------------

    def signer(self, context: Context) -> Signer:
        """Return who signs in this session, with the wrapped key (``Ceremonies``).

        The attempt counts as failed until ``proved`` forgets it; ten lock signing at once, and the account
        as soon as the watch has seen it, until a second person has looked.
        """
        self._count_signing(context)
        wrapped = self._accounts.credential(context.person)
        account = self._accounts.account(context.person)
        if wrapped is None or account is None:
            raise Refused("IDENTITY_NOT_VERIFIED", person="you")
        if account.get("verified") and not _in_force(wrapped, account):
            raise Refused("IDENTITY_NOT_VERIFIED", person="you")
        return Signer(context.person, account["username"], account["name"], wrapped)

    def passkeys(
        self, context: Context, new: Mapping[str, Any] | None = None
    ) -> tuple[Signer, list[Passkey]]:
        """Return who signs in this session and the passkeys that may (``Ceremonies``)."""
        account = self._accounts.account(context.person)
        if account is None:
            raise Refused("IDENTITY_NOT_VERIFIED", person="you")
        found = self.ring.for_signing(context, new)
        return Signer(context.person, account["username"], account["name"], {}), found

    def answered(
        self, context: Context, challenge: bytes, assertion: Assertion, new: Mapping[str, Any] | None = None
    ) -> Passkey:
        """Return the passkey that answered (``Ceremonies``); counted as ``signer`` counts."""
        self._count_signing(context)
        return self.ring.answered(context, challenge, assertion, new)

    def prove(self, context: Context, username: str, secret: str) -> None:
        """Return if both components are those of this session's person; counted as a signing is.

        Raises ``SIG_REAUTH``, ``ACCOUNT_LOCKED``, ``IDENTITY_NOT_VERIFIED``.
        """
        signer = self.signer(context)
        check_components(Credential(username, secret), signer, within_period=False)
        keys.prove(dict(signer.wrapped), secret[: keys.MAX_SECRET], context.person)
        self.proved(context)

    def prove_with_passkey(self, context: Context, assertion: Assertion) -> Passkey:
        """Return the person's passkey that answered ``ring.ask``; counted and refused as ``prove`` does."""
        challenge = self.ring.asked(context, assertion)
        self._count_signing(context)
        found = self.ring.tested(context, challenge, assertion)
        self.proved(context)
        return found

    def _count_signing(self, context: Context) -> None:
        count = self._accounts.add_failure(SIGNING, context.person, context.address)
        if count > LOCK_AFTER:
            raise Refused("ACCOUNT_LOCKED", n=count - 1)

    def period(self, context: Context) -> str:
        """Return the open continuous period of this session, empty when none is (P11-200-a1i.1)."""
        session = self._accounts.session_by_id(context.session)
        if session is None or not session.period or not session.data:
            return ""
        now = datetime.fromisoformat(self._now())
        idle = now - datetime.fromisoformat(session.data["last"])
        whole = now - datetime.fromisoformat(session.data["began"])
        moved = session.data.get("address") != context.address
        if (
            moved
            or idle > timedelta(minutes=PERIOD_IDLE_MINUTES)
            or whole > timedelta(minutes=PERIOD_MAX_MINUTES)
        ):
            return ""
        return session.period

    def proved(self, context: Context) -> None:
        """Forget failed attempts: the secret was right, whatever becomes of the act."""
        self._accounts.clear_failures(SIGNING, context.person)

    def signed(self, context: Context, period: str) -> None:
        """Note a signing that was written: the first one opens the period, later ones keep it awake."""
        now = self._now()
        session = self._accounts.session_by_id(context.session)
        began = now
        if session is not None and session.period == period and session.data:
            began = session.data["began"]
        self._accounts.set_period(
            context.session, period, {"began": began, "last": now, "address": context.address}
        )


def _in_force(wrapped: dict[str, Any], account: dict[str, Any]) -> bool:
    """Whether the account is verified and this wrapped key is the one its record lists last.

    The wrapped key lies outside the ledger; what it may do is what an entry said of its public half.
    """
    return bool(account.get("verified")) and wrapped.get("kid") in account.get("kids", ())[-1:]


def _folded(username: str) -> str:
    return username.strip().casefold()[:200]


def _enrolling(username: str, address: str) -> tuple[str, str]:
    """Return the keys under which attempts to enrol are counted."""
    return f"name:{name_key(_folded(username))}", f"address:{address or 'unknown'}"


def name_key(name: str) -> str:
    """Return the key under which attempts on a folded user name are counted.

    Not the name: people type passwords where the name belongs, and a counter is no place to keep them.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def token_hash(token: str) -> bytes:
    """Return the SHA-256 under which a token or code is kept."""
    return hashlib.sha256(token.encode()).digest()


def verify_device(data: dict[str, Any], signed: bytes, message: bytes) -> None:
    """Check a device's Ed25519 signature with its registered key; raises ``DEVICE_UNKNOWN``."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(data.get("key", "")))).verify(signed, message)
    except (InvalidSignature, ValueError):
        raise Refused("DEVICE_UNKNOWN", device=str(data.get("number", "this device"))) from None


def context_of(session: Session) -> Context:
    """Return the context in which a session's acts happen."""
    return Context(
        session.id,
        session.person,
        session.kind,
        session.workstation,
        session.address,
        session.client,
        session.zone,
    )


def _at(context: Context, place: Place) -> Context:
    return Context(
        context.session,
        context.person,
        context.auth,
        place.workstation,
        place.address,
        place.client,
        place.zone,
    )


def _later(instant: str, *, hours: int) -> str:
    moment = datetime.fromisoformat(instant) + timedelta(hours=hours)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
