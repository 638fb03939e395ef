"""Times as people type them: in the zone of their workstation, kept in UTC.

Rules kept here: a time that is typed without its zone is of the workstation's; one that names its zone is
taken as it says. What is no time goes to the door as it was typed.
"""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TYPED = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")


def _zone(name: str) -> dt.tzinfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def at_workstation(instant: str, zone: str) -> str:
    """Return an instant as an input of the workstation holds it: ``2026-11-20T09:32:07``.

    What is no instant is returned as it is.
    """
    try:
        moment = dt.datetime.fromisoformat(instant)
    except ValueError:
        return instant
    if moment.tzinfo is None:
        return instant
    return moment.astimezone(_zone(zone)).replace(tzinfo=None).isoformat()


def in_utc(text: str, zone: str) -> str:
    """Return what was typed as an instant, UTC; what is no local time is returned as it was typed."""
    if not _TYPED.fullmatch(text):
        return text
    try:
        moment = dt.datetime.fromisoformat(text.replace(" ", "T")).replace(tzinfo=_zone(zone))
        return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return text
