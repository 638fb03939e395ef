"""Every call of a step lost, failed or cut off: nothing is lost, nothing is twice, each size has one root."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from coverslip_lab import ORIGIN, Lab

from coverslip.kernel.ports import Batch
from coverslip.ledger import note
from coverslip.ledger.checkpoint import Checkpoint
from coverslip.ledger.files import uuid7
from coverslip.store.anchors import read_file_anchor
from coverslip.store.signer import Signer, read_journal
from fix_faults import HOWS, Ended, Faults

STEPS = {
    "1 leader lock", "1 tree row", "2 fetch", "4 leaf rows begin", "4 leaf rows end", "4 tree row",
    "4 commit", "5 ask what was signed", "5 have it signed", "5 journal write", "5 journal flush",
    "6 checkpoint row", "6 anchor", "6 anchor row",
}  # fmt: skip


class Ground:
    """One ledger that is struck again and again."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        lab.start_signing(folder)
        lab.signer.close()
        lab.sequencer.close()
        lab.sequencer = None
        self.written = 0
        self.given = {
            "dsn": lab.dsn("cs_sequencer"), "signer": str(folder / "signer"), "origin": ORIGIN,
            "key": lab.key.hex(), "anchor": str(lab.anchor.path),
        }  # fmt: skip

    def write(self, count: int) -> dict[str, Any]:
        at, command = datetime.now(UTC), uuid7()
        entries = tuple(
            self.lab.entry("image", f"IMG-{self.written + n}", command=command, at=at, reason=None)[0]
            for n in range(count)
        )
        self.lab.commit(Batch(command, self.lab.actor, at, entries))
        self.written += count
        return self.given

    def roots(self) -> dict[int, set[bytes]]:
        """Return every root anybody holds, by size."""
        found: dict[int, set[bytes]] = {}
        for one in read_journal(self.folder / "signer" / "journal"):
            found.setdefault(one.size, set()).add(one.root)
        with self.lab.connect() as conn:
            for size, root in conn.execute("select size, root from ledger.checkpoint"):
                found.setdefault(size, set()).add(bytes(root))
        for data in read_file_anchor(self.lab.anchor.path):
            kept = Checkpoint.parse(note.parse(data).text)
            found.setdefault(kept.size, set()).add(kept.root)
        return found

    def check(self, _: int, where: str, ended: Ended) -> None:
        journal = [one.size for one in read_journal(self.folder / "signer" / "journal")]
        assert ended.answer == self.written == journal[-1], where
        assert journal == sorted(set(journal)), where
        assert self.lab.one("select max(size) from ledger.checkpoint") == self.written, where
        assert self.lab.one("select count(distinct entry_id) from ledger.leaf") == self.written, where
        assert all(len(roots) == 1 for roots in self.roots().values()), where
        report = self.lab.verify()
        assert report.holds, (where, [one.sentence() for one in report.findings])


@pytest.fixture
def ground(lab: Lab, tmp_path: Path) -> Iterator[Ground]:
    return Ground(lab, tmp_path)


@pytest.mark.parametrize("how", HOWS)
def test_whatever_call_of_a_step_is_struck_the_next_step_makes_it_good(
    ground: Ground, faults: Faults, how: str
) -> None:
    struck = faults.sweep("step", how, lambda at: ground.write(1 + at % 2), ground.check)
    assert set(struck) >= STEPS


@pytest.mark.parametrize("how", HOWS)
def test_the_same_holds_where_tiles_become_full(ground: Ground, faults: Faults, how: str) -> None:
    calls = faults.run("step", ground.write(256)).calls
    first = next(n for n, name in enumerate(calls) if name.startswith("4 tiles"))
    assert ground.lab.one("select count(*) from ledger.tile") == 1
    for at in range(first, first + 4):
        ended = faults.run("step", ground.write(256), at, how)
        if how.startswith("crash"):
            ended = faults.run("step", ground.given)
        ground.check(at, f"{how} at {calls[at]}", ended)


@pytest.mark.parametrize("how", ["crash_before", "fail_before"])
def test_half_a_line_in_the_journal_was_never_signed(ground: Ground, faults: Faults, how: str) -> None:
    faults.run("step", ground.write(1))
    torn = ground.write(1) | {"torn": True}
    calls = faults.run("step", torn).calls
    at = len(calls) - 1 - calls[::-1].index("5 half a line")
    ended = faults.run("step", ground.write(1) | {"torn": True}, at, how)
    if how == "crash_before":
        assert not (ground.folder / "signer" / "journal").read_bytes().endswith(b"\n")
        ended = faults.run("step", ground.given)
    ground.check(at, how, ended)


def test_a_flush_reported_as_failed_does_not_make_a_size_signed_twice(ground: Ground, faults: Faults) -> None:
    calls = faults.run("step", ground.write(1)).calls
    assert calls
    calls = faults.run("step", ground.write(1)).calls
    at = [n for n, name in enumerate(calls) if name == "5 journal flush"][-1]
    ended = faults.run("step", ground.write(1), at, "fail_after")
    lines = (ground.folder / "signer" / "journal").read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == 3
    ground.check(at, "flush", ended)
    again = Signer(ground.folder / "signer", ORIGIN)
    assert again.last().size == 3  # type: ignore[union-attr]
    again.close()
