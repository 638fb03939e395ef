"""Sessions held in memory lock, open and end as those in the database do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coverslip.kernel.accounts import Session
from coverslip.settings import Limits
from coverslip.store.sessions_in_memory import SessionsInMemory

IDLE_S = Limits().idle_lock_minutes * 60
ONE = Session("s1", "p1", "quinn", "password", "ws", "192.0.2.1", "tests", "UTC", "", "", "", "per1")


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(clock: Clock) -> SessionsInMemory:
    made = SessionsInMemory(clock)
    made.open(ONE, b"token")
    return made


def test_one_that_is_left_alone_locks_and_its_period_ends(held: SessionsInMemory, clock: Clock) -> None:
    clock.at = IDLE_S - 1
    assert held.by_token(b"token", used=True) == ONE
    clock.at += IDLE_S
    found = held.by_token(b"token", used=True)
    assert found is not None and (found.locked, found.period) == (True, "")
    assert held.by_id("s1") is None
    assert held.by_id("s1", used=True) is None
    assert [one.locked for one in held.of("p1")] == [True]


def test_what_a_page_asks_by_itself_does_not_keep_it_open(held: SessionsInMemory, clock: Clock) -> None:
    for _ in range(4):
        clock.at += IDLE_S / 3
        found = held.by_token(b"token", used=False)
        assert found is not None
    assert found.locked


def test_a_locked_one_opens_under_a_new_token_only(held: SessionsInMemory, clock: Clock) -> None:
    assert not held.unlock("s1", b"new"), "it is not locked"
    held.lock("s1")
    assert held.unlock("s1", b"new")
    assert held.by_token(b"token", used=True) is None
    found = held.by_token(b"new", used=True)
    assert found is not None and not found.locked
    held.close("s1")
    held.lock("s1")
    assert not held.unlock("s1", b"newer")


def test_all_are_over_in_the_end_however_they_were_used(held: SessionsInMemory, clock: Clock) -> None:
    while clock.at < Limits().session_hours * 3600 - IDLE_S / 2:
        clock.at += IDLE_S / 2
        assert held.by_token(b"token", used=True) is not None
    clock.at += IDLE_S / 2
    assert held.by_token(b"token", used=True) is None
    held.lock("s1")
    assert not held.unlock("s1", b"new")


def test_a_device_left_alone_is_over_and_not_locked(held: SessionsInMemory, clock: Clock) -> None:
    held.open(replace(ONE, id="s2", kind="device"), b"device")
    clock.at = IDLE_S
    assert held.by_token(b"device", used=True) is None
    assert held.of("p1")[0].id == "s1"


def test_a_period_is_kept_with_what_there_was(held: SessionsInMemory) -> None:
    held.keep_period("s1", "per2", {"began": "a"})
    held.keep_period("s1", "per2", {"used": "b"})
    found = held.by_id("s1")
    assert found is not None and (found.period, found.data) == ("per2", {"began": "a", "used": "b"})
    held.keep_period("nobody", "x", {})
