"""The worker's loop: timers that are due, and jobs whose queue is a record's own state.

Rules kept here:

* A claim is an ordinary transition: of two workers one wins, the other is told why and goes on.
* A timer is first asked for without doing it: what is not yet possible is looked at again later, and
  leaves no refusals behind.
* Everything due is found by one query, however many types and states there are.
* One job at a time per worker; more workers are more processes.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from coverslip.errors import CoverslipError, EnvironmentFault
from coverslip.kernel.change import Change, Context
from coverslip.kernel.clock import monotonic_s
from coverslip.kernel.commit import Door
from coverslip.kernel.drafts import expand
from coverslip.kernel.rows import Row

CADENCE_S = 0.5
RETRY_S = 2.0
_log = logging.getLogger("coverslip.worker")


class Records(Protocol):
    """Reading records."""

    def due(
        self, timers: Sequence[tuple[str, str, str, str]], today: str, limit: int = 100
    ) -> list[tuple[Row, str]]:
        """Return (record, act) of every timer (type, state, date field, act) whose day has come."""
        ...


class Job(Protocol):
    """Something to do for records in a state."""

    def step(self) -> bool:
        """Do one piece of work; return whether there was any."""
        ...


@runtime_checkable
class Recovering(Protocol):
    """A job that another worker may have left half done."""

    def recover(self) -> int:
        """Bring what was left to an end; return how much there was."""
        ...


@dataclass
class Work:
    """Everything a worker acts on."""

    door: Door
    records: Records
    service: Callable[[], Context]
    today: Callable[[], str]
    jobs: Sequence[Job]
    blocked: Callable[[Row, str, str], None] = lambda row, act, why: None
    """Told once a day of an act whose day is over and that is still refused, and why."""
    _waiting: dict[tuple[str, str], float] = field(default_factory=dict)
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    def due(self) -> int:
        """Do every timer transition that is due; return how many were done."""
        self._forget()
        return sum(self._act(row, act) for row, act in self.records.due(self._timers, self.today()))

    @functools.cached_property
    def _timers(self) -> list[tuple[str, str, str, str]]:
        """What the declarations leave to a day: type, state, date field, act."""
        return [
            (definition.name, state, transition.at, transition.name)
            for definition in self.door.catalogue
            for transition in definition.type.transitions
            if transition.at and "SVC" in transition.who
            for state in expand(definition, transition.from_)
        ]

    def _forget(self) -> None:
        """Drop what may be asked again, so that what was done long ago is not kept for ever."""
        now = monotonic_s()
        self._waiting = {key: until for key, until in self._waiting.items() if until > now}

    def _act(self, row: Row, act: str) -> int:
        key = (row.uid, act)
        if self._waiting.get(key, 0.0) > monotonic_s():
            return 0
        self._waiting[key] = monotonic_s() + RETRY_S
        refusal = self.door.explain(row, self.service(), act)
        if refusal is not None:
            self._tell(row, act, refusal.message)
            return 0
        try:
            change = Change(act, number=row.number, revision=row.revision, expected_version=row.version)
            self.door.submit(change, self.service())
        except EnvironmentFault:
            raise
        except CoverslipError as error:
            _log.info("timer %s %s: %s", row.number, act, error)
            return 0
        return 1

    def _tell(self, row: Row, act: str, why: str) -> None:
        """Say that what was left to a day past has not happened: nobody would look for it."""
        today = self.today()
        found = self.door.catalogue[row.type].acts[act]
        key = (row.uid, act, today)
        if str(row.fields.get(found.at, today))[:10] < today and key not in self._told:
            self._told = {one for one in self._told if one[2] == today} | {key}
            self.blocked(row, found.label, why)


def run(work: Work, stop: threading.Event) -> None:
    """Work until ``stop`` is set; a database that does not answer is tried again.

    Before anything else, once, jobs bring to an end what a worker that died left behind.
    """
    recovered = False
    while not stop.is_set():
        try:
            if not recovered:
                _recover(work.jobs)
                recovered = True
            busy = bool(work.due())
            for job in work.jobs:
                busy = job.step() or busy
        except EnvironmentFault as error:
            _log.warning("worker waits: %s", error)
            busy = False
            stop.wait(2.0)
        if not busy:
            stop.wait(CADENCE_S)


def _recover(jobs: Sequence[Job]) -> None:
    for job in jobs:
        if isinstance(job, Recovering) and (left := job.recover()):
            _log.warning("%d left behind by a worker that died, brought to an end", left)
