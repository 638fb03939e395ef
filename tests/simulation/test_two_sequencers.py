"""Two sequencers as processes: the leader killed, or frozen and woken after another took over."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from coverslip_lab import Lab

from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.store.anchors import read_file_anchor
from coverslip.store.signer import read_journal
from coverslip.store.signer_socket import SignerServer
from fix_faults import Ended, alone, ended

FROZEN = (
    ("2 fetch", "stop_after"), ("4 leaf rows end", "stop_after"), ("4 commit", "stop_before"),
    ("4 commit", "stop_after"), ("5 ask what was signed", "stop_after"), ("5 have it signed", "stop_before"),
    ("5 have it signed", "stop_after"), ("6 checkpoint row", "stop_before"), ("6 anchor", "stop_before"),
    ("6 anchor row", "stop_before"),
)  # fmt: skip


def until(done: Callable[[], bool], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"in {seconds:g} s not: {what}"
        time.sleep(0.01)


class Pair:
    """A log, its signer behind a socket, and sequencers that want to lead."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        lab.start_signing(folder)
        self.given = {
            "dsn": lab.dsn("cs_sequencer"), "socket": str(folder / "s"), "key": lab.key.hex(),
            "anchor": str(lab.anchor.path), "until": str(folder / "over"),
        }  # fmt: skip
        self.server = SignerServer(lab.signer, folder / "s").start()
        self.running: list[subprocess.Popen[str]] = []

    def start(self, name: str = "", how: str = "") -> subprocess.Popen[str]:
        self.running.append(alone("lead", self.given, name, how))
        return self.running[-1]

    def signed(self) -> int:
        journal = read_journal(self.folder / "signer" / "journal")
        return journal[-1].size if journal else 0

    def leaders(self) -> list[int]:
        """Return the server processes of everybody who sequences."""
        with self.lab.connect() as conn:
            rows = conn.execute(
                "select pid from pg_stat_activity"
                " where usename = 'cs_sequencer' and datname = current_database()"
            ).fetchall()
        return [pid for (pid,) in rows]

    def end(self) -> list[Ended]:
        (self.folder / "over").touch()
        return [ended(one) for one in self.running]

    def one_history(self) -> None:
        roots: dict[int, set[bytes]] = {}
        for signed in read_journal(self.folder / "signer" / "journal"):
            roots.setdefault(signed.size, set()).add(signed.root)
        with self.lab.connect() as conn:
            for size, root in conn.execute("select size, root from ledger.checkpoint"):
                roots.setdefault(size, set()).add(bytes(root))
        for data in read_file_anchor(self.lab.anchor.path):
            kept = Checkpoint.parse(note.parse(data).text)
            roots.setdefault(kept.size, set()).add(kept.root)
        assert all(len(held) == 1 for held in roots.values())
        report = self.lab.verify()
        assert report.holds, [one.sentence() for one in report.findings]


@contextmanager
def _pair(lab: Lab, folder: Path) -> Iterator[Pair]:
    made = Pair(lab, folder)
    try:
        yield made
    finally:
        for one in made.running:
            if one.poll() is None:
                one.kill()
                one.wait()
            if one.stdout is not None:
                one.stdout.close()
        made.server.stop()


@pytest.fixture
def pair(lab: Lab, tmp_path: Path) -> Iterator[Pair]:
    with _pair(lab, tmp_path) as made:
        yield made


def stopped(running: subprocess.Popen[Any]) -> bool:
    return Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize(("name", "how"), FROZEN, ids=[f"{how} {name}" for name, how in FROZEN])
def test_a_leader_frozen_anywhere_wakes_to_another_leader_and_signs_no_second_root(
    pair: Pair, name: str, how: str
) -> None:
    pair.lab.write("image", "IMG-1")
    first = pair.start(name, how)
    until(lambda: stopped(first), f"frozen at {name}")
    held = pair.leaders()
    pair.start()
    pair.lab.write("image", "IMG-2")
    until(lambda: len(pair.leaders()) > len(held), "a second sequencer")
    assert pair.signed() < 2, "nobody leads beside a leader whose connection lives"
    with pair.lab.connect() as conn:  # as a restart of the database would, or an operator
        for pid in held:
            conn.execute("select pg_terminate_backend(%s)", (pid,))
    until(lambda: pair.signed() == 2, "the second took over")
    first.send_signal(signal.SIGCONT)
    pair.lab.write("image", "IMG-3")
    until(lambda: pair.signed() == 3, "one of them goes on")
    for one in pair.end():
        assert one.status == 0, one.error
    assert pair.lab.one("select count(*) from ledger.leaf") == 3
    pair.one_history()


def test_a_killed_leader_is_followed_by_the_other(pair: Pair) -> None:
    pair.lab.write("image", "IMG-1")
    first = pair.start()
    until(lambda: pair.signed() == 1, "the first leads")
    pair.start()
    until(lambda: len(pair.leaders()) == 2, "the second waits")
    first.kill()
    pair.lab.write("image", "IMG-2")
    until(lambda: pair.signed() == 2, "the second leads")
    assert [one.status for one in pair.end()] == [-signal.SIGKILL, 0]
    pair.one_history()
