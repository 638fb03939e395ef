"""A laboratory with somebody watching: the duties over accounts, done when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from coverslip.alerts.attempts import Attempts
from coverslip.alerts.escalating import Escalation
from coverslip.alerts.watching import Watch
from coverslip.bootstrap import founding
from coverslip.kernel.events import Event
from coverslip.kernel.identity import Place
from coverslip.kernel.rows import Row
from coverslip.store.signer import read_journal
from coverslip.store.watching_sql import PostgresWatch
from fix_caller import Caller
from fix_lab import TODAY, Lab

CHECK = [{"document_kind": "passport", "manner": "in person", "on": TODAY.isoformat()}]
WRONG = "granite meadow 7 compass"
Api = Callable[[str], Caller]


@dataclass
class Watched:
    """Duties over one lab; ``look`` integrates what was written and lets every duty take one turn."""

    lab: Lab
    attempts: Attempts
    watch: Watch
    escalation: Escalation
    sequencer: Any

    def look(self) -> None:
        while self.sequencer.step(sign=False).integrated:
            pass
        self.attempts.do()
        self.watch.do()
        self.escalation.do()

    def settle(self) -> None:
        """Let the last attempts lie long enough behind."""
        self.lab.ask("update ops.throttle set since = since - interval '1 minute' returning 1")

    def of(self, kind: str, number: str = "") -> list[Row]:
        """Return the alerts of a kind, those about one record where it is given."""
        rows, _ = self.lab.reading.page("alert", "", "", "", 500)
        return [
            r
            for r in rows
            if r.fields["kind"] == kind
            and (not number or number in [link["number"] for link in r.fields["about"]])
        ]

    def guess(self, username: str, times: int, address: str = "192.0.2.1", secret: str = WRONG) -> list[str]:
        """Try to sign in; return the codes of the answers."""
        codes = []
        for _ in range(times):
            try:
                self.lab.identity.sign_in(username, secret, Place("ws", address, "t", "UTC"))
                codes.append("in")
            except Exception as error:  # whatever it is, its code is compared
                codes.append(getattr(error, "code", repr(error)))
        return codes


class _Founded:
    """The signer of a home whose database was copied: it remembers the founding, and signs nothing more."""

    def __init__(self, lab: Lab) -> None:
        self._signer, self._first = lab.signer, read_journal(lab.home.signer / "journal")[0]

    def last(self) -> Any:
        return self._first

    def vkey(self) -> str:
        return str(self._signer.vkey())


def watching(lab: Lab) -> Watched:
    """Put the duties over a lab together, as the keeper does."""
    watch = PostgresWatch(lab.accounts._pool)

    def write(kind: str, act: str, detail: dict[str, Any]) -> None:
        lab.events.installation(Event(kind, act, detail), lab.service())

    attempts = Attempts(
        counters=watch,
        records=lab.reading,
        door=lab.door,
        service=lab.service,
        alerts=lab.alerts(),
        forget=lab.accounts.clear_failures,
        write=write,
        now=lab.accounts.now,
    )
    return Watched(
        lab,
        attempts,
        Watch(watch, lab.alerts()),
        Escalation(lab.reading, lab.door, lab.service, lab.accounts.now),
        founding.sequencer_of(lab.home, _Founded(lab)),
    )


@pytest.fixture
def watched(lab: Lab) -> Iterator[Watched]:
    """The lab with its watch, looked at once, so that what was before is before."""
    found = watching(lab)
    try:
        found.look()
        yield found
    finally:
        found.sequencer.close()
    lab.ask("update ops.throttle set failures = 0, places = '{}' returning 1")
