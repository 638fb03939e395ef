"""Measuring the clock that dates entries: the database's, against the sources, by way of this host.

Rules kept here: the offset is the database clock's, because entries are dated there; an offset whose
own error exceeds the limit is unknown, however small it looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.settings import Limits
from coverslip.timekeeping.reading import Unknown
from coverslip.timekeeping.sources import Source, ask

_LIMIT_US = round(Limits().clock_offset_max_seconds * 1e6)


@dataclass(frozen=True, slots=True)
class Measured:
    """The database clock minus the source's time, microseconds; ``why`` says why it is not known."""

    offset_us: int = 0
    error_us: int = 0
    kind: str = "none"
    server: str = ""
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether people may sign by this clock (P11-10-e.9)."""
        return self.kind != "none" and abs(self.offset_us) <= _LIMIT_US and self.error_us <= _LIMIT_US

    def value(self) -> dict[str, Any]:
        """Return the form a heartbeat carries."""
        known = (
            {"server": self.server, "error_us": self.error_us} if self.kind != "none" else {"why": self.why}
        )
        return {"off_us": self.offset_us, "src": self.kind, "ok": self.ok, **known}


def measure(
    sources: Sequence[Source], wall_s: Callable[[], float], database_s: Callable[[], float]
) -> Measured:
    """Ask the sources about this host, then compare the database's clock with this host's."""
    found = ask(sources, wall_s)
    if isinstance(found, Unknown):
        return Measured(why=found.why)
    before, database, after = wall_s(), database_s(), wall_s()
    away_us = round((database - (before + after) / 2) * 1e6)
    error_us = found.error_us + round(abs(after - before) / 2 * 1e6)
    return Measured(found.offset_us + away_us, error_us, found.kind, found.source)
