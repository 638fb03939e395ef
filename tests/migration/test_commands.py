"""The operator's commands on a home of the first release: told, upgraded, killed half way, served."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coverslip.bootstrap import checking, migrating, wiring
from fix_majors import installed
from fix_old_home import OldHome

KILLED_AFTER_S = (0.15, 0.4, 0.8, 1.3)
"""Counted from when the database begins to start."""


def coverslip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverslip.cli", *arguments], capture_output=True, text=True, check=False,
        timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_an_operator_is_led_from_the_old_home_to_a_served_one(old_home: OldHome) -> None:
    home = ("--home", str(old_home.root))
    refused = coverslip("serve", *home)
    assert refused.returncode == 3 and f"coverslip migrate --home {old_home.root}" in refused.stderr
    done = coverslip("migrate", *home, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["applied"][0] == "0011 clock" and said["entries"] == len(said["defined"]) + 1
    again = coverslip("migrate", *home)
    assert "0 migrations applied, 0 types defined, 0 entries on the log" in again.stdout
    for check in (("ledger", "verify"), ("ledger", "replay"), ("vault", "check")):
        held = coverslip(*check, *home)
        assert held.returncode == 0, held.stdout + held.stderr
    with subprocess.Popen(
        [sys.executable, "-m", "coverslip.cli", "serve", *home], stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        ready = served.stdout.readline()
        busy = coverslip("migrate", *home)
        served.terminate()
    assert ready.startswith("ready: unix:")
    assert busy.returncode == 3 and "holds the lock" in busy.stderr


def test_a_move_is_told_and_may_be_repeated(old_home: OldHome) -> None:
    before = wiring.cluster_of(old_home.home).major()
    major = max(m for m in installed() if m != before)
    for said in (f"moved from PostgreSQL {before} to {major}", "0 entries on the log"):
        done = coverslip("migrate", "--home", str(old_home.root), "--postgres", str(major))
        assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("after_s", KILLED_AFTER_S)
def test_an_upgrade_that_was_killed_is_finished_by_the_next(
    make_old: Callable[[], Path], after_s: float
) -> None:
    home = make_old()
    with subprocess.Popen(
        [sys.executable, "-m", "coverslip.cli", "migrate", "--home", str(home)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        while child.poll() is None and not (home / "postgres" / "data" / "postmaster.pid").exists():
            time.sleep(0.01)
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
    migrating.migrate(home)
    for check in (checking.ledger_verify, checking.ledger_replay):
        assert check(home)[0] == []
    assert migrating.migrate(home).entries == 0
