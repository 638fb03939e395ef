"""A disk that lied about a flush, and lost it: quarantine with both sizes named, never a second root.

The database's disk keeps what it held when it began to lie; the signer's disk is another one. The reverse,
a signer's disk that loses the end of the journal, is told apart and mended by putting the journal back.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.store.server import process
from coverslip.store.signer import read_journal
from fix_kills import Client, Siege
from fix_story import secret_of


class Ground:
    """A served home whose database may be lied to."""

    def __init__(self, root: Path, study: str) -> None:
        self.root, self.study = root, study
        self.siege = Siege(root, 0)
        self.aurel = Client(self.siege, "aurel", secret_of("aurel"))
        self.data = root / "postgres" / "data"
        self.journal = root / "signer" / "journal"
        self.made = 0

    def write(self) -> Any:
        self.made += 1
        fields = {"title": f"Lied to {self.made}", "criticality": "gxp_critical"}
        return self.aurel.once("POST", "/records", json={"type": "document_sop", "fields": fields})

    def signed(self) -> int:
        return read_journal(self.journal)[-1].size

    def write_and_sign(self, count: int) -> int:
        """Write so much, wait until it is signed, and return the size signed."""
        for _ in range(count):
            before = self.signed()
            answer = self.write()
            assert answer.status_code == 201, answer.text
            until(lambda before=before: self.signed() > before, "signed")
        return self.signed()

    def quarantined(self) -> str:
        """Serve, and return what a person is told while nothing is written."""
        self.siege.ready()
        held = self.journal.read_bytes()
        refused = self.write()
        assert refused.status_code == 503 and refused.json()["code"] == "RECOVERY_REQUIRED", refused.text
        reader = Client(self.siege, "aurel", secret_of("aurel"))  # sessions of before have ended
        found = reader.once("GET", f"/records/{self.study}")
        assert found.status_code == 200, f"reading goes on: {found.text}"
        time.sleep(1.5)
        assert self.journal.read_bytes() == held, "nothing is signed"
        return str(refused.json()["message"])


def until(done: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"in {seconds:g} s not: {what}"
        time.sleep(0.05)


@pytest.fixture
def ground(
    story: Any, story_home: Path, native: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ground]:
    monkeypatch.setenv("LD_PRELOAD", str(native("lying_flush")))
    made = Ground(story_home, story.numbers["study"])
    try:
        yield made
    finally:
        made.siege.end()


def _snapshot(data: Path, kept: Path) -> None:
    """Copy what the disk holds at one moment, its writers frozen."""
    live = process.find_live(data)
    assert live.postmaster is not None
    everybody = [live.postmaster, *live.others]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    subprocess.run(["cp", "-a", str(data), str(kept)], check=True)
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_database_that_lost_flushed_entries_is_quarantined_and_never_signed_anew(ground: Ground) -> None:
    ground.siege.ready()
    true = ground.write_and_sign(1)
    lying, kept = ground.root / "postgres" / "lying", ground.root / "postgres" / "kept"
    lying.touch()
    _snapshot(ground.data, kept)
    believed = ground.write_and_sign(3)
    lied = (ground.root / "postgres" / "lied").stat().st_size
    assert lied >= 3 and believed >= true + 3
    ground.siege.kill("all")
    shutil.rmtree(ground.data)  # the power is cut: what was never flushed is gone
    kept.rename(ground.data)
    lying.unlink()
    for _ in range(2):  # serving again does not make it good
        message = ground.quarantined()
        assert str(believed) in message and "two people" in message
        assert ground.signed() == believed
        ground.siege.kill("all")


@pytest.mark.slow
def test_a_journal_that_lost_its_end_signs_nothing_until_it_is_put_back(ground: Ground) -> None:
    ground.siege.ready()
    early = ground.write_and_sign(1)
    older = ground.journal.read_bytes()
    late = ground.write_and_sign(3)
    newer = ground.journal.read_bytes()
    ground.siege.kill("all")
    ground.journal.write_bytes(older)
    message = ground.quarantined()
    assert str(early) in message and str(late) in message and "put back" in message
    ground.siege.kill("all")
    ground.journal.write_bytes(newer)
    ground.siege.ready()
    ground.aurel = Client(ground.siege, "aurel", secret_of("aurel"))
    assert ground.write_and_sign(1) > late
    ground.siege.check()
