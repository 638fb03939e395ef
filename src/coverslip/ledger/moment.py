"""Times as the ledger writes them: UTC, exactly six digits of a second, and ``Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from coverslip.ledger.failure import LeafError

__all__ = ["format_time", "parse_time"]

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def format_time(moment: datetime) -> str:
    """Return an aware time as ``2026-11-21T04:00:00.123456Z``. Raises LeafError for a naive one."""
    if moment.tzinfo is None:
        raise LeafError("a time without a zone cannot be recorded")
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def parse_time(text: str) -> datetime:
    """Return the time of such a text. Raises LeafError for any other spelling or an impossible date."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise LeafError(f"time {text!r} is not written YYYY-MM-DDTHH:MM:SS.ffffffZ")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise LeafError(f"time {text!r}: {error}") from None
