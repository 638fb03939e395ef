"""How far an image's time is outside its session is told in the unit people would say it in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coverslip.imaging.checks import _length


@pytest.mark.parametrize(
    ("outside", "said"),
    [
        (timedelta(minutes=11), "11 min"),
        (timedelta(seconds=61), "2 min"),
        (timedelta(minutes=119, seconds=1), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 days"),
        (timedelta(days=831, hours=23), "832 days"),
    ],
)
def test_a_time_outside_the_session_is_told_in_minutes_hours_or_days(outside: timedelta, said: str) -> None:
    assert _length(outside) == said
