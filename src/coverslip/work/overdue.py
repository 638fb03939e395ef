"""Overdue: records whose day has passed raise an alert on the day after, after a week and after two.

Rules kept here: one alert per record, due date and step, however often it is looked at; found late, only the
step reached is told. Told are the roles that could take the record on, later quality and its lead too; the
owner is named, so that it is among what concerns them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from coverslip.kernel.definition import Catalogue
from coverslip.kernel.rows import Row
from coverslip.kernel.waiting import Want
from coverslip.work import waiting
from coverslip.work.mine import overdue_days

STEPS = ((14, "critical", ("QA", "QAL")), (7, "warning", ("QA",)), (1, "notice", ()))
"""From how many days on, how grave, and who is told beside those who could act."""
MOST = 1000


class Reading(Protocol):
    """Reading what is overdue."""

    def overdue(self, wants: Sequence[Want], before: str, limit: int) -> list[tuple[Row, str]]:
        """Return records whose date lies on or before a day, and the date, oldest first."""
        ...


class Telling(Protocol):
    """Raising alerts."""

    def raise_alert(
        self,
        kind: str,
        severity: str,
        what: str,
        about: Sequence[str] = (),
        *,
        concerns: Sequence[str] = (),
        bucket: str = "",
        recipients: Sequence[str] = (),
    ) -> str:
        """Raise an alert, once per bucket."""
        ...


@dataclass
class Overdue:
    """The duty over due dates. ``apart`` are types whose own duty tells."""

    catalogue: Catalogue
    reading: Reading
    alerts: Telling
    today: Callable[[], str]
    apart: Sequence[str] = ()

    name: ClassVar[str] = "overdue"
    every_s: ClassVar[float] = 3600.0

    def do(self) -> None:
        """Tell of every record whose day has passed."""
        today = self.today()
        asked = [want for want in waiting.due(self.catalogue) if want.type not in self.apart]
        for row, due in self.reading.overdue(asked, today, MOST):
            days = overdue_days(due, today)
            step = next((step for step in STEPS if days >= step[0]), None)
            if step is not None and not row.content.get("sandbox"):
                self._tell(row, due, days, *step)

    def _tell(self, row: Row, due: str, days: int, step: int, severity: str, more: Sequence[str]) -> None:
        definition = self.catalogue[row.type]
        roles = {r for a in waiting.acts(definition, row.state) for r in waiting.by_role(a, row.state)}
        owner = row.fields.get("owner") or {}
        named = [str(owner["number"])] if isinstance(owner, dict) and owner.get("type") == "user" else []
        self.alerts.raise_alert(
            "overdue",
            severity,
            f"{row.label} ({row.title[:200]}) was due on {due} and is {row.state.replace('_', ' ')},"
            f" {days} day{'s' if days > 1 else ''} late.",
            [row.label],
            concerns=named,
            bucket=f"{row.label}/{due}/{step}",
            recipients=sorted({*roles, *more}) or ("QA",),
        )
