"""When something happened, as a person says it, beside the time it was recorded (DOMAIN 1.3).

Rules kept here: what a person enters never replaces the server's time; nothing happens in the future; more
than 15 minutes before it is recorded is a late entry, and is marked so for ever.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from coverslip.errors import Invalid

LATE_AFTER = dt.timedelta(minutes=15)
_AHEAD = dt.timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Occurred:
    """``text``: UTC, ISO 8601 with ``Z``; ``late``: recorded more than 15 minutes after."""

    text: str
    late: bool


def occurred(given: str, now: str, record: str) -> Occurred:
    """Read an instant with its offset. Raises ``VAL_FORM``, and ``VAL_RANGE`` for one that is to come."""
    at: dt.datetime | None
    try:
        at = dt.datetime.fromisoformat(given)
        at = at.astimezone(dt.UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):  # the first and last days of the calendar have no instant elsewhere
        at = None
    if at is None:
        raise Invalid(
            "VAL_FORM",
            record=record,
            field="occurred_at",
            expected="an instant with its offset, such as 2026-11-20T14:32:07+01:00",
            found=f"'{given[:40]}'",
        )
    recorded = dt.datetime.fromisoformat(now)
    if at > recorded + _AHEAD:
        raise Invalid(
            "VAL_RANGE", record=record, field="occurred_at", value=given[:40], limits=f"up to now ({now})"
        )
    text = at.isoformat().replace("+00:00", "Z")
    return Occurred(text, recorded - at > LATE_AFTER)
