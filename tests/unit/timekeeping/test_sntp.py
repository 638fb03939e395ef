"""A server's answer counts only if it answers our question and the server vouches for itself."""

from __future__ import annotations

import time
from typing import Any

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.timekeeping import sntp
from fix_time import answer, time_server


@pytest.mark.parametrize("ahead", [0.0, 2.5, -3600.0, 86400.0])
def test_the_offset_is_our_clock_minus_the_servers(ahead: float) -> None:
    with time_server(lambda q: [answer(q, ahead_s=ahead)]) as port:
        found = sntp.measure("127.0.0.1", port, time.time)
    assert found.kind == "sntp"
    assert found.low <= -ahead * 1e6 <= found.high
    assert found.error_us < 500_000


def test_a_clock_said_to_be_elsewhere_is_measured_as_that() -> None:
    with time_server(lambda q: [answer(q)]) as port:
        found = sntp.measure("127.0.0.1", port, lambda: time.time() + 7)
    assert found.low <= 7_000_000 <= found.high


def test_a_moment_after_the_counter_wraps_in_2036_is_read_right() -> None:
    later = 2_085_978_496 + 1000.0
    with time_server(lambda q: [answer(q, at=later)]) as port:
        found = sntp.measure("127.0.0.1", port, lambda: later)
    assert abs(found.offset_us) < 1_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"originate": b"\1" * 8},
        {"originate": b"\0" * 8},
        {"leap": 3},
        {"stratum": 0},
        {"stratum": 16},
        {"mode": 3},
        {"mode": 5},
        {"dispersion_s": 2.0},
    ],
    ids=str,
)
def test_an_answer_that_does_not_vouch_is_refused(wrong: dict[str, Any]) -> None:
    with (
        time_server(lambda q: [answer(q, **wrong)]) as port,
        pytest.raises(EnvironmentFault, match=f"127.0.0.1:{port}"),
    ):
        sntp.measure("127.0.0.1", port, time.time, timeout_s=0.4)


@pytest.mark.parametrize("packet", [b"", b"\x24", bytes(47), bytes(48), b"\xff" * 48, b"\x24" + bytes(400)])
def test_garbage_is_refused(packet: bytes) -> None:
    with time_server(lambda q: [packet]) as port, pytest.raises(EnvironmentFault):
        sntp.measure("127.0.0.1", port, time.time, timeout_s=0.4)


def test_a_forged_packet_before_the_answer_is_passed_over() -> None:
    with time_server(lambda q: [answer(q, ahead_s=900, originate=b"guessed!"), answer(q)]) as port:
        found = sntp.measure("127.0.0.1", port, time.time)
    assert abs(found.offset_us) < 500_000


def test_a_silent_server_is_refused_in_time() -> None:
    started = time.monotonic()
    with time_server(lambda q: []) as port, pytest.raises(EnvironmentFault):
        sntp.measure("127.0.0.1", port, time.time, timeout_s=0.3)
    assert time.monotonic() - started < 10


def test_a_server_that_floods_is_given_up_in_time() -> None:
    flood = [answer(b"\0" * 48, originate=b"whatever")] * 200
    with time_server(lambda q: flood) as port, pytest.raises(EnvironmentFault):
        sntp.measure("127.0.0.1", port, time.time, timeout_s=0.4)
