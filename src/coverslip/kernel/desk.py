"""The desk: a session that locks and opens again, people who take turns at one computer, one's own sessions.

Rules kept here (P11-200-a1i.1, P11-200-a2, P11-300-c.1):

* A session locks when it is left alone, or when its person says so. Locked, it shows and does nothing.
* Its own person opens it, with the secret or a passkey, nobody else; it is the same session with a new token.
* A lock ends the continuous period of signings: the next signing asks for every component.
* People see their sessions, wherever they are, and end them at once.
"""

from __future__ import annotations

from coverslip.errors import NotFound, Refused
from coverslip.kernel.accounts import Accounts, Session
from coverslip.kernel.change import Assertion
from coverslip.kernel.events import Event, Events
from coverslip.kernel.identity import Identity, SignedIn, context_of, token_hash


class Desk:
    """Locks, opens and ends sessions."""

    def __init__(self, accounts: Accounts, events: Events, identity: Identity) -> None:
        self._accounts, self._events, self._identity = accounts, events, identity

    def lock(self, session: Session) -> None:
        """Lock a session."""
        self._events.record(Event("session", "lock", {"why": "asked"}), context_of(session))
        self._accounts.lock_session(session.id)

    def locked(self, token: str) -> Session | None:
        """Return the session of a token where it is locked; ``None`` where it is open or over."""
        found = self._accounts.session_by_token(token_hash(token), used=False) if token else None
        return found if found is not None and found.locked else None

    def unlock(self, token: str, secret: str, answer: Assertion | None = None) -> SignedIn:
        """Open a locked session again for its own person, by password or by their passkey's ``answer``.

        Raises:
            Refused: AUTH_REQUIRED where there is none to open, SIG_REAUTH, THROTTLED, ACCOUNT_LOCKED,
                AUTH_SHARED where its person is at another place meanwhile.
        """
        session = self.locked(token)
        if session is None:
            raise Refused("AUTH_REQUIRED")
        return self._identity.resume(session, secret, answer)

    def sessions(self, person: str) -> list[Session]:
        """Return a person's sessions that are not over, locked ones too, oldest first."""
        return self._accounts.open_sessions_of(person)

    def end(self, acting: Session, name: str) -> None:
        """End another session of the same person. Raises ``NOT_FOUND`` for one that is not theirs."""
        found = next((s for s in self.sessions(acting.person) if s.id == name), None)
        if found is None:
            raise NotFound("NOT_FOUND", what="session", record=name[:60])
        self._events.record(Event("session", "end_session", {"session": found.id}), context_of(acting))
        self._identity.sign_out(found, "ended_by_owner")
