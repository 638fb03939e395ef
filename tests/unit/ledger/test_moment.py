"""Times are written in one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from coverslip.ledger.failure import LeafError
from coverslip.ledger.moment import format_time, parse_time


def test_a_whole_second_keeps_six_digits() -> None:
    assert format_time(datetime(2026, 11, 21, 4, tzinfo=UTC)) == "2026-11-21T04:00:00.000000Z"


def test_another_zone_is_written_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    moment = datetime(2026, 11, 21, 4, 0, 0, 123456, tzinfo=east)
    assert format_time(moment) == "2026-11-20T19:00:00.123456Z"
    assert parse_time(format_time(moment)) == moment


def test_a_time_without_zone_cannot_be_written() -> None:
    with pytest.raises(LeafError):
        format_time(datetime(2026, 11, 21, 4))
