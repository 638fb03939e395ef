"""Calendar arithmetic of retention (RET-E8): whole years, never a day too short.

Rules kept here:

* A day that a later month does not have becomes the first of the month after: 29 February and one year is
  1 March, for 28 February would be too short.
* A month stands for its last day.
* An instant counts as the last calendar day that is somewhere on earth then, unless a zone is named.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from zoneinfo import ZoneInfo

_LATEST = dt.timezone(dt.timedelta(hours=14))
_MONTH = re.compile(r"\d{4}-\d{2}")


def day_of(value: str, zone: str = "") -> dt.date:
    """Return the day a date, a month (``2030-05``) or an instant stands for.

    ``zone`` is the IANA name of the legal calendar, used for instants. Raises ``ValueError`` for other text.
    """
    if _MONTH.fullmatch(value):
        year, month = int(value[:4]), int(value[5:])
        return dt.date(year, month, calendar.monthrange(year, month)[1])
    if "T" in value:
        found = dt.datetime.fromisoformat(value)
        return found.astimezone(ZoneInfo(zone) if zone else _LATEST).date()
    return dt.date.fromisoformat(value)


def after(day: dt.date, years: int = 0, months: int = 0) -> dt.date:
    """Return the day so many whole years and months later.

    Raises ``ValueError`` for a negative span, and beyond year 9999.
    """
    if years < 0 or months < 0:
        raise ValueError("a retention period is never negative")
    count = day.year * 12 + day.month - 1 + years * 12 + months
    year, month = divmod(count, 12)
    month += 1
    if day.day <= calendar.monthrange(year, month)[1]:
        return dt.date(year, month, day.day)
    return dt.date(year + month // 12, month % 12 + 1, 1)


def span(years: int, months: int) -> str:
    """Return a period in words: ``1 y``, ``6 months``, ``1 y 6 months``."""
    parts = [f"{years} y"] if years else []
    parts += [f"{months} months"] if months else []
    return " ".join(parts)
