"""Entries dated before earlier ones are found in runs; a recorded jump of the clock explains its own run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coverslip.ledger.order import Behind, TimeOrder

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def leaf_of(at: str, act: str) -> bytes:
    kind = "anomaly" if act == "clock_jump" else "record"
    return f'{{"act":"{act}","actor":{{"id":"x"}},"at":"{at}","type":"{kind}"}}'.encode()


def found(*entries: tuple[float, str]) -> list[tuple[int, int, bool]]:
    """Return the runs of entries given as (seconds since the start, act)."""
    order = TimeOrder()
    for index, (seconds, act) in enumerate(entries):
        at = (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        order.see(index, leaf_of(at, act))
    return [(run.first, run.last, run.explained) for run in order.found()]


def test_a_log_in_order_has_nothing_to_find() -> None:
    assert found((0, "a"), (1, "a"), (1, "a"), (7200, "a")) == []


def test_entries_written_side_by_side_may_be_a_minute_out_of_order() -> None:
    assert found((60, "a"), (0, "a"), (61, "a"), (1, "a")) == []


def test_one_entry_dated_back_between_others_is_found() -> None:
    assert found((7200, "a"), (3600, "a"), (7201, "a")) == [(1, 1, False)]


def test_a_run_is_found_as_one() -> None:
    assert found((7200, "a"), (3600, "a"), (3601, "b"), (7300, "a")) == [(1, 2, False)]


def test_a_recorded_jump_explains_the_run_it_stands_in() -> None:
    assert found((7200, "a"), (3600, "a"), (3601, "clock_jump"), (3700, "a")) == [(1, 3, True)]


def test_and_no_other_run() -> None:
    assert found((7200, "a"), (3600, "clock_jump"), (7200, "a"), (3600, "a")) == [(1, 1, True), (3, 3, False)]


def test_a_jump_recorded_only_when_all_is_over_explains_nothing() -> None:
    assert found((7200, "a"), (3600, "a"), (7201, "clock_jump")) == [(1, 1, False)]


def test_creeping_back_a_little_at_a_time_is_found_as_well() -> None:
    steps = [(7200 - 50.0 * n, "a") for n in range(5)]
    assert found(*steps) == [(2, 4, False)]


def test_how_far_back_is_said() -> None:
    order = TimeOrder()
    order.see(0, leaf_of("2026-11-20T12:00:00.000000Z", "a"))
    order.see(1, leaf_of("2026-11-20T10:00:00.000000Z", "a"))
    assert list(order.found()) == [Behind(1, 1, timedelta(hours=2))]
    assert "7200 s" in next(order.found()).sentence()


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"at":"', b'{"at":"9999', b'{"at":"ZZZZ-11-20T12:00:00.000000Z"}', b"\xff" * 80]
)
def test_what_is_no_leaf_changes_nothing(data: bytes) -> None:
    order = TimeOrder()
    order.see(0, leaf_of("2026-11-20T12:00:00.000000Z", "a"))
    order.see(1, data)
    order.see(2, leaf_of("2026-11-20T10:00:00.000000Z", "a"))
    assert [(run.first, run.last) for run in order.found()] == [(2, 2)]


@pytest.mark.parametrize("seconds", [60.0, 60.000001])
def test_the_limit_is_a_minute(seconds: float) -> None:
    assert bool(found((seconds, "a"), (0, "a"))) is (seconds > 60)
