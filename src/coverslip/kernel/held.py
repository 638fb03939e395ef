"""Held: what a door knows already of its installation and of the people in its sessions.

Rules kept here:

* An installation's name, use and id never change, so they are read once.
* What a record was after somebody's own change is held for a moment, for that session's next change of the
  same kind to that very version. The commit compares version, counters, session and authority under lock; a
  refusal is never given from what is held, but read again first.
* What a person may do is held under the epoch it was read at. The store is told the epoch and answers with
  the whole anew when it has moved or a row has begun or ended; the commit compares the epoch again under
  lock. A revocation that was acknowledged is never overlooked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from coverslip.kernel.change import Change
from coverslip.kernel.clock import later, monotonic_s
from coverslip.kernel.facts import Facts, facts_from
from coverslip.kernel.ports import Store
from coverslip.kernel.rows import Row

MOST_SESSIONS = 2048
MOST_RECORDS = 512
RECORD_S = 10.0
"""What was read longer ago is read again, so that the time of entries follows the database's clock."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Facts, and the moment they were read at, on a clock that nobody sets."""

    facts: Facts
    at_s: float


@dataclass(frozen=True, slots=True)
class _Left:
    """How a change left its record: for which act, and the facts as they are after it."""

    act: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class _Known:
    epoch: int
    until: str
    documents: list[str]
    authority: list[dict[str, Any]]

    def told(self) -> dict[str, Any]:
        value = {"epoch": self.epoch, "documents": self.documents}
        return value | ({"until": self.until} if self.until else {})


class Held:
    """One for a door; safe for many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sessions: OrderedDict[str, _Known] = OrderedDict()
        self._records: OrderedDict[tuple[str, str, int], _Left] = OrderedDict()
        self._installation: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def facts(
        self, session: str, request: Mapping[str, Any], clock: Mapping[str, Any], *, signing: bool
    ) -> Facts:
        """Read the facts of a request by a session, with the last checkpoint only for ``signing``."""
        asked = {**request, "session": session}
        known = self._known(session)
        if known is not None:
            asked["held"] = known.told()
        installation = self._installation
        if installation is not None and not signing:
            asked["lean"] = True
        value = self._store.facts(asked)
        if "authority" in value:
            self._keep(session, value)
        elif known is not None:
            value["authority"] = known.authority
        if "installation" in value:
            fixed = value["installation"]
            self._installation = {k: v for k, v in fixed.items() if k not in ("version", "leaf_hash")}
        else:
            value["installation"] = installation
        return facts_from(value, dict(clock))

    @staticmethod
    def now(reading: Reading, clock: Mapping[str, Any]) -> Facts | None:
        """Return held facts as of this moment; None when somebody's authority has ended meanwhile."""
        facts = reading.facts
        moment = later(facts.now, monotonic_s() - reading.at_s)
        if any(a.valid_to and a.valid_to <= moment for a in facts.authority):
            return None
        return replace(facts, now=moment, clock=dict(clock))

    def leave(self, session: str, change: Change, reading: Reading, row: Row) -> None:
        """Hold what a session knows of a record it has just written, by what was read before, now ``row``."""
        after = replace(reading, facts=replace(reading.facts, record=row))
        key = (session, change.number, change.revision)
        with self._lock:
            self._records[key] = _Left(change.act, after)
            self._records.move_to_end(key)
            while len(self._records) > MOST_RECORDS:
                self._records.popitem(last=False)

    def left(self, session: str, change: Change) -> Reading | None:
        """Return what is held for a change to the version that this session wrote last, once."""
        with self._lock:
            found = self._records.pop((session, change.number, change.revision), None)
        if found is None or found.act != change.act or found.reading.facts.record is None:
            return None
        age_s = monotonic_s() - found.reading.at_s
        if age_s > RECORD_S or change.expected_version != found.reading.facts.record.version:
            return None
        return found.reading

    def _known(self, session: str) -> _Known | None:
        with self._lock:
            found = self._sessions.get(session)
            if found is not None:
                self._sessions.move_to_end(session)
            return found

    def _keep(self, session: str, value: Mapping[str, Any]) -> None:
        if not value.get("session"):
            return
        known = _Known(
            int(value["epoch"]), str(value.get("until") or ""), value["needed"], value["authority"]
        )
        with self._lock:
            self._sessions[session] = known
            self._sessions.move_to_end(session)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
