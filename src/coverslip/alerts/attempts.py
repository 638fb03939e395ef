"""Attempts: what the counters of failed sign-ins and signings say, made into locks, alerts and an entry.

Rules kept here (21 CFR 11.300(d)):

* An account with as many failures as lock it goes to ``locked`` by an act of the installation, which names
  count and addresses; a second person lets it in again. The alert is written before the lock.
* Nobody can lock the last person who could unlock: that account stays in force, its sign-in is refused
  until an hour has passed without an attempt, and the alert says so.
* An account that ended keeps no wrapped key; its public half stays with the record.
* What was refused more than once in a minute is entered with its count when the minute is over. Addresses
  stand there as digests: an entry cannot be taken back, and the first refusal has the address itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from coverslip.alerts.raising import Alerts
from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.identity import LOCK_AFTER, SIGN_IN, name_key
from coverslip.kernel.rows import Row
from coverslip.kernel.watching import Tried
from coverslip.records.organisation.user import TYPE as USER

KEYHOLDERS = ("SEC", "ADM")
SETTLED_S = 10
ENDED_MINUTES = 10
FLOOD_A_MINUTE = 30
"""Failed and refused attempts in a minute, counted over all, that are a flood.

Each failure costs a derivation of 0.75 to 1.6 s, and few are computed at once: 100 failures a minute cannot
be reached on a small machine, thirty can. A laboratory's own people do not fail thirty times in a minute.
"""
MOST_LISTED = 100
QUIET_S = 3600
_log = logging.getLogger("coverslip.alerts")
POSITION = "refusals"


class Counters(Protocol):
    """Reading the counters."""

    def overdrawn(self, limit: int, settled_s: int) -> Sequence[Tried]:
        """Return accounts in force with that many failures."""
        ...

    def on_ended(self, terminal: Sequence[tuple[str, str]], field: str, minutes: int) -> Sequence[Tried]:
        """Return attempts of the last minutes on names of ended accounts."""
        ...

    def destroy_keys(self, terminal: Sequence[tuple[str, str]]) -> int:
        """Destroy what is left of the keys of ended accounts."""
        ...

    def holders(self, roles: Sequence[str]) -> set[str]:
        """Return the people in force who hold one of these roles."""
        ...

    def counted(self, after: int) -> tuple[int, list[tuple[str, str, str, int]]]:
        """Return the last minute that is over, and the counts of refusals since another."""
        ...

    def position(self, name: str) -> int:
        """Return how far a duty has looked."""
        ...

    def advance(self, name: str, position: int) -> None:
        """Keep how far a duty has looked."""
        ...


class Records(Protocol):
    """Reading records."""

    def find(self, number: str, revision: int = 0) -> Row | None:
        """Return a record."""
        ...


@dataclass
class Attempts:
    """The duty over failed attempts."""

    counters: Counters
    records: Records
    door: Door
    service: Callable[[], Context]
    alerts: Alerts
    forget: Callable[[str, str], None]
    """Clears the counter (scope, key) of the last keyholder after an hour of quiet."""
    write: Callable[[str, str, dict[str, Any]], None]
    """Appends (type, act, detail) to the installation's stream."""
    now: Callable[[], str]

    name: ClassVar[str] = "attempts"
    every_s: ClassVar[float] = 5.0

    def do(self) -> None:
        """Lock what is overdrawn, tell of attempts on ended accounts, enter the counts of minutes past."""
        for found in self.counters.overdrawn(LOCK_AFTER, SETTLED_S):
            self._overdrawn(found)
        ended = [(USER.name, s.name) for s in USER.states if s.terminal]
        self.counters.destroy_keys(ended)
        for found in self.counters.on_ended(ended, "username", ENDED_MINUTES):
            self._ended(found)
        self._count()

    # --- locks ---------------------------------------------------------------------------------

    def _overdrawn(self, found: Tried) -> None:
        row = self.records.find(found.number)
        if row is None:
            return
        last = not (self.counters.holders(KEYHOLDERS) - {found.person})
        what = "sign in" if found.scope == SIGN_IN else "sign"
        places = ", ".join(found.places) or "an unknown address"
        said = f"{found.failures} failed attempts to {what} as {row.title} ({row.number})"
        if last:
            said += "; not locked, because nobody would be left to unlock it: refused until an hour is quiet"
        self.alerts.raise_alert(
            "account_locked",
            "critical",
            f"{said}.",
            [row.number],
            concerns=[row.number],
            places=found.places,
            evidence={"failures": found.failures, "scope": found.scope, "last": found.last},
            bucket=f"{row.number}/{found.scope}/v{row.version}" + (f"/{found.last[:13]}" if last else ""),
            at=found.last,
        )
        if last:
            self._release(found, str(row.fields["username"]))
            return
        reason = f"{found.failures} failed attempts to {what}, from {places}; the last at {found.last}."
        change = Change("lock", number=row.number, reason=reason, expected_version=row.version)
        try:
            self.door.submit(change, self.service())
        except EnvironmentFault:
            raise
        except CoverslipError as error:
            _log.info("lock %s: %s", row.number, error)

    def _release(self, found: Tried, username: str) -> None:
        quiet = dt.datetime.fromisoformat(self.now()) - dt.datetime.fromisoformat(found.last)
        if quiet.total_seconds() >= QUIET_S:
            self.forget(found.scope, name_key(username) if found.scope == SIGN_IN else found.person)

    # --- ended accounts ------------------------------------------------------------------------

    def _ended(self, found: Tried) -> None:
        self.alerts.raise_alert(
            "disabled_account_use",
            "critical",
            f"Somebody tried to sign in to {found.number}, which is {found.state}.",
            [found.number],
            concerns=[found.number],
            places=found.places,
            evidence={"failures": found.failures, "last": found.last},
            bucket=f"{found.number}/{found.last[:13]}",
            at=found.last,
        )

    # --- counts --------------------------------------------------------------------------------

    def _count(self) -> None:
        last, rows = self.counters.counted(self.counters.position(POSITION))
        self._flood(rows)
        many = sorted((r for r in rows if r[3] > 1), key=lambda r: (-r[3], r))
        if many:
            detail = {
                "from": min(r[0] for r in many),
                "to": max(r[0] for r in many),
                "total": sum(r[3] for r in many),
                "slots": [
                    {"minute": minute, "who": _who(who), "rule": rule[:80], "count": count}
                    for minute, who, rule, count in many[:MOST_LISTED]
                ],
                "not_listed": max(0, len(many) - MOST_LISTED),
            }
            self.write("refusal", "refusals_counted", detail)
        self.counters.advance(POSITION, last)

    def _flood(self, rows: Sequence[tuple[str, str, str, int]]) -> None:
        minutes: dict[str, int] = {}
        for minute, _, rule, count in rows:
            if rule == "sign_in_failed" or rule.startswith("THROTTLED"):
                minutes[minute] = minutes.get(minute, 0) + count
        for minute, count in sorted(minutes.items()):
            if count >= FLOOD_A_MINUTE:
                self.alerts.raise_alert(
                    "sign_in_flood",
                    "critical",
                    f"{count} failed or refused sign-ins in one minute, at {minute[:16]} UTC.",
                    evidence={"count": count, "minute": minute},
                    bucket=minute[:13],
                    at=_over(minute),
                )


def _over(minute: str) -> str:
    """Return the instant at which a minute was over."""
    moment = dt.datetime.fromisoformat(minute) + dt.timedelta(minutes=1)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _who(who: str) -> str:
    """Return an account's id as it is, an address as the digest by which it can be compared."""
    if len(who) == 36 and who.count("-") == 4:
        return who
    return f"address {hashlib.sha256(who.encode()).hexdigest()[:12]}"
