"""Sessions of one process: what ``ops.session`` holds, where nothing may be written to the database.

Rules kept here, as in the database: a person's session that is left alone locks, any other ends; a locked one
shows nothing and is opened under a new token; all are over after ``SESSION_HOURS``. What a page asks by
itself is no use of a session.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from coverslip.kernel.accounts import Session
from coverslip.settings import Limits

PERSONAL = ("password", "passkey")


@dataclass
class _Held:
    session: Session
    token: bytes
    opened: float
    seen: float


class SessionsInMemory:
    """Holds sessions; safe for many threads."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        """``elapsed_s`` gives seconds that only rise."""
        self._elapsed, self._lock = elapsed_s, threading.Lock()
        self._held: dict[str, _Held] = {}

    def open(self, session: Session, token: bytes) -> None:
        """Hold a session known by the hash of its token."""
        with self._lock:
            now = self._elapsed()
            self._held[session.id] = _Held(session, token, now, now)

    def by_token(self, token: bytes, used: bool) -> Session | None:
        """Return a session that is not over, locked or not; one that is open was ``used`` by that."""
        with self._lock:
            found = next((one for one in self._there() if one.token == token), None)
            if found is not None and used and not found.session.locked:
                found.seen = self._elapsed()
            return found.session if found else None

    def by_id(self, session: str, used: bool = False) -> Session | None:
        """Return a session that is open."""
        with self._lock:
            found = next((one for one in self._there() if one.session.id == session), None)
            if found is None or found.session.locked:
                return None
            if used:
                found.seen = self._elapsed()
            return found.session

    def of(self, person: str) -> list[Session]:
        """Return the sessions of a person that are not over, locked ones too, oldest first."""
        with self._lock:
            return [one.session for one in self._there() if one.session.person == person]

    def lock(self, session: str) -> None:
        """Lock a session; its continuous period ends."""
        with self._lock:
            if session in self._held:
                self._locked(self._held[session])

    def unlock(self, session: str, token: bytes) -> bool:
        """Open a locked session under a new token; false where it is over or not locked."""
        with self._lock:
            found = next((one for one in self._there() if one.session.id == session), None)
            if found is None or not found.session.locked:
                return False
            found.session = dataclasses.replace(found.session, locked=False)
            found.token, found.seen = token, self._elapsed()
            return True

    def close(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._held.pop(session, None)

    def keep_period(self, session: str, period: str, data: dict[str, Any]) -> None:
        """Keep or clear the continuous period of a session."""
        with self._lock:
            if session in self._held:
                one = self._held[session]
                more = {**(one.session.data or {}), **data}
                one.session = dataclasses.replace(one.session, period=period, data=more)

    def _there(self) -> Iterator[_Held]:
        """Yield what is not over; what was left alone is locked, or ended, from now on."""
        now, limits = self._elapsed(), Limits()
        for one in list(self._held.values()):
            left = now - one.seen >= limits.idle_lock_minutes * 60
            if now - one.opened >= limits.session_hours * 3600 or (left and one.session.kind not in PERSONAL):
                del self._held[one.session.id]
                continue
            if left:
                self._locked(one)
            yield one

    @staticmethod
    def _locked(one: _Held) -> None:
        one.session = dataclasses.replace(one.session, locked=True, period="")
