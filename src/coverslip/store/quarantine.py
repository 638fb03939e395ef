"""The store of an installation in quarantine: everything can be read, nothing is written.

Rules kept here:

* A command with a record version is refused with the reason of the quarantine. Events (sign-ins, views,
  exports) are no entries now: their leaves go to a file beside the logs, so that they are not unseen.
* Sessions, attempts and refusals live in this process only. Sessions from before count for nothing: the
  database they stand in is the one that is in doubt.
* Whatever else would write meets a connection that is read-only, and is refused the same way.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.kernel.accounts import Session
from coverslip.kernel.ports import Batch, Committed
from coverslip.ledger.leaf import OTHER_STREAMS, format_time
from coverslip.store.accounts_sql import IDLE_MINUTES, PostgresAccounts
from coverslip.store.ledger_sql import PostgresStore
from coverslip.store.pool import Pool

READ_ONLY: Final = "-c default_transaction_read_only=on"
"""Connection option of every connection of such a process."""


class QuarantinedStore(PostgresStore):
    """The kernel's ``Store`` that keeps events in a file and refuses everything else."""

    def __init__(self, pool: Pool, refusal: EvidenceBroken, log: Path) -> None:
        """``refusal`` is raised for every record version; ``log`` takes the leaves of events."""
        super().__init__(pool, b"")
        self._refusal, self._log, self._lock = refusal, log, threading.Lock()

    def commit(self, batch: Batch) -> Committed:
        """Keep an event in the file; raise RECOVERY_REQUIRED for anything else."""
        if any(one.kind not in OTHER_STREAMS for one in batch.entries):
            raise again(self._refusal)
        with self._lock, open(self._log, "ab") as file:
            file.writelines(one.leaf + b"\n" for one in batch.entries)
        return Committed((), format_time(batch.at), False)


class QuarantinedAccounts(PostgresAccounts):
    """The kernel's ``Accounts``: people and keys as stored, sessions and counters in memory."""

    def __init__(self, pool: Pool, refusal: EvidenceBroken, elapsed_s: Callable[[], float]) -> None:
        """``elapsed_s`` gives seconds that only rise."""
        super().__init__(pool)
        self._refusal, self._elapsed = refusal, elapsed_s
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[Session, bytes, float]] = {}
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def _one(self, sql: str, **values: Any) -> dict[str, Any] | None:
        try:
            return super()._one(sql, **values)
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise again(self._refusal) from error

    def _live(self, wanted: Callable[[Session, bytes], bool]) -> list[Session]:
        with self._lock:
            now = self._elapsed()
            self._sessions = {
                id: one for id, one in self._sessions.items() if now - one[2] < IDLE_MINUTES * 60
            }
            found = [one for one in self._sessions.values() if wanted(one[0], one[1])]
            for session, token, _ in found:
                self._sessions[session.id] = (session, token, now)
            return [session for session, _, _ in found]

    def open_session(self, session: Session, token_hash: bytes) -> None:
        """Open a session in memory."""
        with self._lock:
            self._sessions[session.id] = (session, token_hash, self._elapsed())

    def session_by_token(self, token_hash: bytes, *, used: bool = True) -> Session | None:
        """Return a live session of this process."""
        return next(iter(self._live(lambda _, token: token == token_hash)), None)

    def session_by_id(self, session: str) -> Session | None:
        """Return a live session of this process."""
        return next(iter(self._live(lambda one, _: one.id == session)), None)

    def session_alive(self, session: str) -> bool:
        """Return whether a session of this process has not ended."""
        return self.session_by_id(session) is not None

    def sessions_of(self, person: str) -> list[Session]:
        """Return the person's live sessions of this process."""
        return self._live(lambda one, _: one.person == person)

    def open_sessions_of(self, person: str) -> list[Session]:
        """Return the person's sessions of this process; none of them locks."""
        return self.sessions_of(person)

    def close_session(self, session: str, why: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session, None)

    def set_period(self, session: str, period: str, data: dict[str, Any]) -> None:
        """Keep the period with the session in memory."""
        with self._lock:
            if session in self._sessions:
                one, token, seen = self._sessions[session]
                made = dataclasses.replace(one, period=period, data={**(one.data or {}), **data})
                self._sessions[session] = (made, token, seen)

    def note_sign_in(self, person: str, *, succeeded: bool) -> None:
        """Forget it: the times shown at the next sign-in are those before the quarantine."""

    def failures(self, scope: str, key: str) -> int:
        """Return failed attempts of this process."""
        with self._lock:
            return self._failures.get((scope, key), (0, 0.0))[0]

    def add_failure(self, scope: str, key: str, place: str = "") -> int:
        """Count a failed attempt; return the new count."""
        with self._lock:
            count = self._failures.get((scope, key), (0, 0.0))[0] + 1
            self._failures[scope, key] = (count, self._elapsed())
            return count

    def since_failure_s(self, scope: str, key: str) -> float:
        """Return seconds since the last failed attempt; 0 where there was none."""
        with self._lock:
            found = self._failures.get((scope, key))
            return 0.0 if found is None else self._elapsed() - found[1]

    def clear_failures(self, scope: str, key: str) -> None:
        """Forget failed attempts."""
        with self._lock:
            self._failures.pop((scope, key), None)

    def use_passkey(self, person: str, key_id: str, was: int, count: int, *, backed_up: bool) -> bool:
        """Note in memory that a passkey was used at a count; false where it was before."""
        return count == 0 or self.add_failure("passkey_used", f"{key_id}:{count}") == 1

    def use_code(self, person: str, name: str, step: int) -> bool:
        """Note in memory that a code of a step was used; false where it was before."""
        return self.add_failure("code_used", f"{name}:{step}") == 1

    def refusal_slot(self, scope: str, key: str) -> bool:
        """Return whether this is the first refusal of its kind in this process."""
        return self.add_failure("refusal", f"{scope}\n{key}") == 1


def again(refusal: EvidenceBroken) -> EvidenceBroken:
    """Return the refusal anew: an error is raised once."""
    values = {name: value for name, value in refusal.values.items() if name != "record"}
    return EvidenceBroken(refusal.code, message=refusal.message, **values)
