"""Raising an alert: one record per happening, written by the installation's own service.

Rules kept here:

* The bucket is unique in the database, so that a happening looked at twice, after a crash or by two
  processes, is told once (P11-300-d.2).
* An answered alert silences nothing that came after it: what happened later than its acknowledgement is
  raised again, in a bucket of its own beside the first.
* An alert that could not be written raises: the caller tries again; nothing is dropped in silence.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from coverslip.errors import Invalid
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.records.organisation.alert import RESPONSIBLE, TYPE as ALERT

ESCALATE_AFTER_HOURS: Mapping[str, int] = {"critical": 1, "warning": 24, "notice": 24 * 7}
"""How long an alert may stay unacknowledged, by severity."""
MOST_AGAIN = 100
"""How often one bucket is raised again; each time somebody had acknowledged the one before."""


class Buckets(Protocol):
    """Looking an alert up."""

    def holder(self, scope: str, value: str) -> str:
        """Return the number of the record that holds a unique value, empty when none does."""
        ...

    def when(self, number: str, act: str) -> str:
        """Return when a record's first such act was entered, empty when it never was."""
        ...


class Alerts:
    """Raises alerts; safe for many threads and processes."""

    def __init__(
        self, door: Door, service: Callable[[], Context], buckets: Buckets, now: Callable[[], str]
    ) -> None:
        """``service`` gives the context of the installation's own account; ``now`` the database time."""
        self._door, self._service, self._buckets, self._now = door, service, buckets, now

    def raise_alert(
        self,
        kind: str,
        severity: str,
        what: str,
        about: Sequence[str] = (),
        *,
        concerns: Sequence[str] = (),
        places: Sequence[str] = (),
        evidence: Mapping[str, Any] | None = None,
        bucket: str = "",
        at: str = "",
        recipients: Sequence[str] = RESPONSIBLE,
    ) -> str:
        """Return the number of the alert of this happening, raising it if it is new.

        ``kind`` and ``severity`` are of ``records.organisation.alert``; ``about`` and ``concerns`` are record
        numbers, the latter of accounts; ``places`` are addresses, kept apart as personal. ``evidence`` is
        canonical JSON: whole numbers and text, no floats. ``bucket`` names the happening; left out it is
        kind, records and UTC day. ``at`` is when it happened, by the database's clock: where the bucket's
        alert was acknowledged before that, it is raised again. Left out, the bucket is raised once.
        ``recipients`` are the roles told.

        Raises:
            Invalid: an unknown kind or severity, or a number that does not exist.
            EnvironmentFault: the alert could not be written.
        """
        now = self._now()
        name, known = self._place(kind, about, bucket, now, at)
        if known:
            return known
        hours = ESCALATE_AFTER_HOURS.get(severity, 1)
        fields: dict[str, Any] = {
            "kind": kind,
            "severity": severity,
            "what": " ".join(what.split())[:1000],
            "about": list(dict.fromkeys(about)),
            "concerns": list(dict.fromkeys(concerns)),
            "places": [place[:100] for place in dict.fromkeys(places)],
            "bucket": name,
            "raised_at": now,
            "escalate_at": later(now, hours=hours),
            "recipients": list(recipients),
        } | ({"evidence": dict(evidence)} if evidence else {})
        try:
            receipt = self._door.submit(Change("create", ALERT.name, fields=fields), self._service())
        except Invalid as error:
            known = self._buckets.holder(f"{ALERT.name}.bucket", name) if error.code == "DUP" else ""
            if not known:
                raise
            return known
        return receipt.entries[0].number

    def _place(self, kind: str, about: Sequence[str], bucket: str, now: str, at: str) -> tuple[str, str]:
        """Return the bucket of a happening and the alert that stands for it, empty where it is new."""
        for turn in range(1, MOST_AGAIN + 1):
            name = _bucket(kind, about, bucket, now, f"#{turn}" if turn > 1 else "")
            known = self._buckets.holder(f"{ALERT.name}.bucket", name)
            if not known or not at:
                break
            answered = self._buckets.when(known, "acknowledge")
            if not answered or at <= answered:
                break
        return name, known


def _bucket(kind: str, about: Sequence[str], bucket: str, now: str, turn: str) -> str:
    name = bucket or f"{','.join(sorted(about))}/{now[:10]}"
    full = f"{kind}/{name}{turn}"
    if len(full) <= 200:
        return full
    return f"{kind}/{hashlib.sha256(full.encode()).hexdigest()}"


def later(instant: str, *, hours: int) -> str:
    """Return an instant ``hours`` later, in the same form."""
    moment = dt.datetime.fromisoformat(instant) + dt.timedelta(hours=hours)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
