"""Deliveries that were cut off and never sent again: closed, with the reason, instead of left half-done.

Rules kept here: an image whose registration stopped before its file was entered is left alone for an
hour, for the sender may send again and then goes on with it; after that it is quarantined by the
service. It never had a file, so nothing is lost by closing it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final, Protocol

from coverslip.errors import Conflict, Refused
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.rows import Row

WAIT: Final = dt.timedelta(hours=1)
REASON: Final = (
    "The delivery was cut off before its file was registered, and it was not sent again within an hour."
    " No file belongs to this record; sent again, the file becomes a new one."
)


class Records(Protocol):
    """Reading records."""

    def in_state(self, kind: str, state: str, limit: int = 100) -> list[Row]:
        """Return records of a type in a state, oldest first."""
        ...


class Unfinished:
    """A job of the worker. ``now`` returns the database's time (ISO 8601)."""

    def __init__(
        self, door: Door, records: Records, service: Callable[[], Context], now: Callable[[], str]
    ) -> None:
        self._door, self._records, self._service, self._now = door, records, service, now

    def step(self) -> bool:
        """Close every delivery that is given up; return whether there was any."""
        waiting = [row for row in self._records.in_state("image", "registering") if unfinished(row)]
        if not waiting:
            return False
        before = dt.datetime.fromisoformat(self._now()) - WAIT
        late = [row for row in waiting if dt.datetime.fromisoformat(row.changed_at) < before]
        return any([self._close(row) for row in late])

    def _close(self, row: Row) -> bool:
        change = Change("quarantine", number=row.number, reason=REASON, expected_version=row.version)
        try:
            self._door.submit(change, self._service())
        except (Conflict, Refused):  # sent again at this moment, or on hold: looked at again
            return False
        return True


def unfinished(row: Row) -> bool:
    """Whether a delivery began this record and did not get as far as its file."""
    fields = row.fields
    return fields.get("kind") == "raw" and not fields.get("delivery") and not fields.get("files")
