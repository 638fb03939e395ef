"""Writing stops below the reserve and goes on above it; a disk that cannot be seen refuses nothing."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coverslip.errors import EnvironmentFault
from coverslip.store import room
from coverslip.store.refusals import from_state
from coverslip.store.room import RESERVE_BYTES, Room


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk and a clock to set."""
    state = SimpleNamespace(free=1 << 40, now=0.0, looked=0)

    def statvfs(path: Any) -> Any:
        state.looked += 1
        return SimpleNamespace(f_bavail=state.free, f_frsize=1)

    monkeypatch.setattr(os, "statvfs", statvfs)
    monkeypatch.setattr(room.time, "monotonic", lambda: state.now)
    return state


def test_writing_stops_below_the_reserve_and_goes_on_above_it(disk: SimpleNamespace, tmp_path: Path) -> None:
    watched = Room(tmp_path)
    for free, refused in (
        (RESERVE_BYTES, False),
        (RESERVE_BYTES - 1, True),
        (0, True),
        (RESERVE_BYTES, False),
    ):
        disk.free, disk.now = free, disk.now + 1
        if not refused:
            watched.insist()
            continue
        with pytest.raises(EnvironmentFault) as caught:
            watched.insist()
        assert (caught.value.code, caught.value.status) == ("STORAGE", 507) and caught.value.remedy


def test_the_disk_is_looked_at_once_a_second_at_most(disk: SimpleNamespace, tmp_path: Path) -> None:
    watched = Room(tmp_path)
    for hundredth in range(250):
        disk.now = hundredth / 100
        watched.insist()
    assert disk.looked == 3


def test_a_database_elsewhere_is_not_refused_for_a_disk_nobody_can_see(tmp_path: Path) -> None:
    Room(tmp_path / "none").insist()


def test_the_databases_own_word_for_a_full_disk_is_the_same_refusal() -> None:
    assert from_state("53100", "could not extend file", "").code == "STORAGE"
    assert from_state("53300", "too many connections", "").code == "TRAIL_UNAVAILABLE"
