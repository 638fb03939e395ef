"""The store of an installation in quarantine: everything can be read, nothing is written.

Rules kept here:

* A command with a record version is refused with the reason of the quarantine. Events (sign-ins, views,
  exports) are no entries now: their leaves go to a file beside the logs, so that they are not unseen.
* Sessions, attempts and refusals live in this process only; they lock, open and end as ever. Sessions from
  before count for nothing: the database they stand in is the one that is in doubt.
* Whatever else would write meets a connection that is read-only, and is refused the same way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from coverslip.errors import EvidenceBroken
from coverslip.kernel.accounts import Session
from coverslip.kernel.ports import Batch, Committed
from coverslip.ledger.leaf import OTHER_STREAMS, format_time
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.ledger_sql import PostgresStore
from coverslip.store.pool import Pool
from coverslip.store.sessions_in_memory import SessionsInMemory

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
        self._sessions = SessionsInMemory(elapsed_s)
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}

    def _one(self, sql: str, **values: Any) -> dict[str, Any] | None:
        try:
            return super()._one(sql, **values)
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise again(self._refusal) from error

    def open_session(self, session: Session, token_hash: bytes) -> None:
        """Open a session in memory."""
        self._sessions.open(session, token_hash)

    def session_by_token(self, token_hash: bytes, *, used: bool = True) -> Session | None:
        """Return a session of this process and note that it was ``used``; one left alone is locked by now."""
        return self._sessions.by_token(token_hash, used)

    def session_by_id(self, session: str) -> Session | None:
        """Return a live session of this process."""
        return self._sessions.by_id(session)

    def session_alive(self, session: str) -> bool:
        """Return whether a session of this process has not ended, noting that it was used."""
        return self._sessions.by_id(session, used=True) is not None

    def sessions_of(self, person: str) -> list[Session]:
        """Return the person's live sessions of this process."""
        return [one for one in self._sessions.of(person) if not one.locked]

    def open_sessions_of(self, person: str) -> list[Session]:
        """Return the person's sessions of this process that are not over, locked ones too."""
        return self._sessions.of(person)

    def lock_session(self, session: str) -> None:
        """Lock a session; its continuous period ends."""
        self._sessions.lock(session)

    def unlock_session(self, session: str, token_hash: bytes) -> bool:
        """Open a locked session under a new token; false where it is over."""
        self._sessions.lock(session)
        return self._sessions.unlock(session, token_hash)

    def close_session(self, session: str, why: str) -> None:
        """End a session."""
        self._sessions.close(session)

    def set_period(self, session: str, period: str, data: dict[str, Any]) -> None:
        """Keep the period with the session in memory."""
        self._sessions.keep_period(session, period, data)

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
