"""Escalating: an alert nobody acknowledged in time goes to more people; it never goes away by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.rows import Row
from coverslip.records.organisation.alert import RESPONSIBLE, TYPE as ALERT

MANAGEMENT = ("QAL", "ADM")
"""Who is told beside those responsible (21 CFR 11.300(d): "as appropriate, to organizational management")."""
_log = logging.getLogger("coverslip.alerts")


class Records(Protocol):
    """Reading records."""

    def in_state(self, kind: str, state: str, limit: int = 100) -> list[Row]:
        """Return records of a type in a state, oldest change first."""
        ...


@dataclass
class Escalation:
    """The duty over alerts that wait."""

    records: Records
    door: Door
    service: Callable[[], Context]
    now: Callable[[], str]

    name: ClassVar[str] = "escalation"
    every_s: ClassVar[float] = 30.0

    def do(self) -> None:
        """Escalate what should have been acknowledged by now."""
        now = self.now()
        for row in self.records.in_state(ALERT.name, "open", 1000):
            if str(row.fields["escalate_at"]) <= now:
                self._escalate(row)

    def _escalate(self, row: Row) -> None:
        told = list(dict.fromkeys([*row.fields["recipients"], *RESPONSIBLE, *MANAGEMENT]))
        change = Change(
            "escalate", number=row.number, fields={"recipients": told}, expected_version=row.version
        )
        try:
            self.door.submit(change, self.service())
        except EnvironmentFault:
            raise
        except CoverslipError as error:  # somebody acknowledged it at this very moment
            _log.info("escalate %s: %s", row.number, error)
