"""Accounts port: sessions, wrapped keys, one-time enrolments, failed attempts.

Rules kept here: none of this is record content; every change of it goes with an entry that names
key id and public key only (LEDGER 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Session:
    """One open session. ``period`` is the id of the continuous period of signings, if one is open;
    ``period_data`` holds when it began and was last used (UTC). Times are ISO 8601."""

    id: str
    person: str
    username: str
    kind: str
    workstation: str
    address: str
    client: str
    zone: str
    opened_at: str
    seen_at: str
    expires_at: str
    period: str = ""
    data: dict[str, Any] | None = None
    key_id: str = ""
    """Key id of the passkey it was opened with; empty where with another credential."""
    locked: bool = False


class Accounts(Protocol):
    """What identity needs of the store; every method is one statement and commits by itself."""

    def now(self) -> str:
        """Return the database time, UTC, microseconds."""
        ...

    def person_by_username(self, username: str) -> tuple[str, dict[str, Any]] | None:
        """Return (person id, account data) of an active account."""
        ...

    def credential(self, person: str) -> dict[str, Any] | None:
        """Return the person's wrapped signing key, if one is enrolled and not revoked."""
        ...

    def put_credential(self, person: str, key_id: str, wrapped: dict[str, Any]) -> None:
        """Keep a wrapped key; an earlier one of the person is revoked."""
        ...

    def add_credential(self, person: str, key_id: str, wrapped: dict[str, Any]) -> None:
        """Keep a wrapped key beside what the person has; the door has yet to decide on it."""
        ...

    def keep_credential(self, person: str, key_id: str) -> None:
        """Destroy the person's wrapped keys from before this one."""
        ...

    def add_passkey(self, person: str, key_id: str, data: dict[str, Any]) -> None:
        """Keep how to find a passkey; its owner's record says what it counts. Raises DUP when known."""
        ...

    def passkeys(self, person: str) -> list[dict[str, Any]]:
        """Return ``data`` of the person's passkeys that were neither dropped nor revoked, oldest first."""
        ...

    def passkey_owner(self, credential_id: str) -> str:
        """Return whose passkey has this id (hex) of its authenticator; empty where nobody's."""
        ...

    def use_passkey(self, person: str, key_id: str, was: int, count: int, *, backed_up: bool) -> bool:
        """Note a use: counter, time, whether synchronised; false where another came between."""
        ...

    def drop_passkey(self, person: str, key_id: str) -> None:
        """Forget how to find a passkey: nothing is asked of it again."""
        ...

    def open_session(self, session: Session, token_hash: bytes) -> None:
        """Open a session known by the hash of its token."""
        ...

    def session_by_token(self, token_hash: bytes, *, used: bool = True) -> Session | None:
        """Return a session and note that it was ``used``; ``None`` when over. One left alone is locked."""
        ...

    def session_by_id(self, session: str) -> Session | None:
        """Return a live session by its id."""
        ...

    def account(self, person: str) -> dict[str, Any] | None:
        """Return ``{"username", "name", "number", "verified", "type"}`` of one that may act."""
        ...

    def device(self, number: str) -> tuple[str, dict[str, Any]] | None:
        """Return (id, data with the public key) of a device in service, by its number."""
        ...

    def sessions_of(self, person: str) -> list[Session]:
        """Return the person's live sessions."""
        ...

    def open_sessions_of(self, person: str) -> list[Session]:
        """Return the person's sessions that are not over, locked ones too, oldest first."""
        ...

    def lock_session(self, session: str) -> None:
        """Lock a session; its continuous period ends."""
        ...

    def unlock_session(self, session: str, token_hash: bytes) -> bool:
        """Open a locked session under a new token; false where it is not locked or over."""
        ...

    def seed(self, person: str) -> dict[str, Any] | None:
        """Return ``id`` and ``sealed`` of the person's seed of one-time codes, if there is one."""
        ...

    def add_seed(self, person: str, name: str, sealed: bytes, step: int) -> None:
        """Keep a sealed seed of which a code of time step ``step`` was used."""
        ...

    def use_code(self, person: str, name: str, step: int) -> bool:
        """Note that a code of a time step was used; false where that step or a later one was before."""
        ...

    def drop_seed(self, person: str, name: str) -> None:
        """Destroy a seed."""
        ...

    def close_session(self, session: str, why: str) -> None:
        """End a session."""
        ...

    def set_period(self, session: str, period: str, data: dict[str, Any]) -> None:
        """Keep or clear the continuous period of a session."""
        ...

    def sign_in_before(self, session: Session) -> dict[str, str]:
        """Return ``at``, ``workstation`` and ``address`` of the sign-in of this person before this one."""
        ...

    def last_sign_ins(self, person: str) -> dict[str, str]:
        """Return ``{"succeeded": …, "failed": …}`` before this one, UTC; absent where there was none."""
        ...

    def note_sign_in(self, person: str, *, succeeded: bool) -> None:
        """Remember the time of a sign-in attempt for the person's next one."""
        ...

    def add_enrolment(self, person: str, token_hash: bytes, created_by: str, hours: int) -> None:
        """Keep the hash of a one-time enrolment code."""
        ...

    def enrolment_of(self, token_hash: bytes) -> str:
        """Return whose an enrolment code is that still opens; empty otherwise."""
        ...

    def take_enrolment(self, token_hash: bytes) -> tuple[str, str] | None:
        """Use up an enrolment code: whose it is, and when it was taken. ``None`` when it opens nothing."""
        ...

    def failures(self, scope: str, key: str) -> int:
        """Return failed attempts counted under (scope, key) since the last success."""
        ...

    def release_enrolment(self, token_hash: bytes, taken: str) -> None:
        """Give back a code taken then for something that did not come about, unless it has ended since."""
        ...

    def enrolment_maker(self, token_hash: bytes) -> str:
        """Return who made a code (person id); empty when unknown."""
        ...

    def drop_credential(self, person: str, key_id: str) -> bool:
        """Destroy a wrapped key; false, and nothing done, where the person's record names it."""
        ...

    def origin(self) -> str:
        """Return the origin of this installation's log."""
        ...

    def add_failure(self, scope: str, key: str, place: str = "") -> int:
        """Count a failed attempt and the address it came from; return the new count."""
        ...

    def since_failure_s(self, scope: str, key: str) -> float:
        """Return seconds since the last failed attempt; 0 where there was none."""
        ...

    def clear_failures(self, scope: str, key: str) -> None:
        """Forget failed attempts after a success or an unlock."""
        ...

    def refusal_slot(self, scope: str, key: str) -> bool:
        """Return whether this (actor or address, rule, minute) has no entry yet; count it either way."""
        ...
