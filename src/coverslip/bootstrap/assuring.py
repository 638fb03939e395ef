"""Assuring: the installation verifies itself each night, and watches its anchors.

Rules kept here (21 CFR 11.300(d), P11-300-d.2): what a verification found is an entry and, where it does not
hold, an alert within the same turn; a verification that could not be made is told as well, never passed over.
The first is made some minutes after a start, so that a start is not slowed by it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from coverslip.anchoring.witness_client import OTHER_HISTORY, ROLLED_BACK
from coverslip.bootstrap import anchors
from coverslip.bootstrap.labs import Lab
from coverslip.bootstrap.verifying import ACT, KIND, Verifying
from coverslip.kernel.clock import monotonic_s
from coverslip.store.certificates import Certificates

EVERY_H = 24
GRACE_S = 3600.0
"""How long a place that never kept a checkpoint may take after it was first seen before people are told."""


def last_verification(lab: Lab) -> dict[str, Any] | None:
    """Return the newest verification on the ledger: ``index``, ``at``, ``detail``; None before the first."""
    return Certificates(lab.core.pool, lab.core.facts.uuid).last(KIND, ACT)


@dataclass
class Verification:
    """The duty that verifies the ledger and replays it, once a day."""

    lab: Lab
    settle_s: float = 300.0
    name: ClassVar[str] = "verification"
    every_s: ClassVar[float] = 300.0
    _since: float = -1.0

    def do(self) -> None:
        """Verify if the last time was a day ago; enter what was found, and tell people what does not hold."""
        if self._since < 0:
            self._since = monotonic_s()
        if monotonic_s() - self._since >= self.settle_s and self._due():
            self.check()

    def check(self, told: Callable[[int], None] | None = None) -> dict[str, Any]:
        """Verify now, enter and tell; return what was entered. ``told`` hears how many were walked."""
        core = self.lab.core
        verifying = Verifying(core.home, core.facts.uuid, core.events, self.lab.service, self.lab.alerts)
        return verifying.check(told)

    def _due(self) -> bool:
        last = last_verification(self.lab)
        if last is None:
            return True
        now = dt.datetime.fromisoformat(self.lab.core.accounts.now())
        return now - dt.datetime.fromisoformat(last["at"]) >= dt.timedelta(hours=EVERY_H)


@dataclass
class AnchorWatch:
    """The duty that tells people of a place that keeps another history, or no checkpoint within its limit."""

    lab: Lab
    name: ClassVar[str] = "anchor_watch"
    every_s: ClassVar[float] = 60.0
    _seen: dict[str, float] = field(default_factory=dict)
    _behind: set[str] = field(default_factory=set)

    def do(self) -> None:
        """Raise one alert a day for each place that contradicts the log, and each that is too old."""
        core, now = self.lab.core, monotonic_s()
        with core.pool.connection() as conn:
            found = anchors.lines(core.home, conn)
        day = core.accounts.now()[:10]
        for line in found:
            name = line["name"]
            told = f"Anchor {name}: {line['sentence']}"[:1000]
            if self._contradicts(name, line.get("error", "")):
                self.lab.alerts().raise_alert("anchor", "critical", told, bucket=f"{name}/history/{day}")
            waited = now - self._seen.setdefault(name, now)
            if line["overdue"] and ("at" in line or waited >= GRACE_S):
                self.lab.alerts().raise_alert("anchor", "warning", told, bucket=f"{name}/{day}")

    def _contradicts(self, name: str, error: str) -> bool:
        """Whether a place holds another history; being ahead must be seen twice, for it may be passing."""
        ahead = ROLLED_BACK in error
        before = name in self._behind
        self._behind = self._behind | {name} if ahead else self._behind - {name}
        return OTHER_HISTORY in error or (ahead and before)
