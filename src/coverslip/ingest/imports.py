"""Manual imports: registered once a second person has verified them (P11-10-h.3).

Rules kept here: the importer never verifies; the worker only carries out what the verification allows,
and what the checks refuse stays where it is, for a person to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from coverslip.errors import Conflict, Refused
from coverslip.kernel.change import Change, Context
from coverslip.kernel.commit import Door
from coverslip.kernel.rows import Row


class Records(Protocol):
    """Reading records."""

    def in_state(self, kind: str, state: str, limit: int = 100) -> list[Row]:
        """Return records of a type in a state, oldest first."""
        ...


class Imports:
    """A job of the worker: makes verified imports available."""

    def __init__(self, door: Door, records: Records, service: Callable[[], Context]) -> None:
        self._door, self._records, self._service = door, records, service

    def step(self) -> bool:
        """Register every verified import that may be registered; return whether there was any."""
        return any([self._register(row) for row in self._records.in_state("image", "registering")])

    def _register(self, row: Row) -> bool:
        if not row.fields.get("manual_import") or not row.people.get("signed_verified"):
            return False
        if self._door.explain(row, self._service(), "accept") is not None:
            return False
        try:
            self._door.submit(
                Change("accept", number=row.number, expected_version=row.version), self._service()
            )
        except (Conflict, Refused):
            return False
        return True
