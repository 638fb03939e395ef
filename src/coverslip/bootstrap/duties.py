"""Duties: what the keeper of an installation does by itself, put together."""

from __future__ import annotations

from typing import Any

from coverslip.bootstrap.anchors import newest_token, rounds
from coverslip.bootstrap.assuring import AnchorWatch, Verification
from coverslip.bootstrap.guarding import fingerprinting
from coverslip.bootstrap.keeping import BackupDuty, DrillDuty
from coverslip.bootstrap.labs import Lab
from coverslip.bootstrap.tending import fixity
from coverslip.bootstrap.watching import watching
from coverslip.keeper.loop import Duty
from coverslip.kernel.clock import monotonic_s, wall_s
from coverslip.kernel.events import Event
from coverslip.store.counters import Purge
from coverslip.store.heads import HeadsDuty, HeadsReading
from coverslip.store.search_index import Indexing, SearchIndex
from coverslip.timekeeping.duty import Timekeeper
from coverslip.timekeeping.sources import read_sources
from coverslip.training import Assignments


def duties(lab: Lab) -> list[Duty]:
    """Return everything that has to happen by itself, most urgent first."""
    return [
        timekeeper(lab),
        *watching(lab),
        assignments(lab),
        Indexing(SearchIndex(lab.core.pool, lab.core.catalogue)),
        Purge(lab.core.pool),
        fingerprinting(lab, write_with(lab)),
        heads(lab),
        rounds(lab.core.home),
        fixity(lab),
        BackupDuty(lab),
        DrillDuty(lab),
        AnchorWatch(lab),
        Verification(lab),
    ]


def timekeeper(lab: Lab) -> Timekeeper:
    """Return the duty that measures the clock and writes heartbeats."""
    return Timekeeper(
        lab.core.clock,
        lambda: read_sources(lab.core.home.clock),
        wall_s,
        monotonic_s,
        write_with(lab),
        newest_token(lab.core.pool),
        lambda what, bucket: lab.alerts().raise_alert("clock", "critical", what, bucket=bucket),
    )


def assignments(lab: Lab) -> Assignments:
    """Return the duty that opens missing training, notices of the policy and reviews of documents."""
    return Assignments(lab.core.door, lab.core.reading, lab.service, lab.core.accounts.now)


def heads(lab: Lab) -> HeadsDuty:
    """Return the duty that enters the heads of all records each night."""
    write = write_with(lab)
    return HeadsDuty(
        HeadsReading(lab.core.pool), lambda detail: write("heads", "enter", detail), lab.core.accounts.now
    )


def write_with(lab: Lab) -> Any:
    """Return how a duty appends to the installation's stream, in the name of the installation's account."""

    def write(kind: str, act: str, detail: dict[str, Any]) -> None:
        lab.core.events.installation(Event(kind, act, detail), lab.service())

    return write
