"""Calendar arithmetic on ISO 8601 texts.

Rules kept here: a month later is the same day of that month, or its last day where it is shorter.
"""

from __future__ import annotations

import calendar
import datetime as dt


def later_by(text: str, *, months: int = 0, days: int = 0) -> str:
    """Return the date (``YYYY-MM-DD``) that many months and then days after a date or instant."""
    day = dt.date.fromisoformat(text[:10])
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return (dt.date(year, month + 1, min(day.day, last)) + dt.timedelta(days=days)).isoformat()
