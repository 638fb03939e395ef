"""Watching: the duties over accounts and alerts, put together."""

from __future__ import annotations

from typing import Any

from coverslip.alerts.attempts import Attempts
from coverslip.alerts.escalating import Escalation
from coverslip.alerts.watching import Watch
from coverslip.bootstrap.labs import Lab
from coverslip.keeper.loop import Duty
from coverslip.kernel.events import Event
from coverslip.kernel.rows import Row
from coverslip.review.access import AccessReviews
from coverslip.store.unique_sql import PostgresUnique
from coverslip.store.watching_sql import PostgresWatch
from coverslip.store.work_sql import PostgresWork
from coverslip.work import Overdue


def _reviews(lab: Lab) -> AccessReviews:
    c = lab.core

    def overdue(row: Row) -> None:
        lab.alerts().raise_alert(
            "access_review_overdue",
            "warning",
            f"{row.number} ({row.title}) was to be closed by {row.fields['due_on']} and is {row.state}.",
            [row.number],
            bucket=f"{row.number}/{row.state}",
        )

    holder = PostgresUnique(c.pool).holder
    return AccessReviews(c.door, c.reading, lab.service, c.accounts.now, c.facts.created_at, holder, overdue)


def watching(lab: Lab) -> list[Duty]:
    """Return what watches over accounts, tells people, and goes on telling."""
    c = lab.core
    watch = PostgresWatch(c.pool)

    def write(kind: str, act: str, detail: dict[str, Any]) -> None:
        c.events.installation(Event(kind, act, detail), lab.service())

    attempts = Attempts(
        counters=watch,
        records=c.reading,
        door=c.door,
        service=lab.service,
        alerts=lab.alerts(),
        forget=c.accounts.clear_failures,
        write=write,
        now=c.accounts.now,
    )
    return [
        attempts,
        Watch(watch, lab.alerts()),
        Escalation(c.reading, c.door, lab.service, c.accounts.now),
        _reviews(lab),
        Overdue(
            c.catalogue, PostgresWork(c.pool), lab.alerts(), lambda: c.accounts.now()[:10], ("access_review",)
        ),
    ]
