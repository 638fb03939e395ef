"""Watching the ledger: what new entries and alarms say that people must look at within a minute.

Rules kept here (21 CFR 11.300(d), P11-300-d.2):

* Every entry is looked at in tree order, so that none is passed over however commits overtake each other.
* The position is kept after the alerts are written; what is looked at twice raises nothing twice.
* Whoever destroyed a key or made the code of a new one is concerned like its owner, and closes no such alert.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from coverslip.alerts.raising import Alerts
from coverslip.kernel.watching import Seen
from coverslip.records.organisation.user import TYPE as USER

BURST = 10
BURST_MINUTES = 10
AGAIN = 2000
"""How many entries before the kept position are looked at again at start, for bursts under way."""
DENIED = ("AUTH_ROLE", "AUTH_SELF", "AUTH_TRAIN", "AUTH_ESIGN", "IDENTITY_NOT_VERIFIED", "AUTH_REQUIRED")
RESETS = ("reset", "report_lost")
POSITION, _ALARMS = "ledger_watch", "alarm_watch"


class Ledger(Protocol):
    """Reading what is new."""

    def size(self) -> int:
        """Return how many entries have their place in the tree."""
        ...

    def seen(self, first: int, last: int, acts: Sequence[str]) -> Iterator[Seen]:
        """Yield refusals and entries of acts, by tree index."""
        ...

    def number(self, uid: str) -> str:
        """Return the number of a record, empty when there is none."""
        ...

    def alarms(self, after: int) -> list[tuple[int, str, str]]:
        """Return (id, kind, what) of the ledger's alarms after an id."""
        ...

    def position(self, name: str) -> int:
        """Return how far a duty has looked."""
        ...

    def advance(self, name: str, position: int) -> None:
        """Keep how far a duty has looked."""
        ...


@dataclass
class Watch:
    """The duty over new entries and alarms."""

    ledger: Ledger
    alerts: Alerts

    name: ClassVar[str] = "watch"
    every_s: ClassVar[float] = 5.0

    _next: int = -1
    _denied: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def do(self) -> None:
        """Look at what is new, and tell."""
        if self._next < 0:
            self._next = max(0, self.ledger.position(POSITION) - AGAIN)
        last = self.ledger.size()
        for entry in self.ledger.seen(self._next, last, (*RESETS, "enrol", "edit")):
            self._look(entry)
        self._next = max(self._next, last)
        self.ledger.advance(POSITION, self._next)
        after = self.ledger.position(_ALARMS)
        for number, kind, what in self.ledger.alarms(after):
            self.alerts.raise_alert(
                "ledger_alarm", "critical", f"The ledger raised an alarm ({kind}): {what}", bucket=str(number)
            )
            self.ledger.advance(_ALARMS, number)

    def _look(self, entry: Seen) -> None:
        if entry.type == "refusal":
            detail = entry.sections.get("detail", {})
            handler = _REFUSALS.get(str(detail.get("code", "")))
            if handler is not None and detail.get("action") != "enrol":
                handler(self, entry, detail)
        elif entry.kind == USER.name:
            (self._edited if entry.act == "edit" else self._credentials)(entry)

    # --- refusals ------------------------------------------------------------------------------

    def _signing(self, entry: Seen, detail: Mapping[str, Any]) -> None:
        if detail.get("action") == "sign_in" or entry.act != "refused":
            return
        what = "did not prove who they are when asked to sign"
        self._about_person("wrong_signing_secret", "warning", what, entry, detail)

    def _two_places(self, entry: Seen, detail: Mapping[str, Any]) -> None:
        self._about_person("two_places", "warning", "signed in at a second place", entry, detail)

    def _about_person(
        self, kind: str, severity: str, what: str, entry: Seen, detail: Mapping[str, Any], bucket: str = ""
    ) -> None:
        number = self.ledger.number(entry.actor)
        if not number:
            return
        address = str(entry.sections.get("context", {}).get("address", ""))
        record = str(detail.get("record", ""))
        self.alerts.raise_alert(
            kind,
            severity,
            f"{number} {what}{f' ({record})' if record else ''}.",
            [number],
            concerns=[number],
            places=[address] if address else [],
            evidence={"entry": entry.entry, "code": str(detail.get("code", ""))},
            bucket=f"{number}/{bucket or entry.at[:13]}",
            at=entry.at,
        )

    def _denial(self, entry: Seen, detail: Mapping[str, Any]) -> None:
        window = _window(entry.at)
        seen = self._denied.setdefault((entry.actor, window), set())
        seen.add(entry.entry)
        if len(seen) >= BURST:
            what = f"was refused {BURST} times or more within {BURST_MINUTES} minutes"
            self._about_person("denial_burst", "warning", what, entry, detail, bucket=window)
        for key in [k for k in self._denied if k[1] < window]:
            del self._denied[key]

    def _device(self, entry: Seen, detail: Mapping[str, Any]) -> None:
        number = str(detail.get("record", ""))
        if detail.get("action") == "device_sign_in" and number:
            self.alerts.raise_alert(
                "retired_device_use",
                "warning",
                f"Something signed in as {number} and was refused: out of service, or another key.",
                evidence={"entry": entry.entry, "device": number},
                bucket=f"{number}/{entry.at[:13]}",
                at=entry.at,
            )

    # --- credentials ---------------------------------------------------------------------------

    def _credentials(self, entry: Seen) -> None:
        number = self.ledger.number(entry.uid)
        fields = entry.sections.get("content", {}).get("fields", {})
        by = self.ledger.number(entry.actor)
        if entry.act in RESETS:
            what = f"The credentials of {number} were destroyed by {by} ({entry.act.replace('_', ' ')})."
            kind, severity = "credentials_reset", "warning"
        elif len(fields.get("signing_keys", [])) > 1:
            by = str(fields.get("code_by", {}).get("number", ""))
            what, kind, severity = f"{number} enrolled a new signing key.", "key_enrolled", "notice"
        else:
            return
        self.alerts.raise_alert(
            kind,
            severity,
            what,
            [number],
            concerns=[number, by] if by else [number],
            evidence={"entry": entry.entry, "version": entry.version},
            bucket=f"{number}/v{entry.version}",
        )

    def _edited(self, entry: Seen) -> None:
        """Tell the owner what somebody else wrote about them; a changed e-mail is where a code goes."""
        number, by = self.ledger.number(entry.uid), self.ledger.number(entry.actor)
        if entry.actor == entry.uid:
            return
        said = f"printed name {entry.sections.get('content', {}).get('title', 'as before')}"
        self.alerts.raise_alert(
            "account_changed",
            "notice",
            f"The account of {number} was edited by {by or 'somebody unknown'}: {said};"
            " see whether name, e-mail and unit are right.",
            [number],
            concerns=[number, by] if by else [number],
            evidence={"entry": entry.entry, "version": entry.version},
            bucket=f"{number}/v{entry.version}",
        )


def _window(at: str) -> str:
    """Return the start of the ten minutes an instant lies in."""
    moment = dt.datetime.fromisoformat(at)
    return moment.replace(minute=moment.minute - moment.minute % BURST_MINUTES).isoformat()[:16]


_Handler = Callable[[Watch, Seen, Mapping[str, Any]], None]
_REFUSALS: Mapping[str, _Handler] = {
    "SIG_REAUTH": Watch._signing,
    "AUTH_SHARED": Watch._two_places,
    "DEVICE_UNKNOWN": Watch._device,
    **dict.fromkeys(DENIED, Watch._denial),
}
