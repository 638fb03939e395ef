"""Assurance of one process: proofs, how the installation stands, and one verification at a time.

Rules kept here: a verification on demand is the nightly one, entered the same way; it gives way to requests
while it walks; what is said to be verified carries the time at which it was.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from coverslip.application.assurance import Progress, Seal
from coverslip.bootstrap import wiring
from coverslip.bootstrap.places import read_places
from coverslip.errors import CoverslipError, EvidenceBroken, NotFound
from coverslip.kernel.change import Context
from coverslip.kernel.rows import Row
from coverslip.settings import Home
from coverslip.store import proving
from coverslip.store.accounts_sql import PostgresAccounts
from coverslip.store.clock_sql import PostgresClock
from coverslip.store.pool import Pool
from coverslip.store.proving import Proving
from coverslip.store.reading import PostgresReading

PROVED: Final = 500
"""Entries of one record that are proved one by one; the number of all is said beside them."""
VERIFY_H, FILES_DAYS, BEAT_S = 24, 92, 150
YIELD_S: Final = 0.001
"""Pause after each 256 entries of a verification: requests come first."""
_STATES = {proving.HOLDS: "verified", proving.WAITS: "waits", proving.ALTERED: "altered"}
_log = logging.getLogger("coverslip")


@dataclass
class Assurances:
    """What ``application.assurance.Assurance`` asks. ``check`` verifies everything, enters and returns it.

    ``check`` is told how to report the number of entries walked; ``name`` gives the printed name of a person;
    ``measured`` the last measurement of the clock.
    """

    home: Home
    pool: Pool
    now: Callable[[], str]
    certificates: Callable[[str], list[dict[str, Any]]]
    status: Callable[[], dict[str, Any]]
    name: Callable[[str], str]
    measured: Callable[[], dict[str, Any] | None]
    check: Callable[[Callable[[int], None]], dict[str, Any]]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _progress: Progress = field(default_factory=Progress)
    _proving: Proving | None = None

    @property
    def proving(self) -> Proving:
        """What proves; the keys of the log are read anew each time."""
        if self._proving is None:
            origin = wiring.installation(self.home).origin
            self._proving = Proving(
                self.pool, lambda: [one for one in wiring.trusted(self.home) if one.name == origin]
            )
        return self._proving

    def seal(self, row: Row) -> Seal | None:
        """Return what a record's entries say of it, computed now."""
        at = self.now()
        try:
            state, why, size = self.proving.record(row.type, row.uid)
        except EvidenceBroken as error:
            return Seal("altered", at, error.message)
        return Seal(_STATES[state], at, why, size)

    def entry(self, index: int) -> dict[str, Any] | None:
        """Return the proof of an entry with its checkpoint."""
        try:
            found = self.proving.entry(index)
        except EvidenceBroken as error:
            return {"state": proving.ALTERED, "why": error.message, "path": (), "checkpoint": None}
        if found is None:
            return None
        proof, signed = found
        return proof.value() | {"checkpoint": signed.value() if signed else None}

    def record(self, row: Row) -> dict[str, Any]:
        """Return seal, checkpoint and the proofs of the newest entries, newest first."""
        seal = self.seal(row)
        try:
            proofs, signed, count = self.proving.entries(row.uid, PROVED)
        except EvidenceBroken:
            proofs, signed, count = [], None, 0
        return {
            "seal": seal, "count": count, "entries": [one.value() for one in reversed(proofs)],
            "checkpoint": signed.value() if signed else None,
        }  # fmt: skip

    def proof(self, row: Row) -> str:
        """Return the proofs of a record as text. Raises ``NOT_FOUND`` where none of it can be proven."""
        proofs, signed, _ = self.proving.entries(row.uid, PROVED)
        found = [self.proving.text(one, signed) for one in proofs if signed and one.state == proving.HOLDS]
        if not found:
            raise NotFound("NOT_FOUND", what="proof", record=row.label)
        return "\n".join(found)

    # --- how it stands --------------------------------------------------------------------------

    def standing(self) -> dict[str, Any]:
        """Return ``verification``, ``backup``, ``drill``, ``files`` and ``clock``, each with its limit."""
        places = read_places(self.home)
        backups = self.certificates("backup")
        checks = [one for one in self.certificates("verification") if one["act"] == "checked"]
        files = [one for one in self.certificates("vault") if one["act"] == "report"]
        return {
            "verification": self._aged(checks, VERIFY_H * 3600 * 1.5),
            "backup": self._aged(
                [b for b in backups if b["act"] == "backup_made"], places.every_hours * 3600 * 1.5
            ),
            "drill": self._aged(
                [b for b in backups if b["act"] == "restore_drill"], places.drill_days * 86400
            ),
            "files": self._aged(files, FILES_DAYS * 86400),
            "clock": self._clock(),
            "checks": checks[:20],
        }

    def _aged(self, found: list[dict[str, Any]], limit_s: float) -> dict[str, Any]:
        """Return the newest of a kind with its age, and whether it is older than its limit."""
        if not found:
            return {"late": True, "limit_s": round(limit_s)}
        age = self._age_s(found[0]["at"])
        return {**found[0], "age_s": round(age), "limit_s": round(limit_s), "late": age > limit_s}

    def _age_s(self, at: str) -> float:
        now = dt.datetime.fromisoformat(self.now())
        return max(0.0, (now - dt.datetime.fromisoformat(at)).total_seconds())

    def _clock(self) -> dict[str, Any]:
        """Return what was measured last; what is older than its limit says nothing of now."""
        found = self.measured()
        if found is None:
            return {"late": True, "limit_s": BEAT_S, "source": "none"}
        age = self._age_s(found["measured_at"])
        bad = age > BEAT_S or (found["source"] != "none" and not found["ok"])
        return {**found, "age_s": round(age), "limit_s": BEAT_S, "late": bad}

    # --- one verification -----------------------------------------------------------------------

    def start(self, context: Context) -> Progress:
        """Begin a verification in a thread of its own, unless one runs."""
        with self._lock:
            if self._progress.running:
                return self._progress
            self._progress = Progress(
                True, self.now(), self.name(context.person), 0, int(self.status()["size"])
            )
            threading.Thread(target=self._run, name="verification", daemon=True).start()
            return self._progress

    def progress(self) -> Progress:
        """Return how far the verification of this process is, or what the last one found."""
        with self._lock:
            return self._progress

    def _run(self) -> None:
        result: dict[str, Any] = {}
        try:
            result = self.check(self._walked)
        except CoverslipError as error:
            _log.warning("verification: %s", error.message)
            result = {"failed": error.message}
        finally:
            # Whatever ended it, it says so: nobody waits for this thread.
            result = result or {"failed": "It ended before it had looked at everything."}
            with self._lock:
                self._progress = replace(self._progress, running=False, result=result, ended=self.now())

    def _walked(self, count: int) -> None:
        with self._lock:
            self._progress = replace(self._progress, done=count, of=max(self._progress.of, count))
        time.sleep(YIELD_S)


def assurances(
    home: Home,
    reading: PostgresReading,
    accounts: PostgresAccounts,
    clock: PostgresClock,
    check: Callable[[Callable[[int], None]], dict[str, Any]],
) -> Assurances:
    """Return the assurance of a process over what it has opened."""

    def name(person: str) -> str:
        return str((accounts.account(person) or {}).get("name", ""))

    return Assurances(
        home, reading.pool, accounts.now, reading.certificates, reading.status, name, clock.read, check
    )
