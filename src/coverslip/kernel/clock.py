"""Time: the one place that says what o'clock it is and how far that may be trusted.

Rules kept here:

* An entry's time is the database's; this module never gives one. How far that is off is measured by
  ``timekeeping`` and kept where every process reads it.
* The clock state says by how many microseconds the host is off a named source; unknown is not fine.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class ClockState:
    """Offset to ``source`` in microseconds; ``ok`` only while it is known and within 1 s."""

    offset_us: int = 0
    source: str = "none"
    ok: bool = False

    def value(self) -> dict[str, Any]:
        """Return the form a leaf carries."""
        return {"off_us": self.offset_us, "src": self.source, "ok": self.ok}


def utc_now() -> str:
    """Return the host's time, UTC, for what is prepared before the database is asked."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def wall_s() -> float:
    """Return the host's clock in seconds since 1970, to be compared with a source; it dates nothing."""
    return time.time()


def monotonic_s() -> float:
    """Return seconds of a clock that never goes back; for periods and time-outs."""
    return time.monotonic()


def later(instant: str, seconds: float) -> str:
    """Return the time ``seconds`` after an instant, written as the database writes its own."""
    moment = dt.datetime.fromisoformat(instant) + dt.timedelta(seconds=seconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def people_time(instant: str, zone: str) -> str:
    """Return an instant as people read it: ``2026-11-20 14:32:07 UTC (09:32:07 −05:00 America/New_York)``."""
    moment = dt.datetime.fromisoformat(instant)
    text = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    try:
        local = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return text
    offset = local.strftime("%z").replace("-", "−")
    return f"{text} ({local:%H:%M:%S} {offset[:3]}:{offset[3:]} {zone})"


def known_zone(zone: str) -> bool:
    """Return whether ``zone`` names an IANA time zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
