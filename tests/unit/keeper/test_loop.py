"""The keeper keeps every duty, whatever another one does."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from coverslip.keeper.loop import run


@dataclass
class Counting:
    name: str = "counting"
    every_s: float = 0.01
    wanted: int = 3
    fails: bool = False
    turns: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def do(self) -> None:
        self.turns += 1
        if self.turns >= self.wanted:
            self.reached.set()
        if self.fails:
            raise RuntimeError("this duty always fails")


@dataclass
class Long:
    name: str = "long"
    every_s: float = 60.0
    entered: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def do(self) -> None:
        self.entered.set()
        self.release.wait(30)


def _running(*duties: object) -> tuple[threading.Thread, threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(duties, stop, 0.01), daemon=True)
    thread.start()
    return thread, stop


def test_a_duty_is_done_at_start_and_again_and_again() -> None:
    duty = Counting()
    thread, stop = _running(duty)
    assert duty.reached.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_long_duty_does_not_delay_another() -> None:
    long, other = Long(), Counting()
    thread, stop = _running(long, other)
    assert long.entered.wait(10)
    assert other.reached.wait(10)
    long.release.set()
    stop.set()
    thread.join(10)


def test_a_failing_duty_is_tried_again_and_stops_no_other() -> None:
    failing, other = Counting(fails=True), Counting()
    thread, stop = _running(failing, other)
    assert failing.reached.wait(10)
    assert other.reached.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
