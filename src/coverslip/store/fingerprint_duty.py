"""Keeping the fingerprint: at start and every hour it goes on the record, changed or not.

Rules kept here: every turn writes one entry, so that its absence shows too; what deviates is told as an
alert once a day, after the entry is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from coverslip.store import fingerprint
from coverslip.store.fingerprint import Difference, Fingerprint
from coverslip.store.fingerprint_log import KIND, Recorded, detail, replaced

HOUR_S = 3600.0


class FingerprintDuty:
    """Enters the schema's fingerprint."""

    name = "fingerprint"
    every_s = HOUR_S

    def __init__(
        self,
        look: Callable[[], tuple[Fingerprint, Sequence[Recorded]]],
        write: Callable[[str, str, dict[str, Any]], None],
        tell: Callable[[Sequence[Difference]], None],
    ) -> None:
        """``look`` reads the database and the entries; ``write`` appends; ``tell`` raises an alert."""
        self._look, self._write, self._tell = look, write, tell

    def do(self) -> None:
        """Write one entry; tell people when a guard, or PostgreSQL itself, is not as it was."""
        found, known = self._look()
        act, value = detail(found, known[-1] if known else None)
        self._write(KIND, act, value)
        differing = [*(fingerprint.deviations(found) or ())]
        system = replaced(known, found)
        if system is not None:
            differing.append(system)
        if differing:
            self._tell(differing)
