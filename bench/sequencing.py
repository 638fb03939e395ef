"""The sequencer: catching up with a backlog, and the same while 32 clients commit.

Rules kept here: the backlog is of real entries (:mod:`bench.filling`); under load, full commands of clients
in processes of their own come on top and want the same two things, processor and disk.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from bench.concurrency import editing
from bench.filling import Filler, checked
from bench.lab import laboratory
from bench.rows import Row, Size, at_least, plain
from coverslip.bootstrap import founding
from coverslip.store.sequencer import CADENCE

WANTED = 10_000
CLIENTS = 32


def measure(size: Size) -> list[Row]:
    """Return entries per second, catching up and under load."""
    with laboratory() as lab:
        filler = Filler(lab)
        filler.fill(size.entries_before)
        count, passed = filler.integrate()
        checked(lab)
        filler.fill(size.entries_before)
        under_load, commands = _under_load(lab, size.seconds)
    return [
        at_least("sequencer catching up", count / passed, "entries/s", WANTED),
        at_least(f"sequencer, {CLIENTS} clients committing", under_load, "entries/s", WANTED),
        plain("full commands committed meanwhile", commands, "/s"),
    ]


def _under_load(lab: Any, seconds: float) -> tuple[float, float]:
    """Return entries integrated per second of the steps that integrated any, and commands per second."""
    with (
        closing(founding.sequencer_of(lab.home, lab.signer)) as sequencer,
        editing(lab, CLIENTS, seconds) as finished,
    ):
        end, busy, count = time.perf_counter() + seconds, 0.0, 0
        while time.perf_counter() < end:
            begin = time.perf_counter()
            done = sequencer.step(sign=False).integrated
            busy += time.perf_counter() - begin if done else 0.0
            count += done
            if done < sequencer.limit:
                time.sleep(CADENCE)
        return count / busy, finished()
